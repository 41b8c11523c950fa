"""Find programs, and refuse those that another user or a repository could have placed there.

`git` and `sops` run with the user's rights, and sops with the keys, so a checkout must not be able to supply its own.
"""

import functools
import grp
import os
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_ROOT_GROUP = 0
# Members of these groups can become root, or may install programs for all users (/usr/local of Homebrew and Debian).
_ADMIN_GROUPS = frozenset({"admin", "staff", "wheel"})


class Executable(NamedTuple):
    """A program by its absolute path; `problem` is the reason why it is not trusted, empty if it is."""

    path: Path
    problem: str


def find_executable(name: str, search_path: str, *repositories: Path) -> Executable | None:
    """Return the first program of a name on PATH, or None; programs in the repositories are not trusted."""
    location = shutil.which(name, path=search_path)
    if location is None:
        return None
    path = Path(location)
    if not path.is_absolute():
        return Executable(path, f"it was found in '{path.parent}', and this entry of PATH is not absolute")
    return _judge(path, repositories)


def find_bundled(name: str, package: str, *repositories: Path) -> Executable | None:
    """Return the program that is installed with this interpreter, or None: from the package that brings it, or beside.

    The package is looked for only where this interpreter installs packages, never in the current folder, and is not
    imported.
    """
    beside = Path(sys.executable).parent / name
    candidates = (*(folder / package / "bin" / name for folder in _package_folders()), beside)
    path = next((path for path in candidates if path.is_absolute() and os.access(path, os.X_OK)), None)
    return _judge(path, repositories) if path else None


@functools.cache
def _package_folders() -> tuple[Path, ...]:
    # Computing them takes a millisecond, and every folder of PATH is compared with them.
    return tuple(Path(sysconfig.get_path(name)) for name in ("purelib", "platlib"))


def _judge(path: Path, repositories: Iterable[Path]) -> Executable:
    """Return a program with the reason why it is not trusted, if there is one."""
    real = Path(os.path.realpath(path))
    folder_problems = (_folder_problem(path.parent, repositories), _folder_problem(real.parent, repositories))
    problem = next(filter(None, folder_problems), "")
    if not problem and not _is_of_this_python(real.parent):
        problem = _permission_problem(real)
    return Executable(path, problem)


def trusted_folders(search_path: str, *repositories: Path) -> Iterator[str]:
    """Yield the folders of PATH whose programs `find_executable` could trust, as the PATH of a child process."""
    for entry in search_path.split(os.pathsep):
        folder = Path(entry)
        if folder.is_absolute() and os.path.isdir(folder) and not _folder_problem(folder, repositories):
            yield entry


def _folder_problem(folder: Path, repositories: Iterable[Path]) -> str:
    if _is_of_this_python(folder):
        return ""
    spellings = [Path(os.path.normpath(folder)), Path(os.path.realpath(folder))]
    if any(path.is_relative_to(os.path.realpath(root)) for path in spellings for root in repositories):
        return f"'{folder}' lies inside the repository"
    return _permission_problem(folder)


def _is_of_this_python(folder: Path) -> bool:
    # Trusted even in a virtual environment of the tree: anyone who can write there already controls this process.
    real = Path(os.path.realpath(folder))
    if real == Path(os.path.realpath(Path(sys.executable).parent)):
        return True
    return any(real.is_relative_to(os.path.realpath(packages)) for packages in _package_folders())


def _permission_problem(path: Path) -> str:
    """Describe the other users who could change a file or the content of a folder; empty if there are none."""
    status = path.stat()
    if status.st_uid not in (0, os.geteuid()):
        return f"'{path}' belongs to another user"
    if status.st_mode & stat.S_IWOTH:
        return f"'{path}' can be written to by everybody"
    if status.st_mode & stat.S_IWGRP and not _is_trusted_group(status.st_gid):
        return f"'{path}' can be written to by its group"
    return ""


def _is_trusted_group(gid: int) -> bool:
    """Report whether a group is root's, the user's own (many systems create one per user), or one of administrators."""
    if gid in (_ROOT_GROUP, os.getegid()):
        return True
    try:
        return grp.getgrgid(gid).gr_name in _ADMIN_GROUPS
    except KeyError:
        return False
