"""Write an output to an archive: each file with a fixed date, no owner, and the permissions of a folder output."""

import io
import stat
from collections.abc import Iterable, Iterator, Mapping
from typing import BinaryIO, Protocol

from envtree.model.artifact import Artifact, Manifest, Output, WrittenRecords
from envtree.model.manifest_records import ManifestRecord, ManifestRecords
from envtree.system import disk

# The earliest date that zip supports; GNU tar warns about files from the epoch.
_DATE = (1980, 1, 1, 0, 0, 0)
_SECONDS = 315_532_800
# The compressed bytes at a given level may differ between releases of the library.
_LEVEL = 10
_UNIX, _DOS_FOLDER = 3, 0x10
_FILE, _FOLDER = b"0", b"5"


class _MemberWriter(Protocol):
    def add(self, path: str, data: bytes | None, bits: int) -> None:
        """Add a file, or a folder if `data` is None."""

    def close(self) -> None:
        """Write the end of the archive."""


class ArchiveWriter:
    """Writes artifacts to an archive; the last member is a manifest of these artifacts only."""

    def __init__(self, stream: BinaryIO, output: Output) -> None:
        self._stream, self._output = stream, output
        # Created on first use: of many archives, only one is written at a time, and each writer needs some MB.
        self._writer: _MemberWriter | None = None
        self._is_finished = False
        self._folders = {""}
        self._records: dict[str, ManifestRecord] = {}

    def add(self, artifact: Artifact) -> None:
        """Add the files of an artifact."""
        disk.check_inside(artifact.folder, [name for name, _ in artifact.files])
        self._records[artifact.id] = artifact.to_record()
        writer = self._start()
        self._add_folder(writer, artifact.folder)
        for name, data in sorted(artifact.files):
            self._add_file(writer, f"{artifact.folder}/{name}", data)

    def finish(self) -> None:
        """Write the manifest and the end of the archive; further calls do nothing."""
        if self._is_finished:
            return
        whole_tree = self._records.pop("", None)
        records = WrittenRecords(ManifestRecords.from_records(self._records.items()), whole_tree)
        manifest = self._output.next_manifest(Manifest(self._output.edition, self._output.mode, {}), records)
        writer = self._start()
        self._add_file(writer, disk.MANIFEST_FILE, b"".join(manifest.pieces()))
        self._is_finished = True
        self.close()

    def close(self) -> None:
        """Close the writer in any state; left open, it would write its end later, after its file has been closed."""
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


def archive_artifacts(artifacts: Iterable[Artifact], writers: Mapping[str, ArchiveWriter]) -> Iterator[Artifact]:
    """Add each artifact to the archive of its project, or to the one with the empty name, and yield it.

    Artifacts must be grouped by project: an archive is finished when the next one begins.
    """
    last: ArchiveWriter | None = None
    for artifact in artifacts:
        writer = writers.get(artifact.project) or writers[""]
        if last and last is not writer:
            last.finish()
        last = writer
        writer.add(artifact)
        yield artifact


class _TarWriter:
    """Writes a tar archive compressed with Zstandard."""

    def __init__(self, stream: BinaryIO) -> None:
        import tarfile  # noqa: PLC0415 -- few runs write archives, and loading these takes time

        import zstandard  # noqa: PLC0415

        compressor = zstandard.ZstdCompressor(level=_LEVEL, threads=0, write_checksum=True)
        self._stream = compressor.stream_writer(stream, closefd=False)
        self._tar = tarfile.TarFile(fileobj=self._stream, mode="w", format=tarfile.PAX_FORMAT)
        self._member, self._end = tarfile.TarInfo, zstandard.FLUSH_FRAME

    def add(self, path: str, data: bytes | None, bits: int) -> None:
        """Add a file, or a folder if `data` is None."""
        info = self._member(path.rstrip("/"))
        info.type = _FOLDER if data is None else _FILE
        info.size, info.mode, info.mtime = len(data or b""), bits, _SECONDS
        self._tar.addfile(info, io.BytesIO(data or b""))

    def close(self) -> None:
        """Write the end of the archive."""
        self._tar.close()
        self._stream.flush(self._end)


class _ZipWriter:
    """Writes a zip archive without compression, because the output of deflate differs between libraries."""

    def __init__(self, stream: BinaryIO) -> None:
        import zipfile  # noqa: PLC0415 -- as above

        self._member = zipfile.ZipInfo
        self._zip = zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED)

    def add(self, path: str, data: bytes | None, bits: int) -> None:
        """Add a file, or a folder if `data` is None."""
        info = self._member(path, _DATE)
        info.create_system = _UNIX
        info.external_attr = ((stat.S_IFDIR if data is None else stat.S_IFREG) | bits) << 16
        info.external_attr |= _DOS_FOLDER if data is None else 0
        self._zip.writestr(info, data or b"")

    def close(self) -> None:
        """Write the end of the archive."""
        self._zip.close()
