"""Run `python -m envtree` in a fork of this process: the same process to the outside, without starting Python.

Starting Python and importing the program takes most of the time of many tests. Tests of the start itself (imports,
signals, terminals, limits) start a real process.
"""

import functools
import gc
import importlib
import io
import os
import pkgutil
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import envtree.__main__


def run_envtree(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | str | None = None,
    input: bytes | None = None,
) -> subprocess.CompletedProcess[bytes]:
    """Run a command line of envtree with exactly this environment, and return what the process returns."""
    import_all_modules()
    argv = [envtree.__main__.__file__, *map(str, arguments)]
    with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        stdin.write(input or b"")
        stdin.seek(0)
        with warnings.catch_warnings():
            # The other threads of this process wait for messages, and hold no lock that the child needs.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            become_envtree(argv, env, cwd, (stdin.fileno(), stdout.fileno(), stderr.fileno()))
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        outputs = [(file.seek(0), file.read())[1] for file in (stdout, stderr)]
    return subprocess.CompletedProcess(argv, code, *outputs)


@functools.cache
def import_all_modules() -> None:
    """Import what the commands import when they need it, once instead of once for each command."""
    for module in pkgutil.walk_packages(envtree.__path__, "envtree."):
        importlib.import_module(module.name)


def become_envtree(
    argv: list[str], env: Mapping[str, str], cwd: Path | str | None, streams: tuple[int, int, int]
) -> None:
    """Replace everything that a new process would not have from its parent, run the command, and end."""
    code = 1
    # A collection would visit all objects of the parent, and thereby copy its memory.
    gc.freeze()
    try:
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        _replace_environment(env, cwd)
        sys.stdin, sys.stdout, sys.stderr = (
            io.TextIOWrapper(open(0, "rb"), encoding="utf-8"),  # noqa: SIM115 -- as Python itself does at its start
            _stdout(is_unbuffered="PYTHONUNBUFFERED" in env),
            io.TextIOWrapper(open(2, "wb"), encoding="utf-8", errors="backslashreplace", line_buffering=True),  # noqa: SIM115
        )
        sys.argv = argv
        envtree.__main__.main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 -- as Python itself does at its end
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _stdout(*, is_unbuffered: bool) -> io.TextIOWrapper:
    buffer = io.FileIO(1, "wb") if is_unbuffered else open(1, "wb")  # noqa: SIM115
    return io.TextIOWrapper(buffer, encoding="utf-8", write_through=is_unbuffered)


def _replace_environment(env: Mapping[str, str], cwd: Path | str | None) -> None:
    os.environ.clear()
    os.environ.update(env)
    if cwd is not None:
        os.chdir(cwd)
    # What Python derives from the environment once.
    tempfile.tempdir = None
    warnings.resetwarnings()
    warnings.simplefilter("ignore")
