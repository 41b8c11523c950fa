"""Read the files of an untrusted archive in order, without extracting to disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason

# Budgets, because the author of an archive controls its decompressed size; schema/README.md lists them.
_MAX_HEADER_SIZE = 1 << 20
_MAX_MEMBER_SIZE = 1 << 28
_MAX_MEMBERS = 2_000_000
_MAX_TOTAL_SIZE = 1 << 36
_MAX_WINDOW_SIZE = 1 << 27
_CHUNK = 1 << 20
_UNSUPPORTED_MEMBER = "it is no regular file, or too large"

# A frame of Zstandard begins with a magic number of four bytes, followed by a byte of flags.
_FLAGS_OFFSET, _CHECKSUM_FLAG, _CHECKSUM_SIZE, _HEADER_SIZE = 4, 4, 4, 10


class ArchiveMember(NamedTuple):
    """One entry; if `data` is None, envtree cannot have packed it, and `problem` is the reason."""

    path: str
    data: bytes | None
    problem: str = ""


def read_members(path: Path) -> Iterator[ArchiveMember]:
    """Yield the entries of an archive, except folders; raise RefusedError if it is no archive, or truncated.

    A wrong checksum does not stop the reading, so that the caller can find the file that was changed.
    """
    last_path, count, total_size = "", 0, 0
    try:
        for member in _read_zip(path) if path.name.endswith(".zip") else _read_tar(path):
            count, total_size = count + 1, total_size + len(member.data or b"")
            if count > _MAX_MEMBERS or total_size > _MAX_TOTAL_SIZE:
                message = f"'{path}' has more than {_MAX_MEMBERS} files, or more than {_MAX_TOTAL_SIZE >> 30} GiB"
                raise RefusedError("ET631", message, "pack fewer bundles, for instance one archive for each project")
            last_path = member.path or last_path
            yield member
    except (tarfile.TarError, zipfile.BadZipFile, zstandard.ZstdError, EOFError, ValueError):
        position = f"behind '{last_path}'" if last_path else "from its beginning"
        raise RefusedError("ET631", f"'{path}' is damaged {position}", "fetch it again, or compile it again") from None
    except (RuntimeError, NotImplementedError):
        raise RefusedError(
            "ET631", f"'{path}' is packed in a way that envtree never packs", "compile it again"
        ) from None
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be read: {os_error_reason(error)}") from None


# tarfile reads the content of these headers into memory.
_EXTENSION_TYPES = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)


class _BoundedTarInfo(tarfile.TarInfo):
    """A header whose long names and other extensions, which tarfile reads into memory, have a limit."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_BoundedTarInfo":
        info = super().frombuf(buf, encoding, errors)
        if info.type == tarfile.GNUTYPE_SPARSE or (info.type in _EXTENSION_TYPES and info.size > _MAX_HEADER_SIZE):
            raise tarfile.ReadError("a header that envtree never packs")
        return info

    def _refuse_sparse(self, *_: object) -> None:
        # The map of a sparse file is read into memory as well.
        raise tarfile.ReadError("a sparse file")

    _proc_gnusparse_00 = _proc_gnusparse_01 = _proc_gnusparse_10 = _refuse_sparse


def _read_tar(path: Path) -> Iterator[ArchiveMember]:
    packed = path.read_bytes()
    stream = _open_zstd(_strip_checksum(packed))
    with stream, tarfile.open(fileobj=stream, mode="r|", tarinfo=_BoundedTarInfo) as tar:
        for info in tar:
            if info.isdir():
                continue
            file = tar.extractfile(info) if info.isreg() and info.size <= _MAX_MEMBER_SIZE else None
            if file:
                yield ArchiveMember(info.name, file.read())
            else:
                yield ArchiveMember(info.name, None, _UNSUPPORTED_MEMBER)
    if not _has_valid_checksum(packed):
        yield ArchiveMember(path.name, None, "its checksum is wrong")


def _open_zstd(packed: bytes) -> zstandard.ZstdDecompressionReader:
    return zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_SIZE).stream_reader(packed)


def _strip_checksum(packed: bytes) -> bytes:
    """Return the same frame without its checksum, which is at its end if a flag of the header is set."""
    if len(packed) < _HEADER_SIZE or not packed[_FLAGS_OFFSET] & _CHECKSUM_FLAG:
        return packed
    return (
        packed[:_FLAGS_OFFSET]
        + bytes([packed[_FLAGS_OFFSET] & ~_CHECKSUM_FLAG])
        + packed[_FLAGS_OFFSET + 1 : -_CHECKSUM_SIZE]
    )


def _has_valid_checksum(packed: bytes) -> bool:
    try:
        with _open_zstd(packed) as stream:
            # The reader of the members has refused more than this.
            for _ in range(_MAX_TOTAL_SIZE // _CHUNK):
                if not stream.read(_CHUNK):
                    break
    except zstandard.ZstdError:
        return False
    return True


def _read_zip(path: Path) -> Iterator[ArchiveMember]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            # The upper 16 bits are the Unix file type and permissions.
            is_file = (info.external_attr >> 16) & 0o170000 in (0, 0o100000)
            if not is_file or info.file_size > _MAX_MEMBER_SIZE:
                yield ArchiveMember(info.filename, None, _UNSUPPORTED_MEMBER)
                continue
            try:
                yield ArchiveMember(info.filename, archive.read(info))
            except (zipfile.BadZipFile, zlib.error, EOFError):
                yield ArchiveMember(info.filename, None, "its checksum is wrong")
