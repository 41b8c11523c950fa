"""A new output: built whole in a sibling folder, and renamed."""

import os
from contextlib import suppress

from envtree.model.artifact import Artifact, Manifest, Output
from envtree.model.manifest_records import ManifestDigest
from envtree.output.write.output_lock import clear_folder
from envtree.output.write.staged_changes import StagedChanges
from envtree.system import disk
from envtree.system.signals import defer_during_commit


class NewOutput:
    """Fills `home`, which becomes the output `path`."""

    def __init__(self, staging: str, path: str, output: Output) -> None:
        self._staging = staging
        self._path = path
        self._file_bits = disk.FILE_BITS[output.mode]
        self._folder_bits = disk.FOLDER_BITS[output.mode]
        self._folders = {""}
        self._is_exact = False
        self._output = output

    def begin(self, _: ManifestDigest | None) -> tuple[Manifest, bool]:
        """Remove what a killed run left; gives the manifest before this run, an empty one that nobody knows."""
        clear_folder(self._staging)
        self._folders = {""}
        # Somebody else may have made the folder, a checkout for one.
        os.chmod(self._staging, disk.FOLDER_BITS["plain"])
        # To set the permissions of each file and folder takes a tenth of the time that all of it takes to be made.
        self._is_exact = disk.has_exact_permissions(self._staging, self._file_bits, self._folder_bits)
        if self._output.mode == "plain":
            self._write(disk.IGNORE_FILE, disk.IGNORE_TEXT)
        return Manifest(self._output.edition, self._output.mode, {}), False

    def shard(self, number: int) -> "NewOutput":
        """One of several that fill it, each with bundles of its own."""
        return self

    def staged_changes(self) -> StagedChanges:
        """What the one that commits has to know: all of it lies where it belongs."""
        return StagedChanges()

    def merge_staged(self, staged: StagedChanges) -> None:
        """Take over what another one has put there."""

    def add_artifact(self, artifact: Artifact) -> None:
        """Write one bundle."""
        self._make_folder(artifact.folder)
        for name, data in artifact.files:
            self._write(f"{artifact.folder}/{name}", data)

    def commit(self, manifest: Manifest) -> None:
        """Make the output appear."""
        disk.create_file_from_pieces(f"{self._staging}/{disk.MANIFEST_FILE}", manifest.pieces(), self._file_bits)
        with defer_during_commit():
            os.chmod(self._staging, self._folder_bits)
            os.rename(self._staging, self._path)

    def discard(self) -> None:
        """Remove what was not committed."""
        if os.path.lexists(self._staging):
            clear_folder(self._staging)

    def _write(self, path: str, data: bytes) -> None:
        disk.create_file(f"{self._staging}/{path}", data, self._file_bits, exact=self._is_exact)

    def _make_folder(self, folder: str) -> None:
        if folder not in self._folders:
            self._make_folder(folder.rpartition("/")[0])
            # Another process may have made it, for a bundle of the same environment.
            with suppress(FileExistsError):
                disk.create_folder(f"{self._staging}/{folder}", self._folder_bits, exact=self._is_exact)
            self._folders.add(folder)
