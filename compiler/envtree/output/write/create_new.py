"""A new output: built completely in a sibling folder, then renamed."""

import os
from contextlib import suppress

from envtree.model.artifact import Artifact, Manifest, Output
from envtree.model.manifest_records import ManifestDigest
from envtree.output.write.output_lock import clear_folder
from envtree.output.write.staged_changes import StagedChanges
from envtree.system import disk
from envtree.system.signals import defer_during_commit


class NewOutput:
    """Fills the folder `staging`, which becomes the output `path`."""

    def __init__(self, staging: str, path: str, output: Output) -> None:
        self._staging = staging
        self._path = path
        self._file_bits = disk.FILE_BITS[output.mode]
        self._folder_bits = disk.FOLDER_BITS[output.mode]
        self._folders = {""}
        self._is_exact = False
        self._output = output

    def begin(self, _: ManifestDigest | None) -> tuple[Manifest, bool]:
        """Remove the files of a killed run; return an empty previous manifest, and False as it is not the known one."""
        clear_folder(self._staging)
        self._folders = {""}
        # The folder may have been created by something else, such as a checkout.
        os.chmod(self._staging, disk.FOLDER_BITS["plain"])
        # Setting the permissions of each file and folder would take a tenth of the total time.
        self._is_exact = disk.has_exact_permissions(self._staging, self._file_bits, self._folder_bits)
        if self._output.mode == "plain":
            self._write(disk.IGNORE_FILE, disk.IGNORE_TEXT)
        return Manifest(self._output.edition, self._output.mode, {}), False

    def shard(self, number: int) -> "NewOutput":
        """Return the writer for one of several processes, each with its own bundles."""
        return self

    def staged_changes(self) -> StagedChanges:
        """Return the changes for the process that commits: none, as all files are in their final place."""
        return StagedChanges()

    def merge_staged(self, staged: StagedChanges) -> None:
        """Add the changes of another process: none."""

    def add_artifact(self, artifact: Artifact) -> None:
        """Write the files of one bundle."""
        self._make_folder(artifact.folder)
        for name, data in artifact.files:
            self._write(f"{artifact.folder}/{name}", data)

    def commit(self, manifest: Manifest) -> None:
        """Write the manifest and rename the folder to the output."""
        disk.create_file_from_pieces(f"{self._staging}/{disk.MANIFEST_FILE}", manifest.pieces(), self._file_bits)
        with defer_during_commit():
            os.chmod(self._staging, self._folder_bits)
            os.rename(self._staging, self._path)

    def discard(self) -> None:
        """Remove all files that were not committed."""
        if os.path.lexists(self._staging):
            clear_folder(self._staging)

    def _write(self, path: str, data: bytes) -> None:
        disk.create_file(f"{self._staging}/{path}", data, self._file_bits, exact=self._is_exact)

    def _make_folder(self, folder: str) -> None:
        if folder not in self._folders:
            self._make_folder(folder.rpartition("/")[0])
            # Another process may have created it for a bundle of the same environment.
            with suppress(FileExistsError):
                disk.create_folder(f"{self._staging}/{folder}", self._folder_bits, exact=self._is_exact)
            self._folders.add(folder)
