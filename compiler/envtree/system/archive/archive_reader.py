"""Read the files of an untrusted archive in order, without extracting to disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason

# Limits, because the author of an archive controls its decompressed size.
_MAX_MEMBER_SIZE = 1 << 30
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
    last_path = ""
    try:
        for member in _read_zip(path) if path.name.endswith(".zip") else _read_tar(path):
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


def _read_tar(path: Path) -> Iterator[ArchiveMember]:
    packed = path.read_bytes()
    with _open_zstd(_strip_checksum(packed)) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
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
            while stream.read(_CHUNK):
                pass
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
