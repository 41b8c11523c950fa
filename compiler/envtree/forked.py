"""Work that several processes do together: each sees all that this one knows, and sends back what it found."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

T = TypeVar("T")

# How far a process is, from time to time.
Tell = Callable[[int], None]
_STEP = 64
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


class _Result(NamedTuple, Generic[T]):
    value: T


def processes(asked: int | None) -> int:
    """How many processes may work: as many as are asked for, else one for each processor that is ours."""
    if asked is not None:
        return asked
    # Elsewhere a process that is forked and goes on as it is may find libraries of the system in pieces.
    return min(len(os.sched_getaffinity(0)), _MOST) if sys.platform == "linux" else 1


def divided(count: int, work: Callable[[int, Tell], T], progress: Tell) -> list[T] | None:
    """What `work(n, tell)` gives for each n below `count`, in a process each.

    `progress` hears the sum of what they tell. None if any of them failed, or could not be started: then nothing is
    known, and this process has to do it all.
    """
    # What another thread holds at that moment, nobody would ever give back in a copy of this process.
    if threading.active_count() > 1:
        return None
    children: list[_Child] = []
    try:
        with _undisturbed() as before:
            for number in range(count):
                children.append(_fork(partial(_be_child, number, work, before), children))
        return _gather(children, progress)
    except _NotForkedError:
        return None
    finally:
        for child in children:
            _end(child)


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
        here, there = Pipe(duplex=False)
        pid = os.fork()
    except OSError as error:
        raise _NotForkedError from error
    if pid == 0:
        for other in (here, *(sibling.pipe for sibling in siblings)):
            other.close()
        be_child(there)
    there.close()
    return _Child(pid, here)


def _be_child(number: int, work: Callable[[int, Tell], T], held: set[int], pipe: "Connection[Any, Any]") -> NoReturn:
    """Do the work and end; whatever goes wrong is told by saying nothing, for the first process finds it again."""
    try:
        # A terminal tells all of us, and the first process ends the others.
        for ending in _ENDING:
            signal.signal(ending, signal.SIG_IGN if ending == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)

        def tell(done: int) -> None:
            if done % _STEP == 0:
                pipe.send(done)

        pipe.send(_Result(work(number, tell)))
    finally:
        # Nothing of what the first process has under way is for us to finish: no buffer, no lock, no traceback.
        os._exit(0)


def _gather(children: list[_Child], progress: Tell) -> list[Any] | None:
    done = dict.fromkeys(range(len(children)), 0)
    results: dict[int, Any] = {}
    waiting = {child.pipe: number for number, child in enumerate(children)}
    while waiting:
        for pipe in wait(list(waiting), _PATIENCE):
            assert isinstance(pipe, Connection)
            try:
                told = pipe.recv()
            except (EOFError, OSError):
                return None
            number = waiting[pipe]
            if isinstance(told, _Result):
                results[number] = told.value
                del waiting[pipe]
            else:
                done[number] = told
                progress(sum(done.values()))
    return [results[number] for number in range(len(children))]


def _end(child: _Child) -> None:
    os.kill(child.pid, signal.SIGKILL)
    os.waitpid(child.pid, 0)
    child.pipe.close()
