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
    """The differing paths of some artifacts, their records, and the folders that were visited."""

    differing: list[str]
    records: WrittenRecords
    visited_folders: list[tuple[str, int | None]]


def compare(
    artifacts: Iterable[Artifact],
    output: Output,
    sharded_artifacts: ShardedArtifacts | None = None,
    *,
    is_tracked: Callable[[Path], bool] = is_git_tracked,
) -> list[str]:
    """Return the sorted paths that a run would write, restrict or remove; a folder ends in `/`.

    Paths are relative to the output. The artifacts come from `artifacts`, or from `sharded_artifacts`. If the latter
    does not produce all of them, the result is meaningless.
    """
    disk_now = _OutputOnDisk(output_path(output, is_tracked), output)
    with disk.translate_os_errors(output.folder):
        old = disk.load_manifest(disk_now.root, output.mode, output.edition)
    if sharded_artifacts:
        parts = sharded_artifacts(lambda _, artifacts: _compare_part(artifacts, disk_now, old, output)) or []
    else:
        parts = [_compare_part(artifacts, disk_now, old, output)]
    differing = [path for part in parts for path in part.differing]
    disk_now.add_visited(folder for part in parts for folder in part.visited_folders)
    new = output.next_manifest(old, WrittenRecords.concatenate(part.records for part in parts))
    differing.extend(path for id in old.removed_ids(new) for path in old.paths(id))
    # A receipt is only compared if this run makes one.
    manifest = new if output.receipt else new._replace(receipt=old.receipt)
    with disk.translate_os_errors(output.folder):
        differing.extend(disk_now.differing_files("", {disk.MANIFEST_FILE: b"".join(manifest.pieces())}))
        differing.extend(disk_now.differing_protection())
    return sorted(differing)


def _compare_part(
    artifacts: Iterable[Artifact], disk_now: "_OutputOnDisk", old: Manifest, output: Output
) -> _ComparedPart:
    differing: list[str] = []

    def compared_artifacts() -> Iterator[Artifact]:
        for artifact in artifacts:
            files = {f"{artifact.folder}/{name}": data for name, data in artifact.files}
            with disk.translate_os_errors(output.folder):
                differing.extend(disk_now.differing_files(artifact.folder, files))
            differing.extend(path for path in old.paths(artifact.id) if path not in files)
            yield artifact

    return _ComparedPart(differing, WrittenRecords.from_artifacts(compared_artifacts()), disk_now.visited_folders())


def compare_archives(
    artifacts: Iterable[Artifact],
    outputs: Mapping[str, Output],
    consume: Callable[[Iterable[Artifact]], list[str]],
    *,
    is_tracked: Callable[[Path], bool] = is_git_tracked,
) -> list[str]:
    """Return the archives that a run would change, after the paths that `consume` reports for the same artifacts.

    See `pack` for the keys of `outputs`.
    """
    paths = {name: archive_path(output, is_tracked) for name, output in outputs.items()}
    streams = {name: BytesIO() for name in outputs}
    writers = {name: ArchiveWriter(streams[name], output) for name, output in outputs.items()}
    differing = consume(archive_artifacts(artifacts, writers))
    for name, output in outputs.items():
        writers[name].finish()
        with disk.translate_os_errors(output.folder):
            state = disk.compare_file(paths[name], streams[name].getvalue(), disk.FILE_BITS[output.mode])
        if state is not FileState.SAME:
            differing.append(str(output.folder))
    return differing


class _OutputOnDisk:
    """The output on disk, as a run would find it."""

    def __init__(self, root: str, output: Output) -> None:
        self.root = root
        self._is_plain = output.mode == "plain"
        self._folders = disk.FolderPermissions(root)

    def differing_files(self, folder: str, files: dict[str, bytes]) -> Iterator[str]:
        """Yield the files of a folder that are missing or differ, in content or permissions."""
        missing = self._folders.bits(folder) is None
        bits = disk.FILE_BITS["plain"] if self._is_plain else None
        for path, data in files.items():
            if missing or disk.compare_file(f"{self.root}/{path}", data, bits) is not FileState.SAME:
                yield path

    def visited_folders(self) -> list[tuple[str, int | None]]:
        """Return the folders visited so far, with their permissions."""
        return self._folders.all_bits()

    def add_visited(self, folders: Iterable[tuple[str, int | None]]) -> None:
        """Add folders that another process has visited."""
        self._folders.update(folders)

    def differing_protection(self) -> Iterator[str]:
        """Yield the `.gitignore` of plain output if it differs, and the folders that are open to other users."""
        differs = any(self.differing_files("", {disk.IGNORE_FILE: disk.IGNORE_TEXT}))
        if differs == self._is_plain:
            yield disk.IGNORE_FILE
        for folder in self._folders.differing_folders(disk.FOLDER_BITS["plain"]) if self._is_plain else ():
            yield f"{folder or '.'}/"
