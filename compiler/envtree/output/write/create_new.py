"""A new output: built whole in a sibling folder, and renamed."""

import os
from contextlib import suppress

from envtree.model.artifact import Artifact, Manifest, Output
from envtree.model.manifest_records import Trace
from envtree.output.write.lock import empty
from envtree.output.write.staged import Staged
from envtree.system import disk
from envtree.system.signals import committing


class Fresh:
    """Fills `home`, which becomes the output `path`."""

    def __init__(self, home: str, path: str, output: Output) -> None:
        self._home = home
        self._path = path
        self._file_bits = disk.FILE_BITS[output.mode]
        self._folder_bits = disk.FOLDER_BITS[output.mode]
        self._folders = {""}
        self._exact = False
        self._output = output

    def begin(self, _: Trace | None) -> tuple[Manifest, bool]:
        """Remove what a killed run left; gives the manifest before this run, an empty one that nobody knows."""
        empty(self._home)
        self._folders = {""}
        # Somebody else may have made the folder, a checkout for one.
        os.chmod(self._home, disk.FOLDER_BITS["plain"])
        # To set the permissions of each file and folder takes a tenth of the time that all of it takes to be made.
        self._exact = disk.is_exact(self._home, self._file_bits, self._folder_bits)
        if self._output.mode == "plain":
            self._write(disk.IGNORE, disk.IGNORE_TEXT)
        return Manifest(self._output.edition, self._output.mode, {}), False

    def part(self, number: int) -> "Fresh":
        """One of several that fill it, each with bundles of its own."""
        return self

    def staged(self) -> Staged:
        """What the one that commits has to know: all of it lies where it belongs."""
        return Staged()

    def add(self, staged: Staged) -> None:
        """Take over what another one has put there."""

    def put(self, artifact: Artifact) -> None:
        """Write one bundle."""
        self._make(artifact.folder)
        for name, data in artifact.files:
            self._write(f"{artifact.folder}/{name}", data)

    def commit(self, manifest: Manifest) -> None:
        """Make the output appear."""
        disk.create_of(f"{self._home}/{disk.MANIFEST}", manifest.pieces(), self._file_bits)
        with committing():
            os.chmod(self._home, self._folder_bits)
            os.rename(self._home, self._path)

    def discard(self) -> None:
        """Remove what was not committed."""
        if os.path.lexists(self._home):
            empty(self._home)

    def _write(self, path: str, data: bytes) -> None:
        disk.create(f"{self._home}/{path}", data, self._file_bits, exact=self._exact)

    def _make(self, folder: str) -> None:
        if folder not in self._folders:
            self._make(folder.rpartition("/")[0])
            # Another process may have made it, for a bundle of the same environment.
            with suppress(FileExistsError):
                disk.create_folder(f"{self._home}/{folder}", self._folder_bits, exact=self._exact)
            self._folders.add(folder)
