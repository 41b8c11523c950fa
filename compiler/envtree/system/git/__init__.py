"""Query git for ignored and tracked files, without running anything that the repository configures."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from envtree.model.diagnostic import MachineError
from envtree.system.git.process import find_git, run_git

# With these variables, git works on a repository in another folder.
_REPOSITORY_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE")


def repository_root(path: Path) -> Path | None:
    """Return the nearest folder upwards from `path`, inclusive, with a `.git`; the path need not exist."""
    folder = Path(os.path.realpath(path))
    return next((parent for parent in (folder, *folder.parents) if os.path.lexists(parent / ".git")), None)


def find_ignored(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Return those of the paths, relative to `root`, that git ignores.

    The result is empty outside of a repository; in one, raise MachineError without git.
    """
    return find_ignored_in(root, group_by_repository(root, paths))


def group_by_repository(root: Path, paths: Iterable[str]) -> dict[str, list[str]]:
    """Group paths by the folder of their repository below `root`, empty for the repository that contains `root`.

    The files of a submodule can only be queried in the submodule.
    """
    # The repository of each folder.
    repositories = {"": ""}
    groups: dict[str, list[str]] = {}
    for path in paths:
        folder, unknown = path.rpartition("/")[0], []
        while folder not in repositories:
            unknown.append(folder)
            folder = folder.rpartition("/")[0]
        for folder in reversed(unknown):
            is_repository = os.path.lexists(f"{root}/{folder}/.git")
            repositories[folder] = folder if is_repository else repositories[folder.rpartition("/")[0]]
        groups.setdefault(repositories[path.rpartition("/")[0]], []).append(path)
    return groups


def find_ignored_in(root: Path, groups: Mapping[str, Collection[str]]) -> frozenset[str]:
    """Return the ignored paths of groups by repository; see `find_ignored` and `group_by_repository`."""
    root = Path(os.path.realpath(root))
    return frozenset(
        path for nested, paths in groups.items() for path in _find_ignored_in_repository(root, nested, paths)
    )


def _find_ignored_in_repository(root: Path, nested: str, paths: Collection[str]) -> Iterator[str]:
    outer_repository = repository_root(root)
    repository = root / nested if nested else outer_repository
    if repository is None:
        return
    # The repository that contains a submodule is not trusted either.
    git = find_git(outer_repository or root, f"which files '{repository}' ignores")
    folder = "" if nested else str(root)[len(str(repository).rstrip("/")) + 1 :]
    # The leading `./` keeps a name from being read as pathspec magic.
    prefix, cut = os.path.join("./", folder, ""), len(nested) + 1 if nested else 0
    names = [os.fsencode(prefix + path[cut:]) for path in paths]
    # With the index, check-ignore compares every path with every tracked file; two separate queries are linear.
    answer = run_git(git, repository, ("check-ignore", "--no-index", "-z", "--stdin"), b"\0".join((*names, b"")))
    matched = set(filter(None, answer.split(b"\0")))
    if matched:
        matched -= _tracked_names(git, repository, folder or ".")
        yield from (path for path, name in zip(paths, names, strict=True) if name in matched)


def _tracked_names(git: str, repository: Path, folder: str) -> set[bytes]:
    """Return every tracked file in a folder of a repository, and every folder above one."""
    names: set[bytes] = set()
    for name in _list_tracked(git, repository, folder).split(b"\0"):
        path = b"./" + name
        while path not in names:
            names.add(path)
            path = path.rpartition(b"/")[0]
    return names


def is_git_tracked(folder: Path) -> bool:
    """Report whether git tracks a file in a folder, which need not exist; raise MachineError if that is unknown."""
    target = Path(os.path.realpath(folder))
    repository = repository_root(target)
    if repository is not None:
        git = find_git(repository, f"whether '{folder}' is tracked")
        if _list_tracked(git, repository, os.path.relpath(target, repository)):
            return True
    return _is_tracked_by_named_repository(target, repository or target)


def _is_tracked_by_named_repository(target: Path, repository: Path) -> bool:
    """Report whether the repository of GIT_DIR or GIT_WORK_TREE, which the user's git commands use, tracks a folder."""
    variables = {name: os.environ[name] for name in _REPOSITORY_VARIABLES if name in os.environ}
    if not variables.keys() & {"GIT_DIR", "GIT_WORK_TREE"}:
        return False
    git = find_git(repository, f"whether '{target}' is tracked")
    folder = Path.cwd()
    try:
        answer = run_git(git, folder, ("rev-parse", "--show-toplevel"), extra_environment=variables)
        top = os.fsdecode(answer).removesuffix("\n")
        if not target.is_relative_to(os.path.realpath(top)):
            return False
        return bool(run_git(git, folder, ("ls-files", "-z", "--", f":(literal){target}"), extra_environment=variables))
    except MachineError as error:
        message = f"whether git tracks '{target}' cannot be told with GIT_DIR or GIT_WORK_TREE set: {error.message}"
        raise MachineError(error.code, message, "unset them, or compile with --secrets ref") from None


def read_config(repository: Path) -> dict[str, str]:
    """Return the local configuration of a repository by name; of several values the last."""
    git = find_git(repository, "how it is configured")
    entries = run_git(git, repository, ("config", "--local", "--list", "-z")).decode(errors="replace").split("\0")
    return dict(entry.partition("\n")[::2] for entry in entries)


def set_config_value(repository: Path, name: str, value: str) -> None:
    """Set a value in the local configuration of a repository."""
    git = find_git(repository, "how to configure it")
    run_git(git, repository, ("config", "--local", "--replace-all", name, value))


def _list_tracked(git: str, repository: Path, folder: str) -> bytes:
    # `literal` because the name of a folder may contain `*`.
    return run_git(git, repository, ("ls-files", "-z", "--", f":(literal){folder}"))
