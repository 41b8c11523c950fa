"""How far a run is: one line on a terminal, once it takes longer than half a second, gone before anything is said."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from envtree.cli.support.console import painted

Progress = Callable[[str, int, int], None]

_PATIENCE = 0.5
_PAUSE = 0.1
# Back to the first column, and whatever stands there is erased.
_CLEAR = "\r\x1b[K"


@contextmanager
def progress(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Iterator[Progress]:
    """What to tell how many files or bundles of how many are done; it is shown to whoever sits at a terminal."""
    line = _Line(stream) if _is_watched(stream, environ) else None
    try:
        yield line.show if line else _ignore
    finally:
        if line:
            line.clear()


def _is_watched(stream: TextIO, environ: Mapping[str, str]) -> bool:
    # CI systems give some programs a terminal, and keep every line of it.
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    return stream.isatty() and not in_ci and environ.get("TERM", "dumb") != "dumb"


class _Line:
    """A line that is written over and over, but never often."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._due = time.monotonic() + _PATIENCE
        self._shown = False

    def show(self, what: str, done: int, total: int) -> None:
        """Write the line if it is time to."""
        now = time.monotonic()
        if now >= self._due:
            self._due, self._shown = now + _PAUSE, True
            painted(self._stream, f"{_CLEAR}{done} of {total} {what}")

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            painted(self._stream, _CLEAR)


def _ignore(what: str, done: int, total: int) -> None:
    pass
