"""A program in the place of ours: it gets our signals, and we end as it does."""

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

# What shells say when there is no such program, and when there is one that cannot be run.
NOT_FOUND = 127
NOT_RUNNABLE = 126

# Those that the terminal itself sends to all that run in its foreground.
_KEYBOARD_SIGNALS = frozenset({signal.SIGINT, signal.SIGQUIT})
_FORWARDED_SIGNALS = (
    *_KEYBOARD_SIGNALS,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
# Python ignores these, and what is ignored stays so in another program.
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


class NotStartedError(Exception):
    """The program cannot be started; `code` is what a shell would end with."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message, self.code = message, code


def exec_program(command: Sequence[str], environment: ProgramEnvironment) -> NoReturn:
    """Run a program in this very process, as `exec` does: nothing stands between it and the terminal."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    for number in _IGNORED_BY_PYTHON:
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execvpe(command[0], list(command), environment)  # noqa: S606 -- that is what it is for
    except OSError as error:
        raise _start_error(command[0], environment, error) from None


def launch(command: Sequence[str], environment: ProgramEnvironment, patterns: RedactionPatterns) -> int:
    """Run a program with the patterns taken out of what it writes; its exit code, or 128 + n for signal n."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    streams = [Stream(fd, Redactor(patterns)) for fd in (1, 2)]
    relay = _SignalForwarder(streams)
    with relay.installed():
        try:
            process = relay.start(command, environment)
        except OSError as error:
            for stream in streams:
                stream.discard()
            raise _start_error(command[0], environment, error) from None
        for stream in streams:
            stream.start_reading()
        code = relay.wait(process)
    for stream in streams:
        stream.finish()
    _check_written(streams)
    return code if code >= 0 else 128 - code


class _SignalForwarder:
    """Passes our signals on to the child, also those that came before it was there.

    Where a terminal controls us the child stays in our process group, so that the shell's job control works as ever.
    Elsewhere it leads a group of its own, and all of the group gets the signals.
    """

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams
        self._process: subprocess.Popen[bytes] | None = None
        self._pending_signals: list[int] = []
        self._wakeup_fd = -1
        self._terminal = _controlling_terminal()

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Listen to the signals, but for those that whoever started us wants to be ignored."""
        before = {number: signal.getsignal(number) for number in (*_FORWARDED_SIGNALS, signal.SIGCHLD)}
        for number, handler in before.items():
            if handler is not signal.SIG_IGN or number == signal.SIGCHLD:
                signal.signal(number, self._handle_signal)
        with _signal_wakeup_fd() as self._wakeup_fd:
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, signal.SIG_DFL if handler is None else handler)
                if self._terminal is not None:
                    os.close(self._terminal)

    def start(self, command: Sequence[str], environment: ProgramEnvironment) -> "subprocess.Popen[bytes]":
        """Start the child on the streams' ends."""
        stdout, stderr = (stream.child_fd for stream in self._streams)
        group = 0 if self._terminal is None else None
        process = subprocess.Popen(command, env=environment, stdout=stdout, stderr=stderr, process_group=group)
        self._process = process
        for number in self._pending_signals:
            self._send(process, number)
        return process

    def wait(self, process: "subprocess.Popen[bytes]") -> int:
        """Its exit code, when it has ended.

        A signal that comes just before a `waitpid` does not interrupt it, and would be passed on when it is too late.
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
        """Whether the terminal's keys reach the child without us."""
        try:
            return self._terminal is not None and os.tcgetpgrp(self._terminal) == os.getpgrp()
        except OSError:
            return False


@contextmanager
def _signal_wakeup_fd() -> Iterator[int]:
    """A descriptor from which a byte can be read for each signal, whichever thread it came to."""
    bell, wire = os.pipe()
    os.set_blocking(wire, False)
    before = signal.set_wakeup_fd(wire, warn_on_full_buffer=False)
    try:
        yield bell
    finally:
        signal.set_wakeup_fd(before)
        os.close(bell)
        os.close(wire)


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
    """Tell what kept an output from being written; that its reader has left, the child has been told."""
    for stream in streams:
        if isinstance(stream.problem, OSError) and not isinstance(stream.problem, BrokenPipeError):
            raise MachineError(
                "ET805", f"the output of the program cannot be written: {os_error_reason(stream.problem)}"
            )
        if stream.problem and not isinstance(stream.problem, OSError):
            raise stream.problem
