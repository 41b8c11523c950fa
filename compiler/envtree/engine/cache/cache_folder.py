"""The folder of the cache: only its user reads and writes it, and what is not whole is not there."""

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

# What is kept has another form when this changes.
_HEADER = b"envtree cache 2\n"
_DIGEST_SIZE = 32
_SALT_NAME = "salt"
_MAX_FILES = 2000
_MAX_BYTES = 1 << 30


class CacheFolder:
    """Entries by name; each is whole or not there, whoever writes at the same time."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes | None:
        """What is kept under a name, None if that is nothing which this version of envtree wrote for this user."""
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
                return None
            head, digest, body = file.read(len(_HEADER)), file.read(_DIGEST_SIZE), file.read()
        return body if head == _HEADER and hashlib.sha256(body).digest() == digest else None

    def write(self, name: str, body: bytes) -> None:
        """Keep something under a name, if that can be done at all."""
        draft = self.path / f".{secrets.token_hex(8)}"
        with suppress(OSError):
            try:
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
                with open(descriptor, "wb") as file:
                    file.writelines((_HEADER, hashlib.sha256(body).digest(), body))
                os.rename(draft, self.path / name)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(draft)

    def clear(self) -> int:
        """Remove everything that is kept; how many entries there were."""
        names = [entry.name for entry in self._entries()]
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(self.path / name)
        return sum(not name.startswith(".") and name != _SALT_NAME for name in names)

    def load_salt(self) -> bytes:
        """A random text that is the same from run to run, and nobody else's: names made with it tell nothing."""
        for _ in range(2):
            kept = self.read(_SALT_NAME)
            if kept is not None:
                return kept
            self.write(_SALT_NAME, secrets.token_bytes(32))
        return secrets.token_bytes(32)

    def _entries(self) -> list[os.DirEntry[str]]:
        with suppress(OSError), os.scandir(self.path) as scan:
            return [entry for entry in scan if entry.is_file(follow_symlinks=False)]
        return []

    def _stat_entries(self) -> Iterator[tuple[os.stat_result, str]]:
        for entry in self._entries():
            # Another process may have renamed or removed it by now.
            with suppress(FileNotFoundError):
                yield entry.stat(follow_symlinks=False), entry.name

    def evict_oldest(self) -> None:
        """Remove what has not been written for the longest time, if there is too much."""
        found = sorted(self._stat_entries(), key=_modified_time)
        size, count = sum(each.st_size for each, _ in found), len(found)
        for each, name in found:
            if count <= _MAX_FILES and size <= _MAX_BYTES:
                break
            if name != _SALT_NAME:
                with suppress(FileNotFoundError):
                    os.unlink(self.path / name)
                size, count = size - each.st_size, count - 1


def _modified_time(found: tuple[os.stat_result, str]) -> tuple[int, str]:
    return found[0].st_mtime_ns, found[1]


def find_cache_folder(environ: Mapping[str, str]) -> CacheFolder | None:
    """The cache of this user, made if need be; None where there can be none that only they can write."""
    base = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        home = environ.get("HOME", "")
        base = f"{home}/.cache" if os.path.isabs(home) else ""
    path = Path(base, "envtree")
    with suppress(OSError):
        if base:
            os.makedirs(path, 0o700, exist_ok=True)
            found = os.lstat(path)
            if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077:
                return CacheFolder(path)
    return None
