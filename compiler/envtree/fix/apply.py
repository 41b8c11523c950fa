"""Changes on disk: each file is whole before and after, and none is reached through a link."""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from envtree.diagnostic import Failure, reason
from envtree.fix.change import Edit, Rename
from envtree.layout import shown

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Writing is asked for so that a file that must not be written is not replaced either.
_FILE = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_AGAIN = "somebody else is working here: run the command again"


def apply(changes: Iterable[Edit | Rename], root: Path) -> None:
    """Make the changes to the tree in a folder; nothing is touched if a file is not as it was checked."""
    changes = tuple(changes)
    for change in changes:
        with _at(root, change.path) as (folder, name):
            _check(folder, name, change)
    for change in changes:
        with _at(root, change.path) as (folder, name):
            if isinstance(change, Edit):
                _replace(folder, name, change)
            else:
                _rename(folder, name, change)


@contextmanager
def _at(root: Path, path: str) -> Iterator[tuple[int, str]]:
    """The open folder of a file and the file's name; no folder on the way is a link."""
    *folders, name = path.split("/")
    if not name or not set(folders).isdisjoint(("", ".", "..")) or ".secrets." in name:
        raise ValueError("a fix leads out of the tree, or to secrets")
    try:
        at = os.open(root, _FOLDER)
        try:
            for folder in folders:
                below = os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
                os.close(at)
                at = below
            yield at, name
        finally:
            os.close(at)
    except OSError as error:
        hint = "check its permissions" if isinstance(error, PermissionError) else ""
        raise Failure("ET805", f"cannot write '{shown(path)}': {reason(error)}", hint) from None


def _check(folder: int, name: str, change: Edit | Rename) -> None:
    if isinstance(change, Edit):
        _status(folder, name, change)
    elif not stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
        raise Failure("ET805", f"'{shown(change.path)}' is not a regular file any more", _AGAIN)


def _status(folder: int, name: str, edit: Edit) -> os.stat_result:
    """The status of a file that is as it was checked."""
    with open(os.open(name, _FILE, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or file.read(len(edit.before) + 1) != edit.before:
            raise Failure("ET805", f"'{shown(edit.path)}' is not as it was checked", _AGAIN)
    return status


def _replace(folder: int, name: str, edit: Edit) -> None:
    status = _status(folder, name, edit)
    draft = f".envtree-fix-{token_hex(8)}"
    try:
        with open(os.open(draft, _NEW, 0o600, dir_fd=folder), "wb") as file:
            file.write(edit.after)
            file.flush()
            _make_alike(file.fileno(), status)
            os.fsync(file.fileno())
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise


def _make_alike(file: int, status: os.stat_result) -> None:
    """Owner and permissions as they were; the owner only where this user may."""
    mine = os.fstat(file)
    if (mine.st_uid, mine.st_gid) != (status.st_uid, status.st_gid):
        with suppress(PermissionError):
            os.fchown(file, status.st_uid, status.st_gid)
    os.fchmod(file, stat.S_IMODE(status.st_mode))


def _rename(folder: int, name: str, rename: Rename) -> None:
    """Give a file its new name: a hard link never overwrites, as a rename would."""
    new = rename.new.rpartition("/")[2]
    try:
        os.link(name, new, src_dir_fd=folder, dst_dir_fd=folder)
    except FileExistsError:
        if not _is_itself(folder, name, new):
            raise Failure("ET805", f"'{shown(rename.new)}' exists, and nothing is overwritten", _AGAIN) from None
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        if _exists(folder, new):
            raise Failure("ET805", f"'{shown(rename.new)}' exists, and nothing is overwritten", _AGAIN) from None
    else:
        os.unlink(name, dir_fd=folder)
        return
    os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)


def _is_itself(folder: int, name: str, new: str) -> bool:
    """Whether both names are those of one directory entry, on a disk that does not tell their case apart."""
    one, other = (os.stat(each, dir_fd=folder, follow_symlinks=False) for each in (name, new))
    return name.lower() == new.lower() and os.path.samestat(one, other) and one.st_nlink == 1


def _exists(folder: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
