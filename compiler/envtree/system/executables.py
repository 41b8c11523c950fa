"""Programs of the machine: what PATH names, unless somebody else could have put it there.

`git` and `sops` run with the user's rights, and sops with the keys, so a checkout must not bring its own.
"""

import grp
import os
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

_ROOT_GROUP = 0
# Who is in one of these can become root, or may install programs for all: Homebrew's and Debian's /usr/local.
_ADMIN_GROUPS = frozenset({"admin", "staff", "wheel"})


class Executable(NamedTuple):
    """A program by its absolute path, and why it is not to be trusted; `problem` is empty if it is."""

    path: Path
    problem: str


def find_executable(name: str, search_path: str, *repositories: Path) -> Executable | None:
    """The first program of that name on PATH, None without one; nothing of the repositories is trusted."""
    found = shutil.which(name, path=search_path)
    if found is None:
        return None
    path = Path(found)
    if not path.is_absolute():
        return Executable(path, f"it was found in '{path.parent}', and this entry of PATH is not absolute")
    real = Path(os.path.realpath(path))
    folders = (_folder_problem(path.parent, repositories), _folder_problem(real.parent, repositories))
    problem = next(filter(None, folders), "")
    if not problem and not _is_beside_python(real.parent):
        problem = _permission_problem(real)
    return Executable(path, problem)


def trusted_folders(search_path: str, *repositories: Path) -> Iterator[str]:
    """PATH for a child process, without the folders in which `find` would trust nothing."""
    for entry in search_path.split(os.pathsep):
        folder = Path(entry)
        if folder.is_absolute() and os.path.isdir(folder) and not _folder_problem(folder, repositories):
            yield entry


def _folder_problem(folder: Path, repositories: Iterable[Path]) -> str:
    if _is_beside_python(folder):
        return ""
    spellings = [Path(os.path.normpath(folder)), Path(os.path.realpath(folder))]
    if any(path.is_relative_to(os.path.realpath(one)) for path in spellings for one in repositories):
        return f"'{folder}' lies inside the repository"
    return _permission_problem(folder)


def _is_beside_python(folder: Path) -> bool:
    # Whoever can write there, a virtual environment of the tree included, has already chosen what runs.
    return os.path.realpath(folder) == os.path.realpath(Path(sys.executable).parent)


def _permission_problem(path: Path) -> str:
    """Who else could change a file, or what a folder holds."""
    found = path.stat()
    if found.st_uid not in (0, os.geteuid()):
        return f"'{path}' belongs to another user"
    if found.st_mode & stat.S_IWOTH:
        return f"'{path}' can be written to by everybody"
    if found.st_mode & stat.S_IWGRP and not _is_trusted_group(found.st_gid):
        return f"'{path}' can be written to by its group"
    return ""


def _is_trusted_group(gid: int) -> bool:
    """Root's group, the user's own, which many systems make for each user, and those who administer the machine."""
    if gid in (_ROOT_GROUP, os.getegid()):
        return True
    try:
        return grp.getgrgid(gid).gr_name in _ADMIN_GROUPS
    except KeyError:
        return False
