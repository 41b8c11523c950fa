"""Run git so that nothing that the repository configures can run."""

import os
import subprocess
from functools import cache
from pathlib import Path

from envtree.model.diagnostic import MachineError, os_error_reason
from envtree.system.executables import find_executable, trusted_folders

_TIMEOUT = 30
# The exit statuses by which git says that there is no such thing: with 128 that a log is too short, or a path outside.
_NOT_FOUND_STATUSES = {"check-ignore": (1,), "merge-base": (1,), "--verify": (1, 128)}
# The command line outranks the repository's own configuration. Ownership is checked where the root is found.
_HARDENED_OPTIONS = (
    "--no-pager",
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.excludesFile=/dev/null"),
    *("-c", "core.attributesFile=/dev/null"),
    *("-c", "protocol.allow=never"),
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "safe.directory=*"),
)
# All that git gets of the environment besides PATH; no key is among them. macOS finds its git by the last one.
_INHERITED = ("HOME", "TMPDIR", "DEVELOPER_DIR")
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    # git before 2.45 knows only the second of these, which no configuration outranks.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


def run_git(
    git: str,
    repository: Path,
    arguments: tuple[str, ...],
    stdin: bytes = b"",
    extra_environment: dict[str, str] | None = None,
) -> bytes:
    """What git answers; a Failure if it fails or takes too long."""
    try:
        done = subprocess.run(
            (git, *_HARDENED_OPTIONS, *arguments),
            input=stdin,
            capture_output=True,
            cwd=repository,
            env=_environment(repository) | (extra_environment or {}),
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise MachineError("ET805", f"git took longer than {_TIMEOUT} seconds in '{repository}'") from None
    except OSError as error:
        raise MachineError("ET805", f"git cannot be started: {os_error_reason(error)}") from None
    # A submodule or worktree copied without its repository: nothing there ignores anything.
    if arguments[0] == "check-ignore" and b"not a git repository" in done.stderr:
        return b""
    if any(done.returncode in _NOT_FOUND_STATUSES.get(word, ()) for word in arguments[:3]):
        return b""
    if done.returncode != 0:
        hint = "run 'git status' there to see what is wrong with the repository"
        raise MachineError(
            "ET805", f"'git {arguments[0]}' failed in '{repository}' with status {done.returncode}", hint
        )
    return done.stdout


def _environment(repository: Path) -> dict[str, str]:
    folders = os.pathsep.join(trusted_folders(_search_path(), repository))
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | _ENVIRONMENT | {"PATH": folders}


def _search_path() -> str:
    return os.environ.get("PATH", os.defpath)


def find_git(repository: Path, purpose: str) -> str:
    """The absolute path of git; a Failure without one, or if somebody may have planted it."""
    program = _find_trusted_git(repository, _search_path())
    if program is None:
        hint = "install git, or work on a copy outside of the repository"
        raise MachineError("ET805", f"git is needed to tell {purpose}", hint)
    return program


@cache
def _find_trusted_git(repository: Path, search_path: str) -> str | None:
    found = find_executable("git", search_path, repository)
    if found is None:
        return None
    if found.problem:
        hint = "put a git first on PATH that only you or root can change, outside of the repository"
        raise MachineError("ET805", f"the first git on PATH is not trusted: {found.problem}", hint)
    return str(found.path)
