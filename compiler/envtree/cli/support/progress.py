"""A progress line on terminals, shown after half a second and erased before any other output."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from envtree.system.console import write_styled

Progress = Callable[[str, int, int], None]

_SHOW_AFTER_SECONDS = 0.5
_REFRESH_SECONDS = 0.1
# Return to the first column and erase the line.
_CLEAR_LINE = "\r\x1b[K"


@contextmanager
def show_progress(stream: TextIO, environ: Mapping[str, str] = os.environ) -> Iterator[Progress]:
    """Yield a function that takes a noun, a count and a total, and shows them if `stream` is a terminal."""
    line = _ProgressLine(stream) if _is_interactive(stream, environ) else None
    try:
        yield line.show if line else _ignore_progress
    finally:
        if line:
            line.clear()


def _is_interactive(stream: TextIO, environ: Mapping[str, str]) -> bool:
    # CI systems give some programs a terminal, and log every update of the line.
    in_ci = environ.get("CI", "").lower() not in ("", "0", "false")
    return stream.isatty() and not in_ci and environ.get("TERM", "dumb") != "dumb"


class _ProgressLine:
    """A line that is overwritten at most every `_REFRESH_SECONDS`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._next_update = time.monotonic() + _SHOW_AFTER_SECONDS
        self._is_shown = False

    def show(self, noun: str, done: int, total: int) -> None:
        """Update the line if it is due."""
        now = time.monotonic()
        if now >= self._next_update:
            self._next_update, self._is_shown = now + _REFRESH_SECONDS, True
            write_styled(self._stream, f"{_CLEAR_LINE}{done} of {total} {noun}")

    def clear(self) -> None:
        """Erase the line."""
        if self._is_shown:
            write_styled(self._stream, _CLEAR_LINE)


def _ignore_progress(noun: str, done: int, total: int) -> None:
    pass
