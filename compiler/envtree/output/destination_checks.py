"""Refuse a destination that is the tree, a link, another user's, or tracked by git in plain mode."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from envtree.model.artifact import Output
from envtree.model.diagnostic import RefusedError
from envtree.model.tree_layout import SOURCE_FOLDERS
from envtree.system import disk


def output_path(output: Output, is_tracked: Callable[[Path], bool]) -> str:
    """Return the absolute path of the output; raise RefusedError if it may not be one."""
    path = _absolute_path(output)
    exists = _exists(path, output)
    _check_tracked(path, output, is_tracked)
    if exists:
        with disk.translate_os_errors(output.folder):
            check_staging_folder(str(path))
            _check_content(path, output)
    return str(path)


def archive_path(output: Output, is_tracked: Callable[[Path], bool]) -> str:
    """Return the absolute path of the archive; raise RefusedError if it may not be one; a file there is replaced."""
    path = _absolute_path(output)
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        raise RefusedError(
            "ET806", f"the archive '{output.folder}' is there, and no regular file", "choose another name"
        )
    if output.mode == "plain" and is_tracked(path):
        message = f"git tracks '{output.folder}', and plain bundles hold secrets"
        raise RefusedError("ET801", message, "choose another file, or compile with --secrets ref")
    return str(path)


def check_staging_folder(root: str) -> None:
    """Refuse a staging folder that envtree cannot have left, because its journal names files to replace and remove.

    Private permissions are the evidence: git, for one, checks out nothing that only the user can read.
    """
    for name, has_type in ((disk.STAGING_FOLDER, stat.S_ISDIR), (disk.JOURNAL_FILE, stat.S_ISREG)):
        path = f"{root}/{name}"
        if os.path.lexists(path) and not (has_type(os.lstat(path).st_mode) and _is_private(path)):
            raise RefusedError("ET806", f"'{path}' is not what envtree left there", "look at it, and delete it")


def _absolute_path(output: Output) -> Path:
    """Return the path of an output; raise RefusedError if it is among the tree's own files."""
    path = Path(os.path.abspath(output.folder))
    # Parents of the output may be links (`/tmp` often is one); the output itself may not.
    path = path.parent.resolve() / path.name
    _check_outside_sources(path, output)
    return path


def _check_outside_sources(path: Path, output: Output) -> None:
    if output.tree_root is None:
        return
    root = output.tree_root.resolve()
    hint = "choose a folder of its own, such as 'out'"
    if root.is_relative_to(path):
        raise RefusedError("ET806", f"the output '{output.folder}' holds the tree itself", hint)
    if path.is_relative_to(root) and path.relative_to(root).parts[0] in SOURCE_FOLDERS:
        raise RefusedError("ET806", f"the output '{output.folder}' is inside a folder of the tree's own files", hint)


def _exists(path: Path, output: Output) -> bool:
    """Return whether the output exists; raise RefusedError if it is not a folder of this user."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISLNK(status.st_mode):
        raise RefusedError("ET806", f"the output '{output.folder}' is a symbolic link", "name the folder it points to")
    if not stat.S_ISDIR(status.st_mode):
        raise RefusedError("ET806", f"the output '{output.folder}' is not a folder", "choose another name")
    if status.st_uid != os.geteuid():
        raise RefusedError(
            "ET806", f"the output '{output.folder}' belongs to another user", "choose a folder of your own"
        )
    return True


def _is_private(path: str) -> bool:
    """Return whether only this user can read or change the file or folder."""
    status = os.lstat(path)
    return status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _check_content(path: Path, output: Output) -> None:
    """Refuse plain output into a folder with other files, because it restricts its folder and hides it from git."""
    if output.mode != "plain" or not set(os.listdir(path)) - {disk.LOCK_FILE, disk.STAGING_FOLDER}:
        return
    # The order matters: the commit of another run removes its journal once the manifest exists.
    if not any(os.path.lexists(path / name) for name in (disk.JOURNAL_FILE, disk.MANIFEST_FILE)):
        hint = "choose an empty folder, or one that does not exist yet"
        raise RefusedError("ET806", f"the output '{output.folder}' holds files that envtree did not write", hint)


def _check_tracked(path: Path, output: Output, is_tracked: Callable[[Path], bool]) -> None:
    if output.mode == "plain" and is_tracked(path):
        raise RefusedError(
            "ET801",
            f"git tracks files in '{output.folder}', and plain bundles hold secrets",
            "choose another folder, take it out with 'git rm -r --cached', or compile with --secrets ref",
        )
    staging = path / disk.STAGING_FOLDER
    if os.path.lexists(staging) and is_tracked(staging):
        message = f"git tracks '{output.folder}/{disk.STAGING_FOLDER}', which envtree never commits"
        raise RefusedError("ET806", message, "look at it, and delete it with 'git rm -r'")
