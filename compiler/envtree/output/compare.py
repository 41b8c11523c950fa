"""Compare bundles with an output folder, for `compile --check`: nothing is written."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from envtree.model.artifact import Artifact, Manifest, Output, ShardedArtifacts, WrittenRecords
from envtree.output.destination_checks import archive_path, output_path
from envtree.system import disk
from envtree.system.archive import ArchiveWriter, archive_artifacts
from envtree.system.disk import FileState
from envtree.system.git import is_git_tracked


class _ComparedPart(NamedTuple):
    """How some artifacts differ, what they are, and the folders that were looked at."""

    differing: list[str]
    put: WrittenRecords
    visited_folders: list[tuple[str, int | None]]


def compare(
    artifacts: Iterable[Artifact],
    output: Output,
    sharded_artifacts: ShardedArtifacts | None = None,
    *,
    is_tracked: Callable[[Path], bool] = is_git_tracked,
) -> list[str]:
    """What a run would write, close to others or remove, relative to the output, sorted; a folder ends in `/`.

    The artifacts come in a stream, or `together`; if not all of these come, it means nothing.
    """
    disk_now = _OutputOnDisk(output_path(output, is_tracked), output)
    with disk.translate_os_errors(output.folder):
        old = disk.load_manifest(disk_now.root, output.mode, output.edition)
    if sharded_artifacts:
        parts = sharded_artifacts(lambda _, artifacts: _compare_part(artifacts, disk_now, old, output)) or []
    else:
        parts = [_compare_part(artifacts, disk_now, old, output)]
    found = [path for part in parts for path in part.differing]
    disk_now.add_visited(folder for part in parts for folder in part.visited_folders)
    new = output.next_manifest(old, WrittenRecords.concatenate(part.put for part in parts))
    found.extend(path for id in old.removed_ids(new) for path in old.paths(id))
    # Where the bundles come from is only asked about if somebody asks.
    manifest = new if output.receipt else new._replace(receipt=old.receipt)
    with disk.translate_os_errors(output.folder):
        found.extend(disk_now.differing_files("", {disk.MANIFEST_FILE: b"".join(manifest.pieces())}))
        found.extend(disk_now.differing_protection())
    return sorted(found)


def _compare_part(
    artifacts: Iterable[Artifact], disk_now: "_OutputOnDisk", old: Manifest, output: Output
) -> _ComparedPart:
    found: list[str] = []

    def each() -> Iterator[Artifact]:
        for artifact in artifacts:
            files = {f"{artifact.folder}/{name}": data for name, data in artifact.files}
            with disk.translate_os_errors(output.folder):
                found.extend(disk_now.differing_files(artifact.folder, files))
            found.extend(path for path in old.paths(artifact.id) if path not in files)
            yield artifact

    return _ComparedPart(found, WrittenRecords.from_artifacts(each()), disk_now.visited_folders())


def compare_archives(
    artifacts: Iterable[Artifact],
    outputs: Mapping[str, Output],
    consume: Callable[[Iterable[Artifact]], list[str]],
    *,
    is_tracked: Callable[[Path], bool] = is_git_tracked,
) -> list[str]:
    """The same of archives, see `pack`, and of what the artifacts are compared with on their way onward."""
    paths = {name: archive_path(output, is_tracked) for name, output in outputs.items()}
    streams = {name: BytesIO() for name in outputs}
    packings = {name: ArchiveWriter(streams[name], output) for name, output in outputs.items()}
    found = consume(archive_artifacts(artifacts, packings))
    for name, output in outputs.items():
        packings[name].finish()
        with disk.translate_os_errors(output.folder):
            state = disk.compare_file(paths[name], streams[name].getvalue(), disk.FILE_BITS[output.mode])
        if state is not FileState.SAME:
            found.append(str(output.folder))
    return found


class _OutputOnDisk:
    """What is on disk, as a run would see it."""

    def __init__(self, root: str, output: Output) -> None:
        self.root = root
        self._is_plain = output.mode == "plain"
        self._folders = disk.FolderPermissions(root)

    def differing_files(self, folder: str, files: dict[str, bytes]) -> Iterator[str]:
        """The files of a folder that are missing or not as they should be."""
        missing = self._folders.bits(folder) is None
        bits = disk.FILE_BITS["plain"] if self._is_plain else None
        for path, data in files.items():
            if missing or disk.compare_file(f"{self.root}/{path}", data, bits) is not FileState.SAME:
                yield path

    def visited_folders(self) -> list[tuple[str, int | None]]:
        """The folders that were looked at, with their permissions."""
        return self._folders.all_bits()

    def add_visited(self, known: Iterable[tuple[str, int | None]]) -> None:
        """Take over what another process has looked at."""
        self._folders.update(known)

    def differing_protection(self) -> Iterator[str]:
        """The `.gitignore` that plain output has, and the folders that are open to others."""
        differs = any(self.differing_files("", {disk.IGNORE_FILE: disk.IGNORE_TEXT}))
        if differs == self._is_plain:
            yield disk.IGNORE_FILE
        for folder in self._folders.differing_folders(disk.FOLDER_BITS["plain"]) if self._is_plain else ():
            yield f"{folder or '.'}/"
