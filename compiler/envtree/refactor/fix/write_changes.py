"""Changes on disk: each file is whole before and after, and none is reached through a link."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from envtree.model.diagnostic import MachineError
from envtree.model.tree_layout import escape_unprintable
from envtree.refactor.fix.file_changes import FileEdit, FileRename
from envtree.system.atomic_files import (
    NO_HARD_LINK_ERRNOS,
    RETRY_HINT,
    check_unchanged,
    exists_in_folder,
    open_parent,
    replace_in_folder,
)


def write_changes(changes: Iterable[FileEdit | FileRename], root: Path) -> None:
    """Make the changes to the tree in a folder; nothing is touched if a file is not as it was checked."""
    changes = tuple(changes)
    if any(".secrets." in change.path.rpartition("/")[2] for change in changes):
        raise ValueError("a fix leads out of the tree, or to secrets")
    for change in changes:
        with open_parent(root, change.path) as (folder, name):
            _check_unchanged(folder, name, change)
    for change in changes:
        with open_parent(root, change.path) as (folder, name):
            if isinstance(change, FileEdit):
                replace_in_folder(folder, name, change.path, change.before, change.after)
            else:
                _rename_file(folder, name, change)


def _check_unchanged(folder: int, name: str, change: FileEdit | FileRename) -> None:
    if isinstance(change, FileEdit):
        check_unchanged(folder, name, change.path, change.before)
    elif not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise MachineError("ET805", f"'{escape_unprintable(change.path)}' is not a regular file any more", RETRY_HINT)


def _rename_file(folder: int, name: str, rename: FileRename) -> None:
    """Give a file its new name: a hard link never overwrites, as a rename would."""
    new = rename.new_path.rpartition("/")[2]
    try:
        os.link(name, new, src_dir_fd=folder, dst_dir_fd=folder)
    except FileExistsError:
        if not _is_same_entry(folder, name, new):
            raise MachineError(
                "ET805", f"'{escape_unprintable(rename.new_path)}' exists, and nothing is overwritten", RETRY_HINT
            ) from None
    except OSError as error:
        if error.errno not in NO_HARD_LINK_ERRNOS:
            raise
        if exists_in_folder(folder, new):
            raise MachineError(
                "ET805", f"'{escape_unprintable(rename.new_path)}' exists, and nothing is overwritten", RETRY_HINT
            ) from None
    else:
        os.unlink(name, dir_fd=folder)
        return
    os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)


def _is_same_entry(folder: int, name: str, new: str) -> bool:
    """Whether both names are those of one directory entry, on a disk that does not tell their case apart."""
    one, other = (os.stat(each, dir_fd=folder, follow_symlinks=False) for each in (name, new))
    return name.lower() == new.lower() and os.path.samestat(one, other) and one.st_nlink == 1
