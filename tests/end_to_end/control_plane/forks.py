"""envtree in a process of its own that need not import anything again: a fork of the test's."""

import io
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Mapping
from typing import IO, NamedTuple

import envtree.cli.commands.apply
import envtree.cli.commands.drift
import envtree.cli.commands.plan
import envtree.controlplane.api.client  # noqa: F401 -- imported once, here, and not in each of a thousand forks
from envtree.cli import invoke
from envtree.system import console


class Ran(NamedTuple):
    """How a command ended; killed, its code is the signal with a minus."""

    code: int
    out: str
    err: str


class Fork:
    """A command that runs."""

    def __init__(
        self, arguments: list[str], environ: Mapping[str, str], before: Callable[[], None] = lambda: None
    ) -> None:
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 -- closed where they are read
        sys.stdout.flush()
        sys.stderr.flush()
        with warnings.catch_warnings():
            # The threads of the test hold nothing that the fork waits for.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = os.fork()
        if not self._process:
            self._become(arguments, environ, before)

    def wait(self) -> Ran:
        """Wait for its end."""
        _, status = os.waitpid(self._process, 0)
        return Ran(os.waitstatus_to_exitcode(status), _text(self._out), _text(self._err))

    def _become(self, arguments: list[str], environ: Mapping[str, str], before: Callable[[], None]) -> None:
        code = 99
        try:
            os.dup2(self._out.fileno(), 1)
            os.dup2(self._err.fileno(), 2)
            os.environ.clear()
            os.environ.update(environ)
            # What pytest has put in their places writes somewhere else.
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
