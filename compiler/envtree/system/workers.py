"""Run jobs in forked processes, which share the state of this process and send back their results."""

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

# In a container, most processors may belong to other tenants.
_MAX_PROCESSES = 8
# In seconds; bounds the delay of a signal that arrives just before the wait.
_WAIT_SECONDS = 0.2
_TERMINATION_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# The terminal sends these to the workers, too, which end with their parent.
_KEYBOARD_SIGNALS = (signal.SIGINT, signal.SIGQUIT)


class _ForkError(Exception):
    """The system cannot create another process."""


class _Child(NamedTuple):
    pid: int
    pipe: "Connection[Any, Any]"


def process_count(requested: int | None) -> int:
    """Return the number of processes to use: as requested, else one per available processor."""
    if requested is not None:
        return requested
    # On other platforms, system libraries may be unusable in a forked process.
    return min(len(os.sched_getaffinity(0)), _MAX_PROCESSES) if sys.platform == "linux" else 1


def can_fork() -> bool:
    """Report whether this process can fork: a lock held by another thread would never be released in the child."""
    return threading.active_count() == 1


def run_in_processes(count: int, jobs: int, run_job: Callable[[int], T], on_result: Callable[[int, T], None]) -> bool:
    """Run `run_job(n)` for each n below `count` in `jobs` processes; call `on_result(n, result)` as results arrive.

    Return False if a job failed or no process could be started: then the results received so far are invalid.
    """
    if not can_fork():
        return False
    children: list[_Child] = []
    try:
        with _signals_blocked() as previous_mask:
            for _ in range(min(jobs, count)):
                children.append(_fork(partial(_run_child, run_job, previous_mask), children))
        return _collect_results(children, iter(range(count)), on_result)
    except _ForkError:
        return False
    finally:
        _kill_children(children)


@contextmanager
def _signals_blocked() -> Iterator[set[int]]:
    """Block signals, which could lose an exception or a child during a fork; yield the previous mask."""
    previous = set(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINATION_SIGNALS)))
    try:
        yield previous
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _fork(run_child: "Callable[[Connection[Any, Any]], NoReturn]", siblings: list[_Child]) -> _Child:
    try:
        parent_end, child_end = Pipe()
        pid = os.fork()
    except OSError as error:
        raise _ForkError from error
    if pid == 0:
        for pipe in (parent_end, *(sibling.pipe for sibling in siblings)):
            pipe.close()
        run_child(child_end)
    child_end.close()
    return _Child(pid, parent_end)


def _run_child(run_job: Callable[[int], T], signal_mask: set[int], pipe: "Connection[Any, Any]") -> NoReturn:
    """Run the requested jobs and exit; an error only closes the pipe, because the parent reproduces it."""
    try:
        # A terminal sends SIGINT to all processes, and the parent ends its children.
        for number in _TERMINATION_SIGNALS:
            signal.signal(number, signal.SIG_IGN if number in _KEYBOARD_SIGNALS else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, signal_mask)
        while True:
            job = pipe.recv()
            pipe.send((job, run_job(job)))
    finally:
        # Skips all clean-up: buffers, locks and tracebacks belong to the parent.
        os._exit(0)


def _collect_results(children: list[_Child], job_numbers: Iterator[int], on_result: Callable[[int, Any], None]) -> bool:
    busy: list[Connection[Any, Any]] = []
    try:
        busy += [child.pipe for child in children if _send_next(child.pipe, job_numbers)]
        while busy:
            for pipe in wait(busy, _WAIT_SECONDS):
                assert isinstance(pipe, Connection)
                result = pipe.recv()
                if not _send_next(pipe, job_numbers):
                    busy.remove(pipe)
                on_result(*result)
    except (EOFError, OSError):
        return False
    return True


def _send_next(pipe: "Connection[Any, Any]", job_numbers: Iterator[int]) -> bool:
    """Send the next job to a process; report whether there was one."""
    job = next(job_numbers, None)
    if job is not None:
        pipe.send(job)
    return job is not None


def _kill_children(children: list[_Child]) -> None:
    # All are killed before the first wait, because a process takes a while to release its memory.
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    for child in children:
        os.waitpid(child.pid, 0)
        child.pipe.close()
