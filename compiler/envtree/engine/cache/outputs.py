"""Whether an output is as a run has left it."""

import hashlib
import os
import stat
from pathlib import Path
from typing import NamedTuple

from envtree import EDITION
from envtree.model.artifact import Manifest, Mode, Output
from envtree.model.manifest_records import Trace
from envtree.output.destination_checks import output_path
from envtree.system import disk
from envtree.system.git import tracked

# To look at each file of more would take longer than all the rest of a run that has nothing to do.
_LOOKED_AT = 20_000


class Place(NamedTuple):
    """An output, no folder if there is none: `manifest` is the trace of its manifest; one of many files `is_large`."""

    folder: str
    mode: Mode
    manifest: Trace
    is_large: bool


NOWHERE = Place("", "ref", (), is_large=False)


def written(output: Output, manifest: Manifest) -> Place:
    """What to remember of an output: its manifest has all other files."""
    return Place(str(output.folder), output.mode, manifest.trace(), manifest.is_larger(_LOOKED_AT))


def is_intact(place: Place, tree: Path, *, thorough: bool) -> bool:
    """Whether an output of a tree is as it was, as far as it is looked at; raises what would keep a run from writing
    there.

    Of a large one only the manifest is looked at, of others the marks of each file; a `thorough` look reads them.
    """
    if not place.folder:
        return True
    output = Output(Path(place.folder), tree, place.mode, EDITION, {}, lambda _: True)
    root = output_path(output, tracked)
    if any(os.path.lexists(f"{root}/{name}") for name in (disk.STAGING, disk.JOURNAL)):
        return False
    if output.mode == "plain" and disk.read(f"{root}/{disk.IGNORE}") != disk.IGNORE_TEXT:
        return False
    if place.is_large and not thorough:
        return disk.has_trace(f"{root}/{disk.MANIFEST}", place.manifest)
    manifest = disk.known_manifest(root, place.manifest)
    return manifest is not None and _is_untouched(Path(root), manifest, output, thorough=thorough)


def may_be_intact(place: Place, tree: Path, *, thorough: bool) -> bool:
    """The same, but of a large output, whose manifest is compared by who is going to replace it."""
    return (place.is_large and not thorough) or is_intact(place, tree, thorough=thorough)


def _is_untouched(root: Path, manifest: Manifest, output: Output, *, thorough: bool) -> bool:
    # The manifest is written last: whatever has changed later is not ours.
    last = os.lstat(root / disk.MANIFEST).st_ctime_ns
    folders, since = disk.Folders(str(root)), None if thorough else last
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
    return hashlib.sha256(disk.read(path) or b"").hexdigest() == digest
