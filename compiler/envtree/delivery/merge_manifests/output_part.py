"""Read outputs as parts of one: their manifests, and their bundles in the order in which one machine writes them."""

import errno
import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from envtree.diagnostics.printable import printable
from envtree.model.artifact import Artifact, Manifest
from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason
from envtree.system import disk
from envtree.system.archive import is_archive

# The name and bytes of a file; None for one that envtree cannot have written.
_File = tuple[str, bytes | None]


class OutputPart(NamedTuple):
    """An output, which is a folder or an archive, and its manifest."""

    path: Path
    manifest: Manifest


def read_part(path: Path) -> OutputPart:
    """Read the manifest of an output; RefusedError if there is no valid one."""
    data = _read_manifest(path)
    if data is None:
        raise RefusedError(
            "ET631", f"there is no '{disk.MANIFEST_FILE}' in '{path}'", "name an output of 'envtree compile'"
        )
    try:
        return OutputPart(path, disk.parse_manifest(data))
    except ValueError:
        message = f"the '{disk.MANIFEST_FILE}' in '{path}' is none that envtree wrote"
        raise RefusedError("ET631", message, "fetch the output again, or compile it again") from None


def merge_artifacts(parts: Iterable[OutputPart]) -> Iterator[Artifact]:
    """Yield the bundles of all parts in order, reading each on demand; RefusedError for a changed one."""
    return heapq.merge(*map(_read_artifacts, parts), key=lambda artifact: _bundle_order(artifact.id))


def _read_manifest(path: Path) -> bytes | None:
    if path.is_dir():
        return _read(path, disk.MANIFEST_FILE)
    if not is_archive(path):
        raise RefusedError("ET631", f"'{path}' is no archive", "name a folder, a .tar.zst or a .zip")
    from envtree.system.archive.archive_reader import read_members  # noqa: PLC0415 -- a folder needs none of it

    return next((member.data for member in read_members(path) if member.path == disk.MANIFEST_FILE), None)


def _read_artifacts(part: OutputPart) -> Iterator[Artifact]:
    bundles = _folder_bundles(part) if part.path.is_dir() else _archive_bundles(part)
    seen_ids, records = set(), dict(part.manifest.bundles)
    for id, files in bundles:
        record = records[id]
        readable = tuple((name, data) for name, data in files if data is not None)
        artifact = Artifact(id, record.folder, record.digest, readable)
        if artifact.to_record() != record or len(readable) != len(files):
            raise _changed_error(part, id)
        seen_ids.add(id)
        yield artifact
    for id in part.manifest.bundles:
        if id not in seen_ids:
            raise _changed_error(part, id)


def _folder_bundles(part: OutputPart) -> Iterator[tuple[str, list[_File]]]:
    for id in sorted(part.manifest.bundles, key=_bundle_order):
        record = part.manifest.bundles[id]
        yield id, [(name, _read(part.path, f"{record.folder}/{name}")) for name in record.files]


def _archive_bundles(part: OutputPart) -> Iterator[tuple[str, list[_File]]]:
    from envtree.system.archive.archive_reader import read_members  # noqa: PLC0415 -- as above

    owners = {record.folder: id for id, record in part.manifest.bundles.items()}
    listed = {path for id, _ in part.manifest.records() for path in part.manifest.paths(id)} | {disk.MANIFEST_FILE}
    seen_paths: set[str] = set()

    def members() -> Iterator[tuple[str, str, bytes | None]]:
        for path, data, problem in read_members(part.path):
            folder, _, name = path.rpartition("/")
            is_ignore_file = (path, data) == (disk.IGNORE_FILE, disk.IGNORE_TEXT)
            # An unlisted file beside those of a bundle is a change of the bundle.
            if path in seen_paths or not (path in listed or folder in owners or is_ignore_file):
                raise _unlisted_error(part, path, problem or "the manifest does not list it, or it is there twice")
            seen_paths.add(path)
            yield folder, name, data

    for folder, group in groupby(members(), key=itemgetter(0)):
        if folder in owners:
            yield owners[folder], [(name, data) for _, name, data in group]


def _read(root: Path, path: str) -> bytes | None:
    try:
        return disk.read_file(f"{root}/{path}")
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            return None
        raise MachineError("ET805", f"'{root}/{path}' cannot be read: {os_error_reason(error)}") from None


def _unlisted_error(part: OutputPart, path: str, problem: str) -> RefusedError:
    message = f"'{part.path}' contains '{printable(path)}', which envtree did not pack: {problem}"
    return RefusedError("ET631", message, "fetch the output again, or compile it again")


def _changed_error(part: OutputPart, id: str) -> RefusedError:
    hint = f"'envtree verify {part.path}' says in what; fetch the output again, or compile it again"
    return RefusedError("ET631", f"bundle '{id}' in '{part.path}' is not as it was compiled", hint)


def _bundle_order(id: str) -> tuple[str, str, str, str]:
    """Return the sort key of a bundle in a run: by project, then by environment."""
    path, _, environment = id.partition("@")
    project, _, inside = path.partition("/")
    team, _, agent = inside.rpartition("/")
    return project, environment, team, agent
