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
_MOST = 8
# A signal that comes just before we wait is answered after that, in seconds.
_PATIENCE = 0.2
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _NotForkedError(Exception):
    """The system gives no other process."""


class _Child(NamedTuple):
    pid: int
    pipe: "Connection[Any, Any]"


def processes(asked: int | None) -> int:
    """How many processes may work: as many as are asked for, else one for each processor that is ours."""
    if asked is not None:
        return asked
    # Elsewhere a process that is forked and goes on as it is may find libraries of the system in pieces.
    return min(len(os.sched_getaffinity(0)), _MOST) if sys.platform == "linux" else 1


def is_divisible() -> bool:
    """Whether this process can be copied: what another thread holds, nobody would ever give back in a copy."""
    return threading.active_count() == 1


def divided(count: int, jobs: int, work: Callable[[int], T], done: Callable[[int, T], None]) -> bool:
    """Do `work(n)` for each n below `count`, in so many processes; `done(n, result)` hears of each as it comes.

    False if any of it failed, or no process could be started: then nothing that was heard counts.
    """
    if not is_divisible():
        return False
    children: list[_Child] = []
    try:
        with _undisturbed() as before:
            for _ in range(min(jobs, count)):
                children.append(_fork(partial(_be_child, work, before), children))
        return _gather(children, iter(range(count)), done)
    except _NotForkedError:
        return False
    finally:
        _end(children)


@contextmanager
def _undisturbed() -> Iterator[set[int]]:
    """Hold signals back, for in the middle of a fork an exception is lost, or a child; gives those held before."""
    before = set(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)))
    try:
        yield before
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _fork(be_child: "Callable[[Connection[Any, Any]], NoReturn]", siblings: list[_Child]) -> _Child:
    try:
        here, there = Pipe()
        pid = os.fork()
    except OSError as error:
        raise _NotForkedError from error
    if pid == 0:
        for other in (here, *(sibling.pipe for sibling in siblings)):
            other.close()
        be_child(there)
    there.close()
    return _Child(pid, here)


def _be_child(work: Callable[[int], T], held: set[int], pipe: "Connection[Any, Any]") -> NoReturn:
    """Do what is asked for and end; what goes wrong is told by saying nothing, for the first process finds it again."""
    try:
        # A terminal tells all of us, and the first process ends the others.
        for ending in _ENDING:
            signal.signal(ending, signal.SIG_IGN if ending == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        while True:
            number = pipe.recv()
            pipe.send((number, work(number)))
    finally:
        # Nothing of what the first process has under way is for us to finish: no buffer, no lock, no traceback.
        os._exit(0)


def _gather(children: list[_Child], numbers: Iterator[int], done: Callable[[int, Any], None]) -> bool:
    waiting: list[Connection[Any, Any]] = []
    try:
        waiting += [child.pipe for child in children if _ask(child.pipe, numbers)]
        while waiting:
            for pipe in wait(waiting, _PATIENCE):
                assert isinstance(pipe, Connection)
                told = pipe.recv()
                if not _ask(pipe, numbers):
                    waiting.remove(pipe)
                done(*told)
    except (EOFError, OSError):
        return False
    return True


def _ask(pipe: "Connection[Any, Any]", numbers: Iterator[int]) -> bool:
    """Whether there is more to do, which a process is told then."""
    number = next(numbers, None)
    if number is not None:
        pipe.send(number)
    return number is not None


def _end(children: list[_Child]) -> None:
    # All at once, for it takes a while until a process has given back its memory.
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    for child in children:
        os.waitpid(child.pid, 0)
        child.pipe.close()
