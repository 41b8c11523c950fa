"""A child process on a short leash: no terminal, a time limit, an output limit, and nobody left behind."""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

_CHUNK = 1 << 16
# How soon a stop is noticed.
_TICK = 0.05


class TimedOut(Exception):
    """The child did not end in time."""


class Overflowed(Exception):
    """The child wrote more than it may."""


class Stopped(Exception):
    """Somebody asked for an end."""


class Leash(NamedTuple):
    """What a child may use: seconds, bytes on stdout, and the event that ends it early."""

    seconds: float
    size: int
    stop: threading.Event


class Finished(NamedTuple):
    """The exit code of a child and what it wrote on stdout."""

    code: int
    output: bytes


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], leash: Leash, told: bytes | None = None
) -> Finished:
    """Run a program to its end in a session of its own; on any exception its whole process group is killed.

    It reads what it is told, and an empty stdin if that is nothing.
    """
    deadline = time.monotonic() + leash.seconds
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL if told is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Not even read: it may quote plaintext, and the exit code says all that is needed.
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            output = _talk(process, told or b"", deadline, leash)
            return Finished(_wait(process, deadline, leash), output)
        except BaseException:
            kill(process)
            raise


def kill(leader: subprocess.Popen[bytes]) -> None:
    """End a child that leads a session, and all that it has started."""
    # The group bears the leader's number, which is not free before the leader has been waited for.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, signal.SIGKILL)


def _talk(process: subprocess.Popen[bytes], told: bytes, deadline: float, leash: Leash) -> bytes:
    """Tell the child what it is to read while reading what it says: neither waits for the other."""
    output = bytearray()
    left = memoryview(told)
    with selectors.DefaultSelector() as selector:
        if process.stdout:
            selector.register(process.stdout, selectors.EVENT_READ)
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            for key, _ in selector.select(_patience(deadline, leash)):
                if key.fileobj is process.stdin:
                    left = _write(key.fd, left)
                    if not left:
                        selector.unregister(key.fileobj)
                        process.stdin.close()
                elif chunk := os.read(key.fd, _CHUNK):
                    output += chunk
                    if len(output) > leash.size:
                        raise Overflowed
                else:
                    selector.unregister(key.fileobj)
    return bytes(output)


def _write(descriptor: int, left: memoryview) -> memoryview:
    """Write some of what is left to say; a child that does not listen any more has heard enough."""
    try:
        return left[os.write(descriptor, left[:_CHUNK]) :]
    except BlockingIOError:
        return left
    except BrokenPipeError:
        return left[:0]


def _wait(process: subprocess.Popen[bytes], deadline: float, leash: Leash) -> int:
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_patience(deadline, leash))


def _patience(deadline: float, leash: Leash) -> float:
    """How long to wait before looking up again."""
    if leash.stop.is_set():
        raise Stopped
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise TimedOut
    return min(remaining, _TICK)
