"""Compare bundles with an output folder, for `compile --check`: nothing is written."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from envtree.model.artifact import Artifact, Manifest, Output, Put, Together
from envtree.output.destination_checks import archive_path, output_path
from envtree.system import disk
from envtree.system.archive import Packing, through
from envtree.system.disk import State
from envtree.system.git import tracked


class _Looked(NamedTuple):
    """How some artifacts differ, what they are, and the folders that were looked at."""

    differing: list[str]
    put: Put
    folders: list[tuple[str, int | None]]


def compare(
    artifacts: Iterable[Artifact],
    output: Output,
    together: Together | None = None,
    *,
    is_tracked: Callable[[Path], bool] = tracked,
) -> list[str]:
    """What a run would write, close to others or remove, relative to the output, sorted; a folder ends in `/`.

    The artifacts come in a stream, or `together`; if not all of these come, it means nothing.
    """
    disk_now = _Found(output_path(output, is_tracked), output)
    with disk.errors(output.folder):
        old = disk.load_manifest(disk_now.root, output.mode, output.edition)
    if together:
        parts = together(lambda _, artifacts: _look(artifacts, disk_now, old, output)) or []
    else:
        parts = [_look(artifacts, disk_now, old, output)]
    found = [path for part in parts for path in part.differing]
    disk_now.add(folder for part in parts for folder in part.folders)
    new = output.successor(old, Put.joined(part.put for part in parts))
    found.extend(path for id in old.gone(new) for path in old.paths(id))
    # Where the bundles come from is only asked about if somebody asks.
    manifest = new if output.receipt else new._replace(receipt=old.receipt)
    with disk.errors(output.folder):
        found.extend(disk_now.differing("", {disk.MANIFEST: b"".join(manifest.pieces())}))
        found.extend(disk_now.own())
    return sorted(found)


def _look(artifacts: Iterable[Artifact], disk_now: "_Found", old: Manifest, output: Output) -> _Looked:
    found: list[str] = []

    def each() -> Iterator[Artifact]:
        for artifact in artifacts:
            files = {f"{artifact.folder}/{name}": data for name, data in artifact.files}
            with disk.errors(output.folder):
                found.extend(disk_now.differing(artifact.folder, files))
            found.extend(path for path in old.paths(artifact.id) if path not in files)
            yield artifact

    return _Looked(found, Put.of(each()), disk_now.known())


def compare_archives(
    artifacts: Iterable[Artifact],
    outputs: Mapping[str, Output],
    onward: Callable[[Iterable[Artifact]], list[str]],
    *,
    is_tracked: Callable[[Path], bool] = tracked,
) -> list[str]:
    """The same of archives, see `pack`, and of what the artifacts are compared with on their way onward."""
    paths = {name: archive_path(output, is_tracked) for name, output in outputs.items()}
    streams = {name: BytesIO() for name in outputs}
    packings = {name: Packing(streams[name], output) for name, output in outputs.items()}
    found = onward(through(artifacts, packings))
    for name, output in outputs.items():
        packings[name].finish()
        with disk.errors(output.folder):
            state = disk.state(paths[name], streams[name].getvalue(), disk.FILE_BITS[output.mode])
        if state is not State.SAME:
            found.append(str(output.folder))
    return found


class _Found:
    """What is on disk, as a run would see it."""

    def __init__(self, root: str, output: Output) -> None:
        self.root = root
        self._plain = output.mode == "plain"
        self._folders = disk.Folders(root)

    def differing(self, folder: str, files: dict[str, bytes]) -> Iterator[str]:
        """The files of a folder that are missing or not as they should be."""
        missing = self._folders.bits(folder) is None
        bits = disk.FILE_BITS["plain"] if self._plain else None
        for path, data in files.items():
            if missing or disk.state(f"{self.root}/{path}", data, bits) is not State.SAME:
                yield path

    def known(self) -> list[tuple[str, int | None]]:
        """The folders that were looked at, with their permissions."""
        return self._folders.known()

    def add(self, known: Iterable[tuple[str, int | None]]) -> None:
        """Take over what another process has looked at."""
        self._folders.add(known)

    def own(self) -> Iterator[str]:
        """The `.gitignore` that plain output has, and the folders that are open to others."""
        differs = any(self.differing("", {disk.IGNORE: disk.IGNORE_TEXT}))
        if differs == self._plain:
            yield disk.IGNORE
        for folder in self._folders.unlike(disk.FOLDER_BITS["plain"]) if self._plain else ():
            yield f"{folder or '.'}/"
