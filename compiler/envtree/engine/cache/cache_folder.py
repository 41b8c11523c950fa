"""The cache folder: private to its user, with entries that are written atomically and verified when read."""

import hashlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

# Changes with the format of entries.
_HEADER = b"envtree cache 2\n"
_DIGEST_SIZE = 32
_SALT_NAME = "salt"
_MAX_FILES = 2000
_MAX_BYTES = 1 << 30


class CacheFolder:
    """Entries by name; concurrent writers never leave a partial entry."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, name: str) -> bytes | None:
        """Return the entry under a name, or None if this version of envtree has not written one for this user."""
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            os.close(descriptor)
            return None
        with open(descriptor, "rb") as file:
            head, digest, body = file.read(len(_HEADER)), file.read(_DIGEST_SIZE), file.read()
        return body if head == _HEADER and hashlib.sha256(body).digest() == digest else None

    def write(self, name: str, body: bytes) -> None:
        """Store an entry under a name; ignore an error of the system."""
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
        """Remove all entries, and return their number."""
        names = [entry.name for entry in self._entries()]
        for name in names:
            with suppress(FileNotFoundError):
                os.unlink(self.path / name)
        return sum(not name.startswith(".") and name != _SALT_NAME for name in names)

    def load_salt(self) -> bytes:
        """Return the random salt of this folder, created on first use; names hashed with it reveal nothing."""
        for _ in range(2):
            salt = self.read(_SALT_NAME)
            if salt is not None:
                return salt
            self.write(_SALT_NAME, secrets.token_bytes(32))
        return secrets.token_bytes(32)

    def _entries(self) -> list[os.DirEntry[str]]:
        with suppress(OSError), os.scandir(self.path) as scan:
            return [entry for entry in scan if entry.is_file(follow_symlinks=False)]
        return []

    def _stat_entries(self) -> Iterator[tuple[os.stat_result, str]]:
        for entry in self._entries():
            # Another process may have renamed or removed the file by now.
            with suppress(FileNotFoundError):
                yield entry.stat(follow_symlinks=False), entry.name

    def evict_oldest(self) -> None:
        """Remove the least recently written entries while the folder exceeds its limits."""
        entries = sorted(self._stat_entries(), key=_modified_time)
        size, count = sum(status.st_size for status, _ in entries), len(entries)
        for status, name in entries:
            if count <= _MAX_FILES and size <= _MAX_BYTES:
                break
            if name != _SALT_NAME:
                with suppress(FileNotFoundError):
                    os.unlink(self.path / name)
                size, count = size - status.st_size, count - 1


def _modified_time(entry: tuple[os.stat_result, str]) -> tuple[int, str]:
    return entry[0].st_mtime_ns, entry[1]


def find_cache_folder(environ: Mapping[str, str]) -> CacheFolder | None:
    """Return the cache folder of this user, created if needed, or None if no private one is possible."""
    base = environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        home = environ.get("HOME", "")
        base = f"{home}/.cache" if os.path.isabs(home) else ""
    path = Path(base, "envtree")
    with suppress(OSError):
        if base:
            os.makedirs(path, 0o700, exist_ok=True)
            status = os.lstat(path)
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077:
                return CacheFolder(path)
    return None
