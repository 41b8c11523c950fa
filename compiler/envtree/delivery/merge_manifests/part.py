"""Outputs as the parts of one: their manifests, and their bundles in the order in which one machine writes them."""

import errno
import heapq
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

from envtree.model.artifact import Artifact, Manifest
from envtree.model.diagnostic import Failure, Refusal, reason
from envtree.system import disk
from envtree.system.archive import is_archive

# A file by its name; without its bytes it cannot be what envtree wrote.
_File = tuple[str, bytes | None]


class Part(NamedTuple):
    """An output, a folder or an archive, and its manifest."""

    path: Path
    manifest: Manifest


def part(path: Path) -> Part:
    """Read the manifest of an output; a Refusal if there is none."""
    data = _manifest(path)
    if data is None:
        raise Refusal("ET631", f"there is no '{disk.MANIFEST}' in '{path}'", "name an output of 'envtree compile'")
    try:
        return Part(path, disk.parse_manifest(data))
    except ValueError:
        message = f"the '{disk.MANIFEST}' in '{path}' is none that envtree wrote"
        raise Refusal("ET631", message, "fetch the output again, or compile it again") from None


def artifacts(parts: Iterable[Part]) -> Iterator[Artifact]:
    """The bundles of all parts in their order, read as they are asked for; a Refusal for one that was changed."""
    return heapq.merge(*map(_artifacts, parts), key=lambda one: _order(one.id))


def _manifest(path: Path) -> bytes | None:
    if path.is_dir():
        return _read(path, disk.MANIFEST)
    if not is_archive(path):
        raise Refusal("ET631", f"'{path}' is no archive", "name a folder, a .tar.zst or a .zip")
    from envtree.system.archive.members import members  # noqa: PLC0415 -- a folder needs none of it

    return next((one.data for one in members(path) if one.path == disk.MANIFEST), None)


def _artifacts(part: Part) -> Iterator[Artifact]:
    found = _in_folder(part) if part.path.is_dir() else _in_archive(part)
    seen, records = set(), dict(part.manifest.bundles)
    for id, files in found:
        record = records[id]
        whole = tuple((name, data) for name, data in files if data is not None)
        artifact = Artifact(id, record.folder, record.digest, whole)
        if artifact.record() != record or len(whole) != len(files):
            raise _changed(part, id)
        seen.add(id)
        yield artifact
    for id in part.manifest.bundles:
        if id not in seen:
            raise _changed(part, id)


def _in_folder(part: Part) -> Iterator[tuple[str, list[_File]]]:
    for id in sorted(part.manifest.bundles, key=_order):
        record = part.manifest.bundles[id]
        yield id, [(name, _read(part.path, f"{record.folder}/{name}")) for name in record.files]


def _in_archive(part: Part) -> Iterator[tuple[str, list[_File]]]:
    from envtree.system.archive.members import members  # noqa: PLC0415 -- as above

    owners = {record.folder: id for id, record in part.manifest.bundles.items()}
    placed = ((*one.path.rpartition("/")[::2], one.data) for one in members(part.path))
    for folder, group in groupby(placed, key=lambda one: one[0]):
        if folder in owners:
            yield owners[folder], [(name, data) for _, name, data in group]


def _read(root: Path, path: str) -> bytes | None:
    try:
        return disk.read(f"{root}/{path}")
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            return None
        raise Failure("ET805", f"'{root}/{path}' cannot be read: {reason(error)}") from None


def _changed(part: Part, id: str) -> Refusal:
    hint = f"'envtree verify {part.path}' says in what; fetch the output again, or compile it again"
    return Refusal("ET631", f"bundle '{id}' in '{part.path}' is not as it was compiled", hint)


def _order(id: str) -> tuple[str, str, str, str]:
    """Where a bundle comes in a run: project by project, and in it environment by environment."""
    path, _, environment = id.partition("@")
    project, _, inside = path.partition("/")
    team, _, agent = inside.rpartition("/")
    return project, environment, team, agent
