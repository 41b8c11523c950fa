"""Questions to git, asked so that nothing that the repository configures can run."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from envtree.model.diagnostic import MachineError
from envtree.system.git.process import find_git, run_git

# With these a user has git work on a repository that lies elsewhere.
_REPOSITORY_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE")


def repository_root(path: Path) -> Path | None:
    """The nearest folder upwards, `path` included, that holds a `.git`; the path need not exist."""
    folder = Path(os.path.realpath(path))
    return next((at for at in (folder, *folder.parents) if os.path.lexists(at / ".git")), None)


def find_ignored(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Those of the paths, relative to `root`, that git ignores, none outside of a repository; raises without git."""
    return find_ignored_in(root, group_by_repository(root, paths))


def group_by_repository(root: Path, paths: Iterable[str]) -> dict[str, list[str]]:
    """The paths by where the repository below `root` lies that they are in, empty for the one around: a submodule
    answers for itself.
    """
    homes = {"": ""}
    groups: dict[str, list[str]] = {}
    for path in paths:
        folder, unknown = path.rpartition("/")[0], []
        while folder not in homes:
            unknown.append(folder)
            folder = folder.rpartition("/")[0]
        for below in reversed(unknown):
            homes[below] = below if os.path.lexists(f"{root}/{below}/.git") else homes[below.rpartition("/")[0]]
        groups.setdefault(homes[path.rpartition("/")[0]], []).append(path)
    return groups


def find_ignored_in(root: Path, groups: Mapping[str, Collection[str]]) -> frozenset[str]:
    """The same, of paths by where their repository lies below `root`."""
    root = Path(os.path.realpath(root))
    return frozenset(
        path for nested, paths in groups.items() for path in _find_ignored_in_repository(root, nested, paths)
    )


def _find_ignored_in_repository(root: Path, nested: str, paths: Collection[str]) -> Iterator[str]:
    around = repository_root(root)
    repository = root / nested if nested else around
    if repository is None:
        return
    # The repository around a submodule is not trusted either.
    git = find_git(around or root, f"which files '{repository}' ignores")
    inside = "" if nested else str(root)[len(str(repository).rstrip("/")) + 1 :]
    # The leading `./` keeps a name from being read as pathspec magic.
    lead, cut = os.path.join("./", inside, ""), len(nested) + 1 if nested else 0
    names = [os.fsencode(lead + path[cut:]) for path in paths]
    # With the index, check-ignore compares every path with every tracked file; asking for both is linear.
    answer = run_git(git, repository, ("check-ignore", "--no-index", "-z", "--stdin"), b"\0".join((*names, b"")))
    matched = set(filter(None, answer.split(b"\0")))
    if matched:
        matched -= _tracked_names(git, repository, inside or ".")
        yield from (path for path, name in zip(paths, names, strict=True) if name in matched)


def _tracked_names(git: str, repository: Path, inside: str) -> set[bytes]:
    """Every tracked file in a folder of a repository, and every folder above one."""
    names: set[bytes] = set()
    for name in _list_tracked(git, repository, inside).split(b"\0"):
        path = b"./" + name
        while path not in names:
            names.add(path)
            path = path.rpartition(b"/")[0]
    return names


def is_git_tracked(folder: Path) -> bool:
    """Whether git tracks anything in a folder, which need not exist; raises when that cannot be told."""
    target = Path(os.path.realpath(folder))
    repository = repository_root(target)
    if repository is not None:
        git = find_git(repository, f"whether '{folder}' is tracked")
        if _list_tracked(git, repository, os.path.relpath(target, repository)):
            return True
    return _is_tracked_by_named_repository(target, repository or target)


def _is_tracked_by_named_repository(target: Path, repository: Path) -> bool:
    """The same, asked of the repository that GIT_DIR or GIT_WORK_TREE name, as the user's own git commands will."""
    named = {name: os.environ[name] for name in _REPOSITORY_VARIABLES if name in os.environ}
    if not named.keys() & {"GIT_DIR", "GIT_WORK_TREE"}:
        return False
    git = find_git(repository, f"whether '{target}' is tracked")
    here = Path.cwd()
    try:
        top = os.fsdecode(run_git(git, here, ("rev-parse", "--show-toplevel"), extra_environment=named)).removesuffix(
            "\n"
        )
        if not target.is_relative_to(os.path.realpath(top)):
            return False
        return bool(run_git(git, here, ("ls-files", "-z", "--", f":(literal){target}"), extra_environment=named))
    except MachineError as failure:
        message = f"whether git tracks '{target}' cannot be told with GIT_DIR or GIT_WORK_TREE set: {failure.message}"
        raise MachineError(failure.code, message, "unset them, or compile with --secrets ref") from None


def set_config_value(repository: Path, name: str, value: str) -> None:
    """Set one value of a repository's own configuration."""
    git = find_git(repository, "how to configure it")
    run_git(git, repository, ("config", "--local", "--replace-all", name, value))


def _list_tracked(git: str, repository: Path, inside: str) -> bytes:
    # `literal` because a folder's name may hold `*`.
    return run_git(git, repository, ("ls-files", "-z", "--", f":(literal){inside}"))
