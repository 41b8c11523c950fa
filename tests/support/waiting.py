"""Waiting until something has happened: the only place where tests read the clock, and only to end a hang."""

import time
from collections.abc import Callable

# Seconds. A test that passes hardly waits, so these may be long enough for the slowest machine at any load.
PATIENCE = 60.0
# For a program that works for long itself, such as a browser, or a compile of thousands of files.
LONG_PATIENCE = 300.0
_PAUSE = 0.01


def wait_until(condition: Callable[[], object], what: str | Callable[[], str], patience: float = PATIENCE) -> None:
    """Return as soon as a condition holds; fail with what was waited for if it never does."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience:.0f} seconds for {what if isinstance(what, str) else what()}")
        time.sleep(_PAUSE)
