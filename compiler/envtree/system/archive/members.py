"""Look into an archive that somebody has given us: its files in their order, and never onto the disk."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import zstandard

from envtree.model.diagnostic import Failure, Refusal, reason

# Whoever made the archive chose how much comes out of it.
_LARGEST = 1 << 30
_WINDOW = 1 << 27
_CHUNK = 1 << 20
_STRANGE = "it is no regular file, or too large"

# A frame of Zstandard begins with four bytes, and the next one has flags.
_FLAGS, _CHECKED, _CHECKSUM, _HEADER = 4, 4, 4, 10


class Member(NamedTuple):
    """One entry; without `data` it cannot be what envtree has packed, and `fault` says why."""

    path: str
    data: bytes | None
    fault: str = ""


def members(path: Path) -> Iterator[Member]:
    """The files of an archive and what is neither file nor folder; a Refusal if it is none, or ends too early.

    A checksum that is wrong keeps nothing from being read: which file was changed is what somebody wants to know.
    """
    last = ""
    try:
        for one in _zipped(path) if path.name.endswith(".zip") else _tarred(path):
            last = one.path or last
            yield one
    except (tarfile.TarError, zipfile.BadZipFile, zstandard.ZstdError, EOFError, ValueError):
        where = f"behind '{last}'" if last else "from its beginning"
        raise Refusal("ET631", f"'{path}' is damaged {where}", "fetch it again, or compile it again") from None
    except (RuntimeError, NotImplementedError):
        raise Refusal("ET631", f"'{path}' is packed in a way that envtree never packs", "compile it again") from None
    except OSError as error:
        raise Failure("ET805", f"'{path}' cannot be read: {reason(error)}") from None


def _tarred(path: Path) -> Iterator[Member]:
    packed = path.read_bytes()
    with _unpacked(_unchecked(packed)) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for one in tar:
            if not one.isdir():
                kept = tar.extractfile(one) if one.isreg() and one.size <= _LARGEST else None
                yield Member(one.name, kept.read()) if kept else Member(one.name, None, _STRANGE)
    if not _is_whole(packed):
        yield Member(path.name, None, "its checksum is wrong")


def _unpacked(packed: bytes) -> zstandard.ZstdDecompressionReader:
    return zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(packed)


def _unchecked(packed: bytes) -> bytes:
    """The same frame without its checksum, which stands at the end if a bit of the header says so."""
    if len(packed) < _HEADER or not packed[_FLAGS] & _CHECKED:
        return packed
    return packed[:_FLAGS] + bytes([packed[_FLAGS] & ~_CHECKED]) + packed[_FLAGS + 1 : -_CHECKSUM]


def _is_whole(packed: bytes) -> bool:
    try:
        with _unpacked(packed) as stream:
            while stream.read(_CHUNK):
                pass
    except zstandard.ZstdError:
        return False
    return True


def _zipped(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for one in archive.infolist():
            if one.is_dir():
                continue
            # The upper half are the permissions on Unix, and what it is.
            is_file = (one.external_attr >> 16) & 0o170000 in (0, 0o100000)
            if not is_file or one.file_size > _LARGEST:
                yield Member(one.filename, None, _STRANGE)
                continue
            try:
                yield Member(one.filename, archive.read(one))
            except (zipfile.BadZipFile, zlib.error, EOFError):
                yield Member(one.filename, None, "its checksum is wrong")
