"""The output of a child, on its way through a redactor to where ours goes."""

import errno
import fcntl
import os
import select
import struct
import termios
import threading
import tty
from contextlib import suppress
from typing import Protocol

_CHUNK_SIZE = 1 << 16
# How long a stream that others still hold open must be silent, once the child has ended, to be taken for finished.
_SILENCE_TIMEOUT = 0.5


class StreamFilter(Protocol):
    """What changes the bytes of a stream."""

    def feed(self, data: bytes) -> bytes:
        """Take a piece, and give what can be told by now."""

    def finish(self) -> bytes:
        """Give the rest."""


class Stream(threading.Thread):
    """Reads what the child writes as `target`, one of our own descriptors, and writes it there, filtered.

    Where that is a terminal, so is the child's end: it keeps its colours and writes line by line.
    """

    def __init__(self, target: int, stream_filter: StreamFilter) -> None:
        super().__init__(daemon=True)
        self.problem: Exception | None = None
        self._target = target
        self._filter = stream_filter
        self._is_terminal = os.isatty(target)
        self._source, self.child_fd = _terminal(target) if self._is_terminal else os.pipe()
        self._ended_reader, self._ended_writer = os.pipe()

    def start_reading(self) -> None:
        """Start once the child has its end: ours is closed, so that its last one can be seen to close."""
        os.close(self.child_fd)
        self.start()

    def discard(self) -> None:
        """Close what a child that was not started does not need."""
        for fd in (self._source, self.child_fd, self._ended_reader, self._ended_writer):
            os.close(fd)

    def finish(self) -> None:
        """The child has ended: wait until what it wrote has passed."""
        os.close(self._ended_writer)
        self.join()
        os.close(self._ended_reader)

    def resize(self) -> None:
        """Tell the child's terminal that ours has another size."""
        if self._is_terminal:
            with suppress(OSError):
                _copy_size(self._target, self._source)

    def run(self) -> None:
        """Pass everything on, up to the end."""
        try:
            while piece := self._read():
                self._write(self._filter.feed(piece))
            self._write(self._filter.finish())
        except Exception as problem:  # noqa: BLE001 -- it is told by whoever waits for this thread
            # Nobody reads any more, or nothing can be stored: the child gets to know when it writes again.
            self.problem = problem
        finally:
            os.close(self._source)

    def _read(self) -> bytes:
        waiting = [self._source, self._ended_reader]
        ready = select.select(waiting, [], [])[0]
        if self._ended_reader in ready:
            ready = select.select([self._source], [], [], _SILENCE_TIMEOUT)[0]
        if self._source not in ready:
            return b""
        try:
            return os.read(self._source, _CHUNK_SIZE)
        except OSError as error:
            # How Linux says that the last one has closed a terminal.
            if error.errno == errno.EIO:
                return b""
            raise

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._target, data) :]
            except BlockingIOError:
                # Some program before us has set the terminal so.
                select.select([], [self._target], [])


def _terminal(target: int) -> tuple[int, int]:
    """A terminal that looks like another; both ends. Line ends are left to the other one."""
    ours, theirs = os.openpty()
    with suppress(termios.error, OSError):
        settings = termios.tcgetattr(target)
        settings[tty.OFLAG] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, settings)
        _copy_size(target, theirs)
    return ours, theirs


def _copy_size(source: int, target: int) -> None:
    empty = struct.pack("HHHH", 0, 0, 0, 0)
    fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(source, termios.TIOCGWINSZ, empty))
