"""A child process on a short leash: no input, no terminal, a time limit, an output limit, and nobody left behind."""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

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


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], leash: Leash) -> Finished:
    """Run a program to its end in a session of its own; on any exception its whole process group is killed."""
    deadline = time.monotonic() + leash.seconds
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        # Not even read: it may quote plaintext, and the exit code says all that is needed.
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            output = _read(process.stdout, deadline, leash) if process.stdout else b""
            return Finished(_wait(process, deadline, leash), output)
        except BaseException:
            # The group bears the leader's number, which is not free before the leader has been waited for.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            raise


def _read(stdout: IO[bytes], deadline: float, leash: Leash) -> bytes:
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(_patience(deadline, leash)):
                continue
            chunk = os.read(stdout.fileno(), _CHUNK)
            if not chunk:
                return bytes(output)
            output += chunk
            if len(output) > leash.size:
                raise Overflowed


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
