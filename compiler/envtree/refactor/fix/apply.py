"""Changes on disk: each file is whole before and after, and none is reached through a link."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from envtree.model.diagnostic import Failure
from envtree.model.tree_layout import shown
from envtree.refactor.fix.change import Edit, Rename
from envtree.system.atomic_files import AGAIN, NO_HARD_LINKS, at, exchange, exists, unchanged


def apply(changes: Iterable[Edit | Rename], root: Path) -> None:
    """Make the changes to the tree in a folder; nothing is touched if a file is not as it was checked."""
    changes = tuple(changes)
    if any(".secrets." in change.path.rpartition("/")[2] for change in changes):
        raise ValueError("a fix leads out of the tree, or to secrets")
    for change in changes:
        with at(root, change.path) as (folder, name):
            _check(folder, name, change)
    for change in changes:
        with at(root, change.path) as (folder, name):
            if isinstance(change, Edit):
                exchange(folder, name, change.path, change.before, change.after)
            else:
                _rename(folder, name, change)


def _check(folder: int, name: str, change: Edit | Rename) -> None:
    if isinstance(change, Edit):
        unchanged(folder, name, change.path, change.before)
    elif not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise Failure("ET805", f"'{shown(change.path)}' is not a regular file any more", AGAIN)


def _rename(folder: int, name: str, rename: Rename) -> None:
    """Give a file its new name: a hard link never overwrites, as a rename would."""
    new = rename.new.rpartition("/")[2]
    try:
        os.link(name, new, src_dir_fd=folder, dst_dir_fd=folder)
    except FileExistsError:
        if not _is_itself(folder, name, new):
            raise Failure("ET805", f"'{shown(rename.new)}' exists, and nothing is overwritten", AGAIN) from None
    except OSError as error:
        if error.errno not in NO_HARD_LINKS:
            raise
        if exists(folder, new):
            raise Failure("ET805", f"'{shown(rename.new)}' exists, and nothing is overwritten", AGAIN) from None
    else:
        os.unlink(name, dir_fd=folder)
        return
    os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)


def _is_itself(folder: int, name: str, new: str) -> bool:
    """Whether both names are those of one directory entry, on a disk that does not tell their case apart."""
    one, other = (os.stat(each, dir_fd=folder, follow_symlinks=False) for each in (name, new))
    return name.lower() == new.lower() and os.path.samestat(one, other) and one.st_nlink == 1
