"""Run git without running anything that the repository configures."""

import os
import subprocess
from functools import cache
from pathlib import Path

from envtree.model.diagnostic import MachineError, os_error_reason
from envtree.system.executables import find_executable, trusted_folders

_TIMEOUT = 30
# The exit statuses with which git reports that nothing was found; 128 is a reflog too short, or a path outside.
_NOT_FOUND_STATUSES = {"check-ignore": (1,), "merge-base": (1,), "--verify": (1, 128)}
# The command line outranks the repository's own configuration. `find_root` checks ownership.
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
# The variables that git inherits besides PATH; none is a key. macOS needs the last one to find its git.
_INHERITED = ("HOME", "TMPDIR", "DEVELOPER_DIR")
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    # git before 2.45 supports only the second of these, which no configuration outranks.
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
    """Run git and return its stdout; raise MachineError if it fails or takes too long.

    The output is empty if git reports that nothing was found.
    """
    try:
        process = subprocess.run(
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
    # A submodule or worktree copied without its repository ignores nothing.
    if arguments[0] == "check-ignore" and b"not a git repository" in process.stderr:
        return b""
    if any(process.returncode in _NOT_FOUND_STATUSES.get(argument, ()) for argument in arguments[:3]):
        return b""
    if process.returncode != 0:
        hint = "run 'git status' there to see what is wrong with the repository"
        raise MachineError(
            "ET805", f"'git {arguments[0]}' failed in '{repository}' with status {process.returncode}", hint
        )
    return process.stdout


def _environment(repository: Path) -> dict[str, str]:
    folders = os.pathsep.join(trusted_folders(_search_path(), repository))
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | _ENVIRONMENT | {"PATH": folders}


def _search_path() -> str:
    return os.environ.get("PATH", os.defpath)


def find_git(repository: Path, purpose: str) -> str:
    """Return the absolute path of git; raise MachineError if there is none, or it is not trusted."""
    path = _find_trusted_git(repository, _search_path())
    if path is None:
        hint = "install git, or work on a copy outside of the repository"
        raise MachineError("ET805", f"git is needed to tell {purpose}", hint)
    return path


@cache
def _find_trusted_git(repository: Path, search_path: str) -> str | None:
    executable = find_executable("git", search_path, repository)
    if executable is None:
        return None
    if executable.problem:
        hint = "put a git first on PATH that only you or root can change, outside of the repository"
        raise MachineError("ET805", f"the first git on PATH is not trusted: {executable.problem}", hint)
    return str(executable.path)
