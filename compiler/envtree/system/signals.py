"""The signals that end a command: they raise until the output is written, and then they come too late."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# SIGHUP as well: whoever closes the terminal must not leave plaintext in a staging folder.
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def listen() -> None:
    """From now on a signal ends the command by an exception, so that locks are given back on the way out."""
    for number in _ENDING:
        # `nohup` and shell scripts ignore some of them on purpose.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def outlast_commits() -> None:
    """For a command that goes on after it has written: a signal that comes in a commit ends it right after that."""
    for number in _ENDING:
        if signal.getsignal(number) is _end:
            signal.signal(number, _end_late)


def ignore() -> None:
    """From now on no signal changes how the command ends."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def committing() -> Iterator[None]:
    """Hold signals back during a commit.

    After one that succeeded a command that listens ignores them, for its exit code must not say that nothing was
    written. Otherwise they are delivered at the end of the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: caught.append(number)) for number in _ENDING}
    committed = False
    try:
        yield
        committed = True
    finally:
        for number, handler in handlers.items():
            final = signal.SIG_IGN if committed and handler is _end else handler
            signal.signal(number, signal.SIG_DFL if final is None else final)
        for pending in caught:
            signal.raise_signal(pending)


def _end(number: int, _: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not disturb the cleaning up after the first.
    ignore()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _end_late(number: int, frame: FrameType | None) -> NoReturn:
    # Another function, so that `committing` takes the command for none that ends with the commit.
    _end(number, frame)
