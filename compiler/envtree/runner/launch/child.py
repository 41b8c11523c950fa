"""Run a program as a child or in place of this process: it gets the signals, and its exit code becomes ours."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any, NoReturn

from envtree.model.diagnostic import MachineError, os_error_reason
from envtree.runner.launch.program_environment import ProgramEnvironment
from envtree.runner.launch.redactor import RedactionPatterns, Redactor
from envtree.runner.launch.streams import Stream

# The exit codes of shells for a program that does not exist, and for one that cannot be run.
NOT_FOUND = 127
NOT_RUNNABLE = 126

# The signals that the terminal itself sends to all processes of its foreground group.
_KEYBOARD_SIGNALS = frozenset({signal.SIGINT, signal.SIGQUIT})
_FORWARDED_SIGNALS = (
    *_KEYBOARD_SIGNALS,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
# Python ignores these signals, and an ignored signal stays ignored across `exec`.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class NotStartedError(Exception):
    """The program cannot be started; `code` is the exit code that a shell would return."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message, self.code = message, code


def exec_program(command: Sequence[str], environment: ProgramEnvironment) -> NoReturn:
    """Replace this process by a program, which then has the terminal to itself."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), environment)  # noqa: S606 -- running a program is the purpose
    except OSError as error:
        raise _start_error(command[0], environment, error) from None


def launch(command: Sequence[str], environment: ProgramEnvironment, patterns: RedactionPatterns) -> int:
    """Run a program and redact the patterns in its output; return its exit code, or 128 + n for signal n."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    streams = [Stream(fd, Redactor(patterns)) for fd in (1, 2)]
    forwarder = _SignalForwarder(streams)
    with forwarder.installed():
        try:
            process = forwarder.start(command, environment)
        except OSError as error:
            for stream in streams:
                stream.discard()
            raise _start_error(command[0], environment, error) from None
        for stream in streams:
            stream.start_reading()
        code = forwarder.wait(process)
    for stream in streams:
        stream.finish()
    _check_written(streams)
    return code if code >= 0 else 128 - code


class _SignalForwarder:
    """The forwarding of signals to the child, including those that arrived before it was started.

    With a controlling terminal the child stays in our process group, so that the job control of the shell works as
    usual. Without one it leads a group of its own, and the whole group gets the signals.
    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams
        self._process: subprocess.Popen[bytes] | None = None
        self._pending_signals: list[int] = []
        self._wakeup_fd = -1
        self._terminal = _controlling_terminal()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Install the handlers, except for signals that our parent process has set to be ignored."""
        previous_handlers = {number: signal.getsignal(number) for number in (*_FORWARDED_SIGNALS, signal.SIGCHLD)}
        for number, handler in previous_handlers.items():
            if handler is not signal.SIG_IGN or number == signal.SIGCHLD:
                signal.signal(number, self._handle_signal)
        with _signal_wakeup_fd() as self._wakeup_fd:
            try:
                yield
            finally:
                for number, handler in previous_handlers.items():
                    signal.signal(number, signal.SIG_DFL if handler is None else handler)
                if self._terminal is not None:
                    os.close(self._terminal)

    def start(self, command: Sequence[str], environment: ProgramEnvironment) -> "subprocess.Popen[bytes]":
        """Start the child with the streams as its stdout and stderr."""
        stdout, stderr = (stream.child_fd for stream in self._streams)
        group = 0 if self._terminal is None else None
        process = subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr, process_group=group)
        self._process = process
        for number in self._pending_signals:
            self._send(process, number)
        return process

    def wait(self, process: "subprocess.Popen[bytes]") -> int:
        """Wait for the child and return its exit code.

        This waits for signals on a descriptor: one that arrives just before a `waitpid` would not interrupt it, and
        would be forwarded too late.
        """
        while (code := process.poll()) is None:
            os.read(self._wakeup_fd, 1)
        return code

    def _handle_signal(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGCHLD:
            return
        if number == signal.SIGWINCH:
            for stream in self._streams:
                stream.resize()
        if self._process is None:
            self._pending_signals.append(number)
        elif not (number in _KEYBOARD_SIGNALS and self._is_in_foreground()):
            self._send(self._process, number)

    def _send(self, process: "subprocess.Popen[bytes]", number: int) -> None:
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                send: Any = os.killpg if self._terminal is None else os.kill
                send(process.pid, number)

    def _is_in_foreground(self) -> bool:
        """Report whether the signals of the terminal's keys reach the child without us."""
        try:
            return self._terminal is not None and os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:
            return False


@contextmanager
def _signal_wakeup_fd() -> Iterator[int]:
    """Yield a descriptor from which one byte can be read for each signal, whichever thread received it."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    previous_fd = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield reader
    finally:
        signal.set_wakeup_fd(previous_fd)
        os.close(reader)
        os.close(writer)


def _controlling_terminal() -> int | None:
    try:
        return os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return None


def _start_error(program: str, environment: ProgramEnvironment, error: OSError) -> NotStartedError:
    path = os.fsdecode(environment.get(b"PATH", os.fsencode(os.defpath)))
    exists = os.path.lexists(program) if "/" in program else shutil.which(program, mode=os.F_OK, path=path)
    if not exists:
        return NotStartedError(f"there is no program '{program}'", NOT_FOUND)
    return NotStartedError(f"'{program}' cannot be run: {os_error_reason(error)}", NOT_RUNNABLE)


def _check_written(streams: Sequence[Stream]) -> None:
    """Raise the problem that kept output from being written; a closed pipe is left to the child, which sees it too."""
    for stream in streams:
        if isinstance(stream.problem, OSError) and not isinstance(stream.problem, BrokenPipeError):
            raise MachineError(
                "ET805", f"the output of the program cannot be written: {os_error_reason(stream.problem)}"
            )
        if stream.problem and not isinstance(stream.problem, OSError):
            raise stream.problem
