"""Questions to git, asked so that nothing that the repository configures can run."""

import os
import shutil
import stat
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from envtree.diagnostic import Failure

_TIMEOUT = 30
# What is no failure: `check-ignore` says 1 when nothing is ignored.
_STATUSES = {"check-ignore": (0, 1), "ls-files": (0,)}
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
    """Those of the paths, relative to `root`, that git ignores: none without git or outside a repository."""
    found: set[str] = set()
    root = Path(os.path.realpath(root))
    for repository, members in _by_repository(root, paths).items():
        program = _program(repository)
        if program is None:
            continue
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
    if repository is None:
        return False
    program = _program(repository)
    if program is None:
        hint = "install git, or write outside the repository"
        raise Failure("ET805", f"git is needed to tell whether '{folder}' is tracked", hint)
    return bool(_list(program, repository, os.path.relpath(target, repository)))


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


def _ask(program: str, repository: Path, question: tuple[str, ...], names: Iterable[bytes] = ()) -> bytes:
    try:
        done = subprocess.run(
            (program, *_HARDENED, *question),
            input=b"".join(name + b"\0" for name in names),
            capture_output=True,
            cwd=repository,
            env=_environment(),
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failure("ET805", f"git took longer than {_TIMEOUT} seconds in '{repository}'") from None
    except OSError as error:
        raise Failure("ET805", f"git cannot be started: {(error.strerror or 'unknown error').lower()}") from None
    # A submodule or worktree copied without its repository: nothing there ignores anything.
    if question[0] == "check-ignore" and b"not a git repository" in done.stderr:
        return b""
    if done.returncode not in _STATUSES[question[0]]:
        hint = "run 'git status' there to see what is wrong with the repository"
        raise Failure("ET805", f"'git {question[0]}' failed in '{repository}' with status {done.returncode}", hint)
    return done.stdout


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | _ENVIRONMENT


def _program(repository: Path) -> str | None:
    """The absolute path of git, or None without one; a git that somebody may have planted is refused."""
    return _resolve(repository, os.environ.get("PATH", os.defpath))


@cache
def _resolve(repository: Path, search: str) -> str | None:
    found = shutil.which("git", path=search)
    if found is None:
        return None
    program = Path(os.path.abspath(found))
    for folder in (program.parent, Path(os.path.realpath(program)).parent):
        # A virtual environment inside the tree is as trusted as the Python that runs this.
        inside = folder.is_relative_to(repository) and folder != Path(sys.executable).parent
        if inside or os.stat(folder).st_mode & stat.S_IWOTH:
            raise Failure("ET805", f"git in '{folder}' is not trusted: others can write there", "take it off PATH")
    return str(program)
