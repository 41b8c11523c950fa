"""An output as an archive: packed into a draft beside its path, and renamed when the run succeeds."""

import fcntl
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from envtree.model.artifact import Output
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.output.destination_checks import archive_path
from envtree.system import disk
from envtree.system.archive import ArchiveWriter

# Time between attempts to take the lock, in seconds.
_POLL_SECONDS = 0.02


class ArchiveDraft:
    """An archive in progress: a locked draft file that becomes the archive when it is renamed."""

    def __init__(self, stream: BinaryIO, draft: str, path: str, output: Output) -> None:
        self._stream, self._draft, self._path, self._output = stream, draft, path, output
        self.writer = ArchiveWriter(stream, output)

    def finish(self) -> None:
        """Complete the content and permissions of the draft, so that only the rename remains."""
        with disk.translate_os_errors(self._output.folder):
            self.writer.finish()
            self._stream.flush()
            os.fchmod(self._stream.fileno(), disk.FILE_BITS[self._output.mode])

    def commit(self) -> None:
        """Rename the draft to the archive, replacing an existing one."""
        with disk.translate_os_errors(self._output.folder):
            os.replace(self._draft, self._path)

    def discard(self) -> None:
        """Remove the draft unless it has become the archive."""
        if _is_same_file(self._stream.fileno(), self._draft):
            with suppress(OSError):
                self.writer.close()
            os.unlink(self._draft)


@contextmanager
def open_archive_draft(output: Output, is_tracked: Callable[[Path], bool], wait: float) -> Iterator[ArchiveDraft]:
    """Open a draft of an archive; it is removed unless it is committed."""
    path = archive_path(output, is_tracked)
    folder, name = os.path.split(path)
    draft = f"{folder}/.{name}.envtree"
    with disk.translate_os_errors(output.folder):
        os.makedirs(folder, exist_ok=True)
        fd = _lock_draft(draft, path, wait)
        # A killed run may have left content in it.
        os.ftruncate(fd, 0)
    with os.fdopen(fd, "w+b") as stream:
        archive = ArchiveDraft(stream, draft, path, output)
        try:
            yield archive
        finally:
            archive.discard()


def _lock_draft(draft: str, path: str, wait: float) -> int:
    deadline = time.monotonic() + wait
    while True:
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        try:
            _check_draft_owner(fd, draft)
            with suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The previous holder may have renamed the file that we opened to its archive.
                if _is_same_file(fd, draft):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        if time.monotonic() >= deadline:
            raise MachineError("ET804", f"another run is writing to '{path}'", "wait for it to end, then run again")
        time.sleep(_POLL_SECONDS)


def _check_draft_owner(fd: int, draft: str) -> None:
    """Refuse a draft that another user could read or change, or that is a hard link to another file."""
    status = os.fstat(fd)
    is_shared = status.st_uid != os.geteuid() or status.st_nlink > 1 or status.st_mode & 0o077
    if not stat.S_ISREG(status.st_mode) or is_shared:
        raise RefusedError("ET806", f"'{draft}' is in the way of the archive", "move it away")


def _is_same_file(fd: int, path: str) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    return False
