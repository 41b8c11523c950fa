"""Put an output into an archive: each file with the same date, no owner, and its permissions as in a folder."""

import io
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, Protocol

from envtree.model.artifact import Artifact, Manifest, Output, WrittenRecords
from envtree.model.manifest_records import ManifestRecord, ManifestRecords
from envtree.system import disk

# The first moment that a zip can name; GNU tar warns of files from the beginning of time.
_DATE = (1980, 1, 1, 0, 0, 0)
_SECONDS = 315_532_800
# What the library makes of the same bytes at a level may differ from one of its releases to the next.
_LEVEL = 10
_UNIX, _DOS_FOLDER = 3, 0x10
_FILE, _FOLDER = b"0", b"5"


class _MemberWriter(Protocol):
    def add(self, path: str, data: bytes | None, bits: int) -> None:
        """Add a file, or without data a folder."""

    def close(self) -> None:
        """Write what comes at the end."""


class ArchiveWriter:
    """Fills an archive with artifacts; the manifest is of these alone, and comes last."""

    def __init__(self, stream: BinaryIO, output: Output) -> None:
        self._stream, self._output = stream, output
        # Of many archives only one is written at a time, and each takes some MB for it.
        self._writer: _MemberWriter | None = None
        self._is_finished = False
        self._folders = {""}
        self._records: dict[str, ManifestRecord] = {}

    def add(self, artifact: Artifact) -> None:
        """Pack the files of a bundle."""
        disk.check_inside(artifact.folder, [name for name, _ in artifact.files])
        self._records[artifact.id] = artifact.to_record()
        writer = self._start()
        self._add_folder(writer, artifact.folder)
        for name, data in sorted(artifact.files):
            self._add_file(writer, f"{artifact.folder}/{name}", data)

    def finish(self) -> None:
        """Write what comes at the end, once."""
        if self._is_finished:
            return
        whole = self._records.pop("", None)
        empty = Manifest(self._output.edition, self._output.mode, {})
        manifest = self._output.next_manifest(
            empty, WrittenRecords(ManifestRecords.from_records(self._records.items()), whole)
        )
        writer = self._start()
        self._add_file(writer, disk.MANIFEST_FILE, b"".join(manifest.pieces()))
        self._is_finished = True
        self.close()

    def close(self) -> None:
        """End the archive wherever it is: if left open it would be ended later, when its file has been closed."""
        if self._writer:
            self._writer.close()
        self._writer = None

    def _start(self) -> _MemberWriter:
        if self._writer is None:
            is_zip = self._output.folder.name.endswith(".zip")
            self._writer = _ZipWriter(self._stream) if is_zip else _TarWriter(self._stream)
            if self._output.mode == "plain":
                self._add_file(self._writer, disk.IGNORE_FILE, disk.IGNORE_TEXT)
        return self._writer

    def _add_file(self, writer: _MemberWriter, path: str, data: bytes) -> None:
        writer.add(path, data, disk.FILE_BITS[self._output.mode])

    def _add_folder(self, writer: _MemberWriter, folder: str) -> None:
        if folder not in self._folders:
            self._add_folder(writer, folder.rpartition("/")[0])
            self._folders.add(folder)
            writer.add(f"{folder}/", None, disk.FOLDER_BITS[self._output.mode])


def archive_artifacts(artifacts: Iterable[Artifact], packings: Mapping[str, ArchiveWriter]) -> Iterator[Artifact]:
    """The artifacts, each of which has been packed: into the archive of its project, or the one of the empty name.

    They come project by project, so that an archive is finished where the next one begins.
    """
    last: ArchiveWriter | None = None
    for artifact in artifacts:
        packing = packings.get(artifact.project) or packings[""]
        if last and last is not packing:
            last.finish()
        last = packing
        packing.add(artifact)
        yield artifact


class _TarWriter:
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


class _ZipWriter:
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
