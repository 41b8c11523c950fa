"""The signals that end a command: they raise until the output is written, and then they come too late."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# SIGHUP as well: whoever closes the terminal must not leave plaintext in a staging folder.
_TERMINATION_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def install_handlers() -> None:
    """From now on a signal ends the command by an exception, so that locks are given back on the way out."""
    for number in _TERMINATION_SIGNALS:
        # `nohup` and shell scripts ignore some of them on purpose.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit_on_signal)


def exit_after_commits() -> None:
    """For a command that goes on after it has written: a signal that comes in a commit ends it right after that."""
    for number in _TERMINATION_SIGNALS:
        if signal.getsignal(number) is _exit_on_signal:
            signal.signal(number, _exit_on_deferred_signal)


def ignore_all() -> None:
    """From now on no signal changes how the command ends."""
    for number in _TERMINATION_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def defer_during_commit() -> Iterator[None]:
    """Hold signals back during a commit.

    After one that succeeded a command that listens ignores them, for its exit code must not say that nothing was
    written. Otherwise they are delivered at the end of the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: caught.append(number)) for number in _TERMINATION_SIGNALS
    }
    committed = False
    try:
        yield
        committed = True
    finally:
        for number, handler in handlers.items():
            final = signal.SIG_IGN if committed and handler is _exit_on_signal else handler
            signal.signal(number, signal.SIG_DFL if final is None else final)
        for pending in caught:
            signal.raise_signal(pending)


def _exit_on_signal(number: int, _: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not disturb the cleaning up after the first.
    ignore_all()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _exit_on_deferred_signal(number: int, frame: FrameType | None) -> NoReturn:
    # Another function, so that `committing` takes the command for none that ends with the commit.
    _exit_on_signal(number, frame)
