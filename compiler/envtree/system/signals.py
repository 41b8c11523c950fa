"""Termination signals: they raise an exception until the output is written, and are ignored afterwards."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# SIGHUP and SIGQUIT as well: closing the terminal or Ctrl-\ must not leave plaintext in a staging folder.
_TERMINATION_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def install_handlers() -> None:
    """Make signals end the command with an exception, so that locks are released."""
    for number in _TERMINATION_SIGNALS:
        # `nohup` and shell scripts ignore some signals on purpose.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _exit_on_signal)


def exit_after_commits() -> None:
    """Let a signal that arrives during a commit end the command right after it, for commands that continue to run."""
    for number in _TERMINATION_SIGNALS:
        if signal.getsignal(number) is _exit_on_signal:
            signal.signal(number, _exit_on_deferred_signal)


def ignore_all() -> None:
    """Ignore termination signals, so that they no longer change the exit status."""
    for number in _TERMINATION_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def defer_during_commit() -> Iterator[None]:
    """Defer signals during a commit.

    After a successful commit they are ignored if the handlers of `install_handlers` are in place, because their exit
    codes state that nothing was written. Otherwise they are delivered at the end of the block.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    deferred: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: deferred.append(number)) for number in _TERMINATION_SIGNALS
    }
    committed = False
    try:
        yield
        committed = True
    finally:
        for number, handler in handlers.items():
            final = signal.SIG_IGN if committed and handler is _exit_on_signal else handler
            signal.signal(number, signal.SIG_DFL if final is None else final)
        for deferred_number in deferred:
            signal.raise_signal(deferred_number)


@contextmanager
def blocked() -> Iterator[None]:
    """Deliver signals at the end of the block: an exception in the middle of its import crashes a compiled library."""
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINATION_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _exit_on_signal(number: int, _: FrameType | None) -> NoReturn:
    # A second Ctrl-C must not interrupt the clean-up after the first.
    ignore_all()
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _exit_on_deferred_signal(number: int, frame: FrameType | None) -> NoReturn:
    # A function of its own, so that `defer_during_commit` does not ignore signals after the commit.
    _exit_on_signal(number, frame)
