"""Whether an output is as a run has left it."""

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

# To look at each file of more would take longer than all the rest of a run that has nothing to do.
_MAX_CHECKED_FILES = 20_000


class OutputState(NamedTuple):
    """An output, no folder if there is none: `manifest` is the trace of its manifest; one of many files `is_large`."""

    folder: str
    mode: SecretsMode
    manifest_digest: ManifestDigest
    is_large: bool


NO_OUTPUT = OutputState("", "ref", (), is_large=False)


def capture_output(output: Output, manifest: Manifest) -> OutputState:
    """What to remember of an output: its manifest has all other files."""
    return OutputState(
        str(output.folder), output.mode, manifest.compute_digest(), manifest.has_more_files_than(_MAX_CHECKED_FILES)
    )


def is_intact(state: OutputState, tree: Path, *, thorough: bool) -> bool:
    """Whether an output of a tree is as it was, as far as it is looked at; raises what would keep a run from writing
    there.

    Of a large one only the manifest is looked at, of others the marks of each file; a `thorough` look reads them.
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
    """The same, but of a large output, whose manifest is compared by who is going to replace it."""
    return (state.is_large and not thorough) or is_intact(state, tree, thorough=thorough)


def _is_unmodified(root: Path, manifest: Manifest, output: Output, *, thorough: bool) -> bool:
    # The manifest is written last: whatever has changed later is not ours.
    last = os.lstat(root / disk.MANIFEST_FILE).st_ctime_ns
    folders, since = disk.FolderPermissions(str(root)), None if thorough else last
    for _, record in manifest.records():
        if folders.bits(record.folder) is None:
            return False
        for name in record.files:
            if not _matches_record(f"{root}/{record.folder}/{name}", record.files[name], output, since):
                return False
    return output.mode != "plain" or not folders.differing_folders(disk.FOLDER_BITS["plain"])


def _matches_record(path: str, recorded: tuple[str, int], output: Output, since: int | None) -> bool:
    """Whether a file is as the manifest has it; one that was not touched after `last` need not be read."""
    digest, size = recorded
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        return False
    # What was written in the same moment may have been touched in it.
    if since is not None and found.st_ctime_ns < since:
        return True
    if output.mode == "plain" and stat.S_IMODE(found.st_mode) != disk.FILE_BITS["plain"]:
        return False
    return hashlib.sha256(disk.read_file(path) or b"").hexdigest() == digest
