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


# Device, inode, size, and the times of the last change in nanoseconds.
_FileIdentity = tuple[int, int, int, int, int]


class OutputState(NamedTuple):
    """An output after a run: `folder` is empty if there is none; a large output has too many files to check each.

    The manifest is known by its digest, which covers all other files; that of plain output by the identity of its file,
    because secrets that are short can be guessed from a digest. The hashes in `manifest_digest` are empty then.
    """

    folder: str
    mode: SecretsMode
    manifest_digest: ManifestDigest
    manifest_identity: _FileIdentity | None
    is_large: bool

    def current_digest(self) -> ManifestDigest | None:
        """Return the digest of the manifest that the run left, or None if another one may have replaced it."""
        if self.mode != "plain":
            return self.manifest_digest or None
        if self.manifest_identity is None or _file_identity(self.folder) != self.manifest_identity:
            return None
        return disk.compute_manifest_digest(self.folder, [size for size, _ in self.manifest_digest])


NO_OUTPUT = OutputState("", "ref", (), None, is_large=False)


def capture_output(output: Output, manifest: Manifest) -> OutputState:
    """Return the state of an output that a run has just written."""
    folder, is_plain = str(output.folder), output.mode == "plain"
    digest = manifest.compute_digest()
    return OutputState(
        folder=folder,
        mode=output.mode,
        manifest_digest=tuple((size, b"") for size, _ in digest) if is_plain else digest,
        manifest_identity=_file_identity(folder) if is_plain else None,
        is_large=manifest.has_more_files_than(_MAX_CHECKED_FILES),
    )


def _file_identity(folder: str) -> _FileIdentity | None:
    """Return what changes with the manifest in a folder, or None without one."""
    try:
        status = os.lstat(f"{folder}/{disk.MANIFEST_FILE}")
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


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
    digest = state.current_digest()
    if digest is None:
        return False
    if state.is_large and not thorough:
        return output.mode == "plain" or disk.has_digest(f"{root}/{disk.MANIFEST_FILE}", digest)
    manifest = disk.load_matching_manifest(root, digest)
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
