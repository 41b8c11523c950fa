"""Check whether an output is as a run has left it."""

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.model.artifact import Manifest, Output, SecretsMode
from envtree.model.manifest_records import ManifestDigest
from envtree.output.destination_checks import output_path
from envtree.system import disk
from envtree.system.git import is_git_tracked

# Checking each of more files would take longer than the rest of a run without changes.
_MAX_CHECKED_FILES = 20_000


class OutputState(NamedTuple):
    """An output after a run: `folder` is empty if there is none; a large output has too many files to check each."""

    folder: str
    mode: SecretsMode
    manifest_digest: ManifestDigest
    is_large: bool


NO_OUTPUT = OutputState("", "ref", (), is_large=False)


def capture_output(output: Output, manifest: Manifest) -> OutputState:
    """Return the state of an output; the digest of its manifest covers all other files."""
    return OutputState(
        str(output.folder), output.mode, manifest.compute_digest(), manifest.has_more_files_than(_MAX_CHECKED_FILES)
    )


def is_intact(state: OutputState, tree: Path, *, thorough: bool) -> bool:
    """Return whether an output of a tree is unchanged; raise the errors that would prevent a run from writing there.

    Check only the manifest of a large output, and the size and time of each file of others; `thorough` reads the files.
    """
    if not state.folder:
        return True
    output = Output(Path(state.folder), tree, state.mode, EDITION, {}, lambda _: True)
    root = output_path(output, is_git_tracked)
    if any(os.path.lexists(f"{root}/{name}") for name in (disk.STAGING_FOLDER, disk.JOURNAL_FILE)):
        return False
    if output.mode == "plain" and disk.read_file(f"{root}/{disk.IGNORE_FILE}") != disk.IGNORE_TEXT:
        return False
    if state.is_large and not thorough:
        return disk.has_digest(f"{root}/{disk.MANIFEST_FILE}", state.manifest_digest)
    manifest = disk.load_matching_manifest(root, state.manifest_digest)
    return manifest is not None and _is_unmodified(Path(root), manifest, output, thorough=thorough)


def may_be_intact(state: OutputState, tree: Path, *, thorough: bool) -> bool:
    """Return the same, and True for a large output: the writer compares its manifest before it replaces it."""
    return (state.is_large and not thorough) or is_intact(state, tree, thorough=thorough)


def _is_unmodified(root: Path, manifest: Manifest, output: Output, *, thorough: bool) -> bool:
    # The manifest is written last: any later change was not made by envtree.
    manifest_ns = os.lstat(root / disk.MANIFEST_FILE).st_ctime_ns
    folders, since_ns = disk.FolderPermissions(str(root)), None if thorough else manifest_ns
    for _, record in manifest.records():
        if folders.bits(record.folder) is None:
            return False
        for name in record.files:
            if not _matches_record(f"{root}/{record.folder}/{name}", record.files[name], output, since_ns):
                return False
    return output.mode != "plain" or not folders.differing_folders(disk.FOLDER_BITS["plain"])


def _matches_record(path: str, recorded: tuple[str, int], output: Output, since_ns: int | None) -> bool:
    """Return whether a file matches its record; if it was not changed after `since_ns`, it is not read."""
    digest, size = recorded
    try:
        status = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(status.st_mode) or status.st_size != size:
        return False
    # An equal time does not rule out a change within the same clock tick.
    if since_ns is not None and status.st_ctime_ns < since_ns:
        return True
    if output.mode == "plain" and stat.S_IMODE(status.st_mode) != disk.FILE_BITS["plain"]:
        return False
    return hashlib.sha256(disk.read_file(path) or b"").hexdigest() == digest
