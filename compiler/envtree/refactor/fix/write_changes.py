"""Write changes to disk: each file is replaced atomically, and links are not followed."""

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
    """Make the changes to the tree in a folder; nothing is written if a file differs from the one that was checked."""
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
    """Rename a file by a hard link, which never overwrites another file, as a rename would."""
    new_name = rename.new_path.rpartition("/")[2]
    try:
        os.link(name, new_name, src_dir_fd=folder, dst_dir_fd=folder)
    except FileExistsError:
        if not _is_same_entry(folder, name, new_name):
            raise MachineError(
                "ET805", f"'{escape_unprintable(rename.new_path)}' exists, and nothing is overwritten", RETRY_HINT
            ) from None
    except OSError as error:
        if error.errno not in NO_HARD_LINK_ERRNOS:
            raise
        if exists_in_folder(folder, new_name):
            raise MachineError(
                "ET805", f"'{escape_unprintable(rename.new_path)}' exists, and nothing is overwritten", RETRY_HINT
            ) from None
    else:
        os.unlink(name, dir_fd=folder)
        return
    os.rename(name, new_name, src_dir_fd=folder, dst_dir_fd=folder)


def _is_same_entry(folder: int, name: str, new_name: str) -> bool:
    """Report whether both names refer to one directory entry, on a disk that ignores case."""
    old, new = (os.stat(entry, dir_fd=folder, follow_symlinks=False) for entry in (name, new_name))
    return name.lower() == new_name.lower() and os.path.samestat(old, new) and old.st_nlink == 1
