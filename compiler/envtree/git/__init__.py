"""Questions to git, asked so that nothing that the repository configures can run."""

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from envtree.diagnostic import Failure
from envtree.git.process import ask, program

# With these a user has git work on a repository that lies elsewhere.
_ELSEWHERE = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE")


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
        git = program(repository_root(root) or root, f"which files '{repository}' ignores")
        cut = len(str(repository).rstrip("/")) + 1
        # The leading `./` keeps a name from being read as pathspec magic.
        names = {b"./" + os.fsencode(os.path.join(root, path)[cut:]): path for path in members}
        # With the index, check-ignore compares every path with every tracked file; asking for both is linear.
        told = b"".join(name + b"\0" for name in names)
        answer = ask(git, repository, ("check-ignore", "--no-index", "-z", "--stdin"), told)
        matched = {name for name in answer.split(b"\0") if name}
        if matched:
            matched -= _tracked_names(git, repository, str(root)[cut:] or ".")
        found.update(names[name] for name in matched)
    return frozenset(found)


def _tracked_names(git: str, repository: Path, inside: str) -> set[bytes]:
    """Every tracked file in a folder of a repository, and every folder above one."""
    names: set[bytes] = set()
    for name in _list(git, repository, inside).split(b"\0"):
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
        git = program(repository, f"whether '{folder}' is tracked")
        if _list(git, repository, os.path.relpath(target, repository)):
            return True
    return _tracked_from_elsewhere(target, repository or target)


def _tracked_from_elsewhere(target: Path, repository: Path) -> bool:
    """The same, asked of the repository that GIT_DIR or GIT_WORK_TREE name, as the user's own git commands will."""
    named = {name: os.environ[name] for name in _ELSEWHERE if name in os.environ}
    if not named.keys() & {"GIT_DIR", "GIT_WORK_TREE"}:
        return False
    git = program(repository, f"whether '{target}' is tracked")
    here = Path.cwd()
    try:
        top = os.fsdecode(ask(git, here, ("rev-parse", "--show-toplevel"), named=named)).removesuffix("\n")
        if not target.is_relative_to(os.path.realpath(top)):
            return False
        return bool(ask(git, here, ("ls-files", "-z", "--", f":(literal){target}"), named=named))
    except Failure as failure:
        message = f"whether git tracks '{target}' cannot be told with GIT_DIR or GIT_WORK_TREE set: {failure.message}"
        raise Failure(failure.code, message, "unset them, or compile with --secrets ref") from None


def configure(repository: Path, name: str, value: str) -> None:
    """Set one value of a repository's own configuration."""
    git = program(repository, "how to configure it")
    ask(git, repository, ("config", "--local", "--replace-all", name, value))


def _list(git: str, repository: Path, inside: str) -> bytes:
    # `literal` because a folder's name may hold `*`.
    return ask(git, repository, ("ls-files", "-z", "--", f":(literal){inside}"))


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
