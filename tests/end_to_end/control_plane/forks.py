"""Run envtree in a fork of the test's process, which need not import anything again."""

import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from typing import IO, NamedTuple

import envtree.cli.commands.kubiya.apply
import envtree.cli.commands.kubiya.drift
import envtree.cli.commands.kubiya.plan
import envtree.controlplane.api.client  # noqa: F401 -- imported once, here, and not in each of a thousand forks
from envtree.cli import invoke
from envtree.system import console


class CommandResult(NamedTuple):
    """The exit code and output of a command; if it was killed, the code is the negated signal."""

    code: int
    out: str
    err: str


class Fork:
    """A running command."""

    def __init__(
        self, arguments: list[str], environ: Mapping[str, str], before: Callable[[], None] = lambda: None
    ) -> None:
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 -- closed where they are read
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # Forking with threads is safe here: the test's threads hold no lock that the fork needs.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = os.fork()
        if not self._process:
            self._run_command(arguments, environ, before)

    def wait(self) -> CommandResult:
        """Wait for the end of the command."""
        _, status = os.waitpid(self._process, 0)
        return CommandResult(os.waitstatus_to_exitcode(status), _text(self._out), _text(self._err))

    def _run_command(self, arguments: list[str], environ: Mapping[str, str], before: Callable[[], None]) -> None:
        code = 99
        try:
            os.dup2(self._out.fileno(), 1)
            os.dup2(self._err.fileno(), 2)
            os.environ.clear()
            os.environ.update(environ)
            # pytest has replaced the streams, so they would be written elsewhere.
            sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb", closefd=False), encoding="utf-8")
            sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb", closefd=False), encoding="utf-8")
            console.prepare_streams()
            before()
            code = invoke(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)


def _text(file: IO[bytes]) -> str:
    with file:
        file.seek(0)
        return file.read().decode()
