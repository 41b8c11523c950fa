"""Run a child process without a terminal, with limits of time and output, and leave no process behind."""

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

_CHUNK_SIZE = 1 << 16
# The delay in seconds until a stop is noticed.
_POLL_INTERVAL = 0.05


class ProcessTimeoutError(Exception):
    """The child did not end within the time limit."""


class OutputLimitError(Exception):
    """The child wrote more than the output limit."""


class ProcessStoppedError(Exception):
    """The stop event was set."""


class ProcessLimits(NamedTuple):
    """The limits of a child: seconds, bytes on stdout, and an event that ends it early."""

    timeout: float
    output_limit: int
    stop_event: threading.Event


class ProcessResult(NamedTuple):
    """The exit code of a child, and its output on stdout."""

    exit_code: int
    output: bytes


def run(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    limits: ProcessLimits,
    stdin_data: bytes | None = None,
) -> ProcessResult:
    """Run a program to its end in its own session; on any exception its whole process group is killed.

    Its stdin has `stdin_data`, or is empty.
    """
    deadline = time.monotonic() + limits.timeout
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL if stdin_data is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Not even read: it may quote plaintext, and the exit code is enough.
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            output = _communicate(process, stdin_data or b"", deadline, limits)
            return ProcessResult(_wait(process, deadline, limits), output)
        except BaseException:
            kill_process_group(process)
            raise


def kill_process_group(leader: subprocess.Popen[bytes]) -> None:
    """Kill a child that leads a session, and all processes that it has started."""
    # The id of the group is that of its leader, which is not reused before the leader has been waited for.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader.pid, signal.SIGKILL)


def _communicate(process: subprocess.Popen[bytes], stdin_data: bytes, deadline: float, limits: ProcessLimits) -> bytes:
    """Write stdin while reading stdout, so that neither process waits for the other."""
    output = bytearray()
    remaining = memoryview(stdin_data)
    with selectors.DefaultSelector() as selector:
        if process.stdout:
            selector.register(process.stdout, selectors.EVENT_READ)
        if process.stdin:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE)
        while selector.get_map():
            for key, _ in selector.select(_next_timeout(deadline, limits)):
                if key.fileobj is process.stdin:
                    remaining = _write(key.fd, remaining)
                    if not remaining:
                        selector.unregister(key.fileobj)
                        process.stdin.close()
                elif chunk := os.read(key.fd, _CHUNK_SIZE):
                    output += chunk
                    if len(output) > limits.output_limit:
                        raise OutputLimitError
                else:
                    selector.unregister(key.fileobj)
    return bytes(output)


def _write(descriptor: int, remaining: memoryview) -> memoryview:
    """Write a part of the remaining input and return the rest; none if the child has closed its stdin."""
    try:
        return remaining[os.write(descriptor, remaining[:_CHUNK_SIZE]) :]
    except BlockingIOError:
        return remaining
    except BrokenPipeError:
        return remaining[:0]


def _wait(process: subprocess.Popen[bytes], deadline: float, limits: ProcessLimits) -> int:
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_next_timeout(deadline, limits))


def _next_timeout(deadline: float, limits: ProcessLimits) -> float:
    """Return the seconds to wait before checking the limits again; raise if one is exceeded."""
    if limits.stop_event.is_set():
        raise ProcessStoppedError
    remaining = deadline - time.monotonic()
    if remaining <= 0:
        raise ProcessTimeoutError
    return min(remaining, _POLL_INTERVAL)
