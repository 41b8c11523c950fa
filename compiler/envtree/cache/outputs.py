"""Whether an output is as a run has left it."""

import hashlib
import os
import stat
from pathlib import Path
from typing import Literal

from envtree import disk
from envtree.artifact import Manifest, Output
from envtree.git import tracked
from envtree.guard import output_path

# What is looked at: the manifest alone, the marks of each file, or all that is in them.
Look = Literal["manifest", "marks", "read"]


def written(manifest: Manifest) -> str:
    """What to remember of an output: the digest of its manifest, which has all others."""
    digest = hashlib.sha256()
    for piece in manifest.pieces():
        digest.update(piece)
    return digest.hexdigest()


def is_intact(digest: str, output: Output, look: Look) -> bool:
    """Whether an output is as it was, as far as it is looked at; raises what would keep a run from writing there."""
    root = output_path(output, tracked)
    if disk.digest(f"{root}/{disk.MANIFEST}") != digest:
        return False
    if any(os.path.lexists(f"{root}/{name}") for name in (disk.STAGING, disk.JOURNAL)):
        return False
    if output.mode == "plain" and disk.read(f"{root}/{disk.IGNORE}") != disk.IGNORE_TEXT:
        return False
    return look == "manifest" or _is_untouched(Path(root), output, look)


def _is_untouched(root: Path, output: Output, look: Look) -> bool:
    manifest = disk.load_manifest(str(root), output.mode, output.edition)
    # The manifest is written last: whatever has changed later is not ours.
    last = os.lstat(root / disk.MANIFEST).st_ctime_ns
    folders, since = disk.Folders(str(root)), last if look == "marks" else None
    for _, record in manifest.records():
        if folders.bits(record.folder) is None:
            return False
        for name in record.files:
            if not _is_same(f"{root}/{record.folder}/{name}", record.files[name], output, since):
                return False
    return output.mode != "plain" or not folders.unlike(disk.FOLDER_BITS["plain"])


def _is_same(path: str, recorded: tuple[str, int], output: Output, last: int | None) -> bool:
    """Whether a file is as the manifest has it; one that was not touched after `last` need not be read."""
    digest, size = recorded
    try:
        found = os.lstat(path)
    except OSError:
        return False
    if not stat.S_ISREG(found.st_mode) or found.st_size != size:
        return False
    # What was written in the same moment may have been touched in it.
    if last is not None and found.st_ctime_ns < last:
        return True
    if output.mode == "plain" and stat.S_IMODE(found.st_mode) != disk.FILE_BITS["plain"]:
        return False
    return disk.digest(path) == digest
