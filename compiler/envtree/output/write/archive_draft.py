"""An output in one file: packed beside its place, and renamed once all is known to be right."""

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

_POLL = 0.02


class ArchiveDraft:
    """An archive in the making; its draft is locked, and becomes the archive by its name."""

    def __init__(self, stream: BinaryIO, draft: str, path: str, output: Output) -> None:
        self._stream, self._draft, self._path, self._output = stream, draft, path, output
        self.packing = ArchiveWriter(stream, output)

    def finish(self) -> None:
        """Write all of it, so that only the name is missing."""
        with disk.translate_os_errors(self._output.folder):
            self.packing.finish()
            self._stream.flush()
            os.fchmod(self._stream.fileno(), disk.FILE_BITS[self._output.mode])

    def commit(self) -> None:
        """Make the archive appear, in the place of one that is there."""
        with disk.translate_os_errors(self._output.folder):
            os.replace(self._draft, self._path)

    def discard(self) -> None:
        """Remove the draft, unless it has become the archive."""
        if _is_same_file(self._stream.fileno(), self._draft):
            with suppress(OSError):
                self.packing.close()
            os.unlink(self._draft)


@contextmanager
def open_archive_draft(output: Output, is_tracked: Callable[[Path], bool], wait: float) -> Iterator[ArchiveDraft]:
    """Begin an archive; what is not committed is removed."""
    path = archive_path(output, is_tracked)
    folder, name = os.path.split(path)
    draft = f"{folder}/.{name}.envtree"
    with disk.translate_os_errors(output.folder):
        os.makedirs(folder, exist_ok=True)
        fd = _lock_draft(draft, path, wait)
        # What a killed run left in it goes.
        os.ftruncate(fd, 0)
    with os.fdopen(fd, "w+b") as stream:
        work = ArchiveDraft(stream, draft, path, output)
        try:
            yield work
        finally:
            work.discard()


def _lock_draft(draft: str, path: str, wait: float) -> int:
    deadline = time.monotonic() + wait
    while True:
        fd = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o600)
        try:
            _check_draft_owner(fd, draft)
            with suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # The run before us may have made the file that we opened its archive.
                if _is_same_file(fd, draft):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        if time.monotonic() >= deadline:
            raise MachineError("ET804", f"another run is writing to '{path}'", "wait for it to end, then run again")
        time.sleep(_POLL)


def _check_draft_owner(fd: int, draft: str) -> None:
    """Somebody else's file would be theirs after we have written into it, and one of two names changes under both."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid() or found.st_nlink > 1 or found.st_mode & 0o077:
        raise RefusedError("ET806", f"'{draft}' is in the way of the archive", "move it away")


def _is_same_file(fd: int, path: str) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(fd), os.lstat(path))
    return False
