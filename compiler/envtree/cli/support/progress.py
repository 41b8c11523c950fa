"""A progress line on terminals, shown after half a second and erased before any other output."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TextIO

from envtree.system.console import can_encode, write_styled

Progress = Callable[[str, int, int], None]

_SHOW_AFTER_SECONDS = 0.5
_REFRESH_SECONDS = 0.1
# Before that, an estimate of the time left would jump.
_ESTIMATE_AFTER_SECONDS = 2.0
_VERBS = {"files": "reading", "bundles": "computing", "projects": "computing", "pages": "writing"}
_BAR_WIDTH = 20
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
        self._noun, self._started, self._first_done = "", 0.0, 0
        self._full, self._empty = ("━", "─") if can_encode(stream, "━─") else ("#", "-")

    def show(self, noun: str, done: int, total: int) -> None:
        """Update the line if it is due."""
        now = time.monotonic()
        if noun != self._noun:
            self._noun, self._started, self._first_done = noun, now, done
        if now >= self._next_update:
            self._next_update, self._is_shown = now + _REFRESH_SECONDS, True
            filled = _BAR_WIDTH * done // max(total, 1)
            bar = self._full * filled + self._empty * (_BAR_WIDTH - filled)
            counts = f"{done:,} of {total:,} {noun}{self._time_left(now, done, total)}"
            write_styled(self._stream, f"{_CLEAR_LINE}{_VERBS.get(noun, 'doing')} {bar} {counts}")

    def _time_left(self, now: float, done: int, total: int) -> str:
        """Return the estimate of the time left; empty while it is uncertain."""
        elapsed, advanced = now - self._started, done - self._first_done
        if elapsed < _ESTIMATE_AFTER_SECONDS or not advanced:
            return ""
        seconds = round(elapsed * (total - done) / advanced)
        return f", {seconds // 60} min {seconds % 60} s left" if seconds >= 60 else f", {seconds} s left"

    def clear(self) -> None:
        """Erase the line."""
        if self._is_shown:
            write_styled(self._stream, _CLEAR_LINE)


def _ignore_progress(noun: str, done: int, total: int) -> None:
    pass
