"""Questions to git, asked so that nothing that the repository configures can run."""

import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from envtree.diagnostic import Failure, reason
from envtree.programs import find, trusted_folders

_TIMEOUT = 30
# What is no failure: `check-ignore` says 1 when nothing is ignored.
_STATUSES = {"check-ignore": (0, 1), "ls-files": (0,), "rev-parse": (0,)}
# The command line outranks the repository's own configuration. Ownership is checked where the root is found.
_HARDENED = (
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
# With these a user has git work on a repository that lies elsewhere.
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE")
_ENVIRONMENT = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


def repository_root(path: Path) -> Path | None:
    """The nearest folder upwards, `path` included, that holds a `.git`; the path need not exist."""
    folder = Path(os.path.realpath(path))
    return next((at for at in (folder, *folder.parents) if os.path.lexists(at / ".git")), None)


def ignored(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Those of the paths, relative to `root`, that git ignores, none outside of a repository; raises without git."""
    found: set[str] = set()
    root = Path(os.path.realpath(root))
    for repository, members in _by_repository(root, paths).items():
        # The repository around a submodule is not trusted either.
        program = _program(repository_root(root) or root, f"which files '{repository}' ignores")
        cut = len(str(repository).rstrip("/")) + 1
        # The leading `./` keeps a name from being read as pathspec magic.
        names = {b"./" + os.fsencode(os.path.join(root, path)[cut:]): path for path in members}
        # With the index, check-ignore compares every path with every tracked file; asking for both is linear.
        answer = _ask(program, repository, ("check-ignore", "--no-index", "-z", "--stdin"), names)
        matched = {name for name in answer.split(b"\0") if name}
        if matched:
            matched -= _tracked_names(program, repository, str(root)[cut:] or ".")
        found.update(names[name] for name in matched)
    return frozenset(found)


def _tracked_names(program: str, repository: Path, inside: str) -> set[bytes]:
    """Every tracked file in a folder of a repository, and every folder above one."""
    names: set[bytes] = set()
    for name in _list(program, repository, inside).split(b"\0"):
        path = b"./" + name
        while path not in names:
            names.add(path)
            path = path.rpartition(b"/")[0]
    return names


def tracked(folder: Path) -> bool:
    """Whether git tracks anything in a folder, which need not exist; raises when that cannot be told."""
    target = Path(os.path.realpath(folder))
    repository = repository_root(target)
    if repository is not None:
        program = _program(repository, f"whether '{folder}' is tracked")
        if _list(program, repository, os.path.relpath(target, repository)):
            return True
    return _tracked_from_elsewhere(target, repository or target)


def _tracked_from_elsewhere(target: Path, repository: Path) -> bool:
    """The same, asked of the repository that GIT_DIR or GIT_WORK_TREE name, as the user's own git commands will."""
    named = {name: os.environ[name] for name in _ELSEWHERE if name in os.environ}
    if not named.keys() & {"GIT_DIR", "GIT_WORK_TREE"}:
        return False
    program = _program(repository, f"whether '{target}' is tracked")
    here = Path.cwd()
    try:
        top = os.fsdecode(_ask(program, here, ("rev-parse", "--show-toplevel"), named=named)).removesuffix("\n")
        if not target.is_relative_to(os.path.realpath(top)):
            return False
        return bool(_ask(program, here, ("ls-files", "-z", "--", f":(literal){target}"), named=named))
    except Failure as failure:
        message = f"whether git tracks '{target}' cannot be told with GIT_DIR or GIT_WORK_TREE set: {failure.message}"
        raise Failure(failure.code, message, "unset them, or compile with --secrets ref") from None


def _list(program: str, repository: Path, inside: str) -> bytes:
    # `literal` because a folder's name may hold `*`.
    return _ask(program, repository, ("ls-files", "-z", "--", f":(literal){inside}"))


def _by_repository(root: Path, paths: Iterable[str]) -> dict[Path, list[str]]:
    """The paths by the repository that they lie in: a submodule answers for itself."""
    homes = {"": repository_root(root)}
    groups: dict[Path, list[str]] = defaultdict(list)
    for path in paths:
        folder, unknown = path.rpartition("/")[0], []
        while folder not in homes:
            unknown.append(folder)
            folder = folder.rpartition("/")[0]
        for below in reversed(unknown):
            nested = os.path.lexists(f"{root}/{below}/.git")
            homes[below] = root / below if nested else homes[below.rpartition("/")[0]]
        repository = homes[path.rpartition("/")[0]]
        if repository is not None:
            groups[repository].append(path)
    return groups


def _ask(
    program: str,
    repository: Path,
    question: tuple[str, ...],
    names: Iterable[bytes] = (),
    named: dict[str, str] | None = None,
) -> bytes:
    try:
        done = subprocess.run(
            (program, *_HARDENED, *question),
            input=b"".join(name + b"\0" for name in names),
            capture_output=True,
            cwd=repository,
            env=_environment(repository) | (named or {}),
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure("ET805", f"git took longer than {_TIMEOUT} seconds in '{repository}'") from None
    except OSError as error:
        raise Failure("ET805", f"git cannot be started: {reason(error)}") from None
    # A submodule or worktree copied without its repository: nothing there ignores anything.
    if question[0] == "check-ignore" and b"not a git repository" in done.stderr:
        return b""
    if done.returncode not in _STATUSES[question[0]]:
        hint = "run 'git status' there to see what is wrong with the repository"
        raise Failure("ET805", f"'git {question[0]}' failed in '{repository}' with status {done.returncode}", hint)
    return done.stdout


def _environment(repository: Path) -> dict[str, str]:
    folders = os.pathsep.join(trusted_folders(_search_path(), repository))
    return {name: os.environ[name] for name in _INHERITED if name in os.environ} | _ENVIRONMENT | {"PATH": folders}


def _search_path() -> str:
    return os.environ.get("PATH", os.defpath)


def _program(repository: Path, question: str) -> str:
    """The absolute path of git; a Failure without one, or if somebody may have planted it."""
    program = _find(repository, _search_path())
    if program is None:
        hint = "install git, or work on a copy outside of the repository"
        raise Failure("ET805", f"git is needed to tell {question}", hint)
    return program


@cache
def _find(repository: Path, search_path: str) -> str | None:
    found = find("git", search_path, repository)
    if found is None:
        return None
    if found.problem:
        hint = "put a git first on PATH that only you or root can change, outside of the repository"
        raise Failure("ET805", f"the first git on PATH is not trusted: {found.problem}", hint)
    return str(found.path)
