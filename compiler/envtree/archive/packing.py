"""Put an output into an archive: each file with the same date, no owner, and its permissions as in a folder."""

import io
import stat
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol

from envtree import disk
from envtree.artifact import Artifact, Manifest, Output, Record
from envtree.canonical import canonical

# The first moment that a zip can name; GNU tar warns of files from the beginning of time.
_DATE = (1980, 1, 1, 0, 0, 0)
_SECONDS = 315_532_800
# What the library makes of the same bytes at a level may differ from one of its releases to the next.
_LEVEL = 10
_UNIX, _DOS_FOLDER = 3, 0x10
_FILE, _FOLDER = b"0", b"5"


class _Writer(Protocol):
    def add(self, path: str, data: bytes | None, bits: int) -> None:
        """Add a file, or without data a folder."""

    def close(self) -> None:
        """Write what comes at the end."""


class Packing:
    """Fills an archive with artifacts as they come by; the manifest is of these alone, and comes last."""

    def __init__(self, stream: BinaryIO, output: Output) -> None:
        self._writer: _Writer = _Zip(stream) if output.folder.name.endswith(".zip") else _Tar(stream)
        self._output = output
        self._folders = {""}
        self._records: dict[str, Record] = {}
        if output.mode == "plain":
            self._add(disk.IGNORE, disk.IGNORE_TEXT)

    def through(self, artifacts: Iterable[Artifact]) -> Iterator[Artifact]:
        """The artifacts, each of which has been packed."""
        for artifact in artifacts:
            disk.check_inside(artifact.folder, [name for name, _ in artifact.files])
            self._records[artifact.id] = artifact.record()
            self._enter(artifact.folder)
            for name, data in artifact.files:
                self._add(f"{artifact.folder}/{name}", data)
            yield artifact

    def finish(self) -> Manifest:
        """Write what comes at the end."""
        empty = Manifest(self._output.edition, self._output.mode, {}, {})
        manifest = self._output.successor(empty, self._records)
        self._add(disk.MANIFEST, canonical(manifest.data()))
        self._writer.close()
        return manifest

    def abandon(self) -> None:
        """End the archive wherever it is: if left open it would be ended later, when its file has been closed."""
        self._writer.close()

    def _add(self, path: str, data: bytes) -> None:
        self._writer.add(path, data, disk.FILE_BITS[self._output.mode])

    def _enter(self, folder: str) -> None:
        if folder not in self._folders:
            self._enter(folder.rpartition("/")[0])
            self._folders.add(folder)
            self._writer.add(f"{folder}/", None, disk.FOLDER_BITS[self._output.mode])


class _Tar:
    """A tar behind Zstandard."""

    def __init__(self, stream: BinaryIO) -> None:
        import tarfile  # noqa: PLC0415 -- few runs make archives, and all would wait for these to load

        import zstandard  # noqa: PLC0415

        compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=0, write_checksum=True)
        self._stream = compressor.stream_writer(stream, closefd=False)
        self._tar = tarfile.TarFile(fileobj=self._stream, mode="w", format=tarfile.PAX_FORMAT)
        self._member, self._end = tarfile.TarInfo, zstandard.FLUSH_FRAME

    def add(self, path: str, data: bytes | None, bits: int) -> None:
        """Add a file, or without data a folder."""
        one = self._member(path.rstrip("/"))
        one.type = _FOLDER if data is None else _FILE
        one.size, one.mode, one.mtime = len(data or b""), bits, _SECONDS
        self._tar.addfile(one, io.BytesIO(data or b""))

    def close(self) -> None:
        """Write what comes at the end."""
        self._tar.close()
        self._stream.flush(self._end)


class _Zip:
    """A zip whose files are not compressed: what deflate makes of them differs from one library to the next."""

    def __init__(self, stream: BinaryIO) -> None:
        import zipfile  # noqa: PLC0415 -- as above

        self._member = zipfile.ZipInfo
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)

    def add(self, path: str, data: bytes | None, bits: int) -> None:
        """Add a file, or without data a folder."""
        one = self._member(path, _DATE)
        one.create_system = _UNIX
        one.external_attr = ((stat.S_IFDIR if data is None else stat.S_IFREG) | bits) << 16
        one.external_attr |= _DOS_FOLDER if data is None else 0
        self._zip.writestr(one, data or b"")

    def close(self) -> None:
        """Write what comes at the end."""
        self._zip.close()
