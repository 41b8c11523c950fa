"""Look into an archive that somebody has given us: its files in their order, and never onto the disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason

# Whoever made the archive chose how much comes out of it.
_MAX_MEMBER_SIZE = 1 << 30
_MAX_WINDOW_SIZE = 1 << 27
_CHUNK = 1 << 20
_UNSUPPORTED_MEMBER = "it is no regular file, or too large"

# A frame of Zstandard begins with four bytes, and the next one has flags.
_FLAGS_OFFSET, _CHECKSUM_FLAG, _CHECKSUM_SIZE, _HEADER_SIZE = 4, 4, 4, 10


class ArchiveMember(NamedTuple):
    """One entry; without `data` it cannot be what envtree has packed, and `fault` says why."""

    path: str
    data: bytes | None
    problem: str = ""


def read_members(path: Path) -> Iterator[ArchiveMember]:
    """The files of an archive and what is neither file nor folder; a Refusal if it is none, or ends too early.

    A checksum that is wrong keeps nothing from being read: which file was changed is what somebody wants to know.
    """
    last = ""
    try:
        for one in _read_zip(path) if path.name.endswith(".zip") else _read_tar(path):
            last = one.path or last
            yield one
    except (tarfile.TarError, zipfile.BadZipFile, zstandard.ZstdError, EOFError, ValueError):
        where = f"behind '{last}'" if last else "from its beginning"
        raise RefusedError("ET631", f"'{path}' is damaged {where}", "fetch it again, or compile it again") from None
    except (RuntimeError, NotImplementedError):
        raise RefusedError(
            "ET631", f"'{path}' is packed in a way that envtree never packs", "compile it again"
        ) from None
    except OSError as error:
        raise MachineError("ET805", f"'{path}' cannot be read: {os_error_reason(error)}") from None


def _read_tar(path: Path) -> Iterator[ArchiveMember]:
    packed = path.read_bytes()
    with _open_zstd(_strip_checksum(packed)) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for one in tar:
            if not one.isdir():
                kept = tar.extractfile(one) if one.isreg() and one.size <= _MAX_MEMBER_SIZE else None
                yield (
                    ArchiveMember(one.name, kept.read()) if kept else ArchiveMember(one.name, None, _UNSUPPORTED_MEMBER)
                )
    if not _has_valid_checksum(packed):
        yield ArchiveMember(path.name, None, "its checksum is wrong")


def _open_zstd(packed: bytes) -> zstandard.ZstdDecompressionReader:
    return zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_SIZE).stream_reader(packed)


def _strip_checksum(packed: bytes) -> bytes:
    """The same frame without its checksum, which stands at the end if a bit of the header says so."""
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
        for one in archive.infolist():
            if one.is_dir():
                continue
            # The upper half are the permissions on Unix, and what it is.
            is_file = (one.external_attr >> 16) & 0o170000 in (0, 0o100000)
            if not is_file or one.file_size > _MAX_MEMBER_SIZE:
                yield ArchiveMember(one.filename, None, _UNSUPPORTED_MEMBER)
                continue
            try:
                yield ArchiveMember(one.filename, archive.read(one))
            except (zipfile.BadZipFile, zlib.error, EOFError):
                yield ArchiveMember(one.filename, None, "its checksum is wrong")
