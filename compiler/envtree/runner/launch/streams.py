"""Copy the output of a child through a filter to our own descriptors."""

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
# After the end of the child, a stream that other processes keep open is finished after so many seconds of silence.
_SILENCE_TIMEOUT = 0.5


class StreamFilter(Protocol):
    """A transformation of the bytes of a stream."""

    def feed(self, data: bytes) -> bytes:
        """Add a chunk, and return the output that is certain by now."""

    def finish(self) -> bytes:
        """Return the rest."""


class Stream(threading.Thread):
    """A thread that copies output of the child, filtered, to `target`, one of our own descriptors.

    If that is a terminal, the child gets a pseudoterminal, so that it keeps its colours and writes line by line.
    """

    def __init__(self, target: int, stream_filter: StreamFilter) -> None:
        super().__init__(daemon=True)
        self.problem: Exception | None = None
        self._target = target
        self._filter = stream_filter
        self._is_terminal = os.isatty(target)
        self._source, self.child_fd = _open_terminal(target) if self._is_terminal else os.pipe()
        self._ended_reader, self._ended_writer = os.pipe()

    def start_reading(self) -> None:
        """Start once the child has its descriptor; our copy is closed, so that the end of the stream is noticed."""
        os.close(self.child_fd)
        self.start()

    def discard(self) -> None:
        """Close all descriptors, if the child could not be started."""
        for fd in (self._source, self.child_fd, self._ended_reader, self._ended_writer):
            os.close(fd)

    def finish(self) -> None:
        """Wait until all output has been copied; the child has ended."""
        os.close(self._ended_writer)
        self.join()
        os.close(self._ended_reader)

    def resize(self) -> None:
        """Copy the size of our terminal to that of the child."""
        if self._is_terminal:
            with suppress(OSError):
                _copy_size(self._target, self._source)

    def run(self) -> None:
        """Copy the stream to its end."""
        try:
            while chunk := self._read():
                self._write(self._filter.feed(chunk))
            self._write(self._filter.finish())
        except Exception as problem:  # noqa: BLE001 -- reported by the waiting thread
            # The target is closed or full: the child notices when it writes again.
            self.problem = problem
        finally:
            os.close(self._source)

    def _read(self) -> bytes:
        descriptors = [self._source, self._ended_reader]
        ready = select.select(descriptors, [], [])[0]
        if self._ended_reader in ready:
            ready = select.select([self._source], [], [], _SILENCE_TIMEOUT)[0]
        if self._source not in ready:
            return b""
        try:
            return os.read(self._source, _CHUNK_SIZE)
        except OSError as error:
            # On Linux: the last process has closed the terminal.
            if error.errno == errno.EIO:
                return b""
            raise

    def _write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._target, data) :]
            except BlockingIOError:
                # An earlier program has set the terminal to non-blocking.
                select.select([], [self._target], [])


def _open_terminal(target: int) -> tuple[int, int]:
    """Open a pseudoterminal with the settings of `target`, and return both ends; `target` converts line ends."""
    our_fd, child_fd = os.openpty()
    with suppress(termios.error, OSError):
        settings = termios.tcgetattr(target)
        settings[tty.OFLAG] &= ~termios.OPOST
        termios.tcsetattr(child_fd, termios.TCSANOW, settings)
        _copy_size(target, child_fd)
    return our_fd, child_fd


def _copy_size(source: int, target: int) -> None:
    empty = struct.pack("HHHH", 0, 0, 0, 0)
    fcntl.ioctl(target, termios.TIOCSWINSZ, fcntl.ioctl(source, termios.TIOCGWINSZ, empty))
