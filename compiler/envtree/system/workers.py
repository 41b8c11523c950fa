"""Work that several processes do together: each sees all that this one knows, and sends back what it found."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, NamedTuple, NoReturn, TypeVar

T = TypeVar("T")

# In a container most processors may be somebody else's.
_MAX_PROCESSES = 8
# A signal that comes just before we wait is answered after that, in seconds.
_WAIT_SECONDS = 0.2
_TERMINATION_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _ForkError(Exception):
    """The system gives no other process."""


class _Child(NamedTuple):
    pid: int
    pipe: "Connection[Any, Any]"


def process_count(requested: int | None) -> int:
    """How many processes may work: as many as are asked for, else one for each processor that is ours."""
    if requested is not None:
        return requested
    # Elsewhere a process that is forked and goes on as it is may find libraries of the system in pieces.
    return min(len(os.sched_getaffinity(0)), _MAX_PROCESSES) if sys.platform == "linux" else 1


def can_fork() -> bool:
    """Whether this process can be copied: what another thread holds, nobody would ever give back in a copy."""
    return threading.active_count() == 1


def run_in_processes(count: int, jobs: int, work: Callable[[int], T], on_result: Callable[[int, T], None]) -> bool:
    """Do `work(n)` for each n below `count`, in so many processes; `done(n, result)` hears of each as it comes.

    False if any of it failed, or no process could be started: then nothing that was heard counts.
    """
    if not can_fork():
        return False
    children: list[_Child] = []
    try:
        with _signals_blocked() as before:
            for _ in range(min(jobs, count)):
                children.append(_fork(partial(_run_child, work, before), children))
        return _collect_results(children, iter(range(count)), on_result)
    except _ForkError:
        return False
    finally:
        _kill_children(children)


@contextmanager
def _signals_blocked() -> Iterator[set[int]]:
    """Hold signals back, for in the middle of a fork an exception is lost, or a child; gives those held before."""
    before = set(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINATION_SIGNALS)))
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fork(be_child: "Callable[[Connection[Any, Any]], NoReturn]", siblings: list[_Child]) -> _Child:
    try:
        here, there = Pipe()
        pid = os.fork()
    except OSError as error:
        raise _ForkError from error
    if pid == 0:
        for other in (here, *(sibling.pipe for sibling in siblings)):
            other.close()
        be_child(there)
    there.close()
    return _Child(pid, here)


def _run_child(work: Callable[[int], T], held: set[int], pipe: "Connection[Any, Any]") -> NoReturn:
    """Do what is asked for and end; what goes wrong is told by saying nothing, for the first process finds it again."""
    try:
        # A terminal tells all of us, and the first process ends the others.
        for ending in _TERMINATION_SIGNALS:
            signal.signal(ending, signal.SIG_IGN if ending == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        while True:
            number = pipe.recv()
            pipe.send((number, work(number)))
    finally:
        # Nothing of what the first process has under way is for us to finish: no buffer, no lock, no traceback.
        os._exit(0)


def _collect_results(children: list[_Child], numbers: Iterator[int], done: Callable[[int, Any], None]) -> bool:
    waiting: list[Connection[Any, Any]] = []
    try:
        waiting += [child.pipe for child in children if _send_next(child.pipe, numbers)]
        while waiting:
            for pipe in wait(waiting, _WAIT_SECONDS):
                assert isinstance(pipe, Connection)
                told = pipe.recv()
                if not _send_next(pipe, numbers):
                    waiting.remove(pipe)
                done(*told)
    except (EOFError, OSError):
        return False
    return True


def _send_next(pipe: "Connection[Any, Any]", numbers: Iterator[int]) -> bool:
    """Whether there is more to do, which a process is told then."""
    number = next(numbers, None)
    if number is not None:
        pipe.send(number)
    return number is not None


def _kill_children(children: list[_Child]) -> None:
    # All at once, for it takes a while until a process has given back its memory.
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    for child in children:
        os.waitpid(child.pid, 0)
        child.pipe.close()
