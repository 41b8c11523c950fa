"""An existing output: differing files are staged inside it, and moved into place when the run succeeds."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from copy import copy
from itertools import count

from envtree.model.artifact import Artifact, Manifest, Output
from envtree.model.diagnostic import RefusedError
from envtree.model.manifest_records import ManifestDigest
from envtree.output.write.journal import Journal
from envtree.output.write.staged_changes import StagedChanges
from envtree.system import disk
from envtree.system.disk import FileState
from envtree.system.signals import defer_during_commit

# How many files a shard may stage: shards number their staged files from different starts.
_NAMES_PER_SHARD = 1 << 40


class ExistingOutput:
    """Replaces and removes files of the selected bundles below `root`."""

    def __init__(self, root: str, output: Output) -> None:
        self._root = root
        self._output = output
        self._is_plain = output.mode == "plain"
        self._staging = f"{root}/{disk.STAGING_FOLDER}"
        self._old = Manifest(output.edition, output.mode, {})
        self._old_digest: ManifestDigest | None = None
        self._reset()

    def _reset(self) -> None:
        self._folders = disk.FolderPermissions(self._root)
        self._journal = Journal(self._output.mode, [], [])
        self._names = count()

    def begin(self, known_digest: ManifestDigest | None) -> tuple[Manifest, bool]:
        """Return the manifest before this run, and whether it is the one with the known digest."""
        self._reset()
        matching = disk.load_matching_manifest(self._root, known_digest) if known_digest else None
        self._old = matching or disk.load_manifest(self._root, self._output.mode, self._output.edition)
        self._old_digest = known_digest if matching else None
        _check_same_mode(self._old, self._output)
        self._update_ignore_file()
        return self._old, matching is not None

    def shard(self, number: int) -> "ExistingOutput":
        """Return the writer for one of several processes, each with its own bundles, after what is staged so far."""
        shard = copy(self)
        shard._folders = disk.FolderPermissions(self._root)
        shard._folders.update(self._folders.all_bits())
        shard._journal, shard._names = Journal(self._output.mode, [], []), count((number + 1) * _NAMES_PER_SHARD)
        return shard

    def staged_changes(self) -> StagedChanges:
        """Return the changes for the process that commits."""
        moves, removals = self._journal.moves, self._journal.removals
        return StagedChanges(tuple(moves), tuple(removals), tuple(self._folders.all_bits()))

    def merge_staged(self, staged: StagedChanges) -> None:
        """Add the changes that another process has staged."""
        self._journal.moves.extend(staged.moves)
        self._journal.removals.extend(staged.removals)
        self._folders.update(staged.folders)

    def add_artifact(self, artifact: Artifact) -> None:
        """Stage the differing files of one bundle."""
        owned = self._old.paths(artifact.id)
        paths = [f"{artifact.folder}/{name}" for name, _ in artifact.files]
        missing = self._folders.bits(artifact.folder) is None
        for path, (_, data) in zip(paths, artifact.files, strict=True):
            self._stage_file(path, data, FileState.MISSING if missing else self._file_state(path, data), owned)
        self._journal.removals.extend(path for path in owned if path not in paths)

    def commit(self, manifest: Manifest) -> None:
        """Move the staged files into place; signals are deferred, so that the output is either old or new."""
        for id in self._old.removed_ids(manifest):
            self._journal.removals.extend(self._old.paths(id))
        for path in self._journal.removals:
            self._folders.bits(path.rpartition("/")[0])
        differs = self._manifest_differs(manifest)
        if differs:
            self._write_staged(disk.MANIFEST_FILE, manifest.pieces())
        with defer_during_commit():
            self._restrict_folders()
            if differs or self._journal.moves or self._journal.removals:
                self._create_staging()
                self._journal.commit(self._root)

    def discard(self) -> None:
        """Remove the staged files, unless a commit has begun: then the next run finishes it."""
        if not os.path.lexists(f"{self._root}/{disk.JOURNAL_FILE}"):
            shutil.rmtree(self._staging, ignore_errors=True)

    def _manifest_differs(self, manifest: Manifest) -> bool:
        """Return whether the manifest must be written; compare digests first, as encoding a large one is slow."""
        if manifest.bundles.project_texts != self._old.bundles.project_texts:
            return True
        if self._old_digest and self._old_digest == manifest.compute_digest():
            return (
                self._is_plain
                and disk.read_permissions(f"{self._root}/{disk.MANIFEST_FILE}") != disk.FILE_BITS["plain"]
            )
        return self._file_state(disk.MANIFEST_FILE, b"".join(manifest.pieces())) is not FileState.SAME

    def _update_ignore_file(self) -> None:
        if self._is_plain:
            owned = [disk.IGNORE_FILE] if self._old.bundles.project_texts and self._old.mode == "plain" else []
            self._stage_file(
                disk.IGNORE_FILE, disk.IGNORE_TEXT, self._file_state(disk.IGNORE_FILE, disk.IGNORE_TEXT), owned
            )
        elif disk.compare_file(f"{self._root}/{disk.IGNORE_FILE}", disk.IGNORE_TEXT) is FileState.SAME:
            self._journal.removals.append(disk.IGNORE_FILE)

    def _file_state(self, path: str, data: bytes) -> FileState:
        return disk.compare_file(f"{self._root}/{path}", data, disk.FILE_BITS["plain"] if self._is_plain else None)

    def _stage_file(self, path: str, data: bytes, state: FileState, owned: list[str]) -> None:
        if state is FileState.SAME:
            return
        full = f"{self._root}/{path}"
        # A file with the same bytes may be replaced, as only its permissions differ.
        if state is FileState.DIFFERENT and path not in owned and disk.compare_file(full, data) is not FileState.SAME:
            raise RefusedError(
                "ET806",
                f"'{full}' exists and is not a file that envtree wrote",
                "move it away, or choose another output folder",
            )
        name = str(next(self._names))
        self._write_staged(name, (data,))
        self._journal.moves.append((name, path))

    def _write_staged(self, name: str, pieces: Iterable[bytes]) -> None:
        self._create_staging()
        disk.create_file_from_pieces(f"{self._staging}/{name}", pieces, disk.FILE_BITS[self._output.mode])

    def _create_staging(self) -> None:
        if os.path.lexists(self._staging):
            return
        # Another process may have created it first.
        with suppress(FileExistsError):
            disk.create_folder(self._staging, disk.FOLDER_BITS["plain"])
            # The output may have no .gitignore yet, and a killed run leaves the staging folder behind.
            disk.create_file(f"{self._staging}/{disk.IGNORE_FILE}", disk.IGNORE_TEXT, disk.FILE_BITS["plain"])

    def _restrict_folders(self) -> None:
        # Permissions are only ever restricted: a user who restricted them further had a reason.
        bits = disk.FOLDER_BITS["plain"]
        for folder in self._folders.differing_folders(bits) if self._is_plain else ():
            os.chmod(f"{self._root}/{folder}", bits)


def _check_same_mode(old: Manifest, output: Output) -> None:
    if (old.mode, old.edition) == (output.mode, output.edition):
        return
    if not all(map(output.is_selected, old.bundles)):
        raise RefusedError(
            "ET806",
            f"the output '{output.folder}' holds bundles in mode '{old.mode}' of edition {old.edition} "
            "that this selection would leave",
            "compile all bundles, or choose another output folder",
        )
