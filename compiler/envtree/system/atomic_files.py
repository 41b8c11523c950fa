"""Files of a tree change as a whole: each is old or new at any moment, and none is reached through a link."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

from envtree.model.diagnostic import MachineError, RefusedError, os_error_reason
from envtree.model.tree_layout import escape_unprintable

RETRY_HINT = "somebody else is working here: run the command again"
NO_HARD_LINK_ERRNOS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})

_OPEN_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Writing is asked for so that a file that must not be written is not replaced either.
_OPEN_FILE_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def read_file_in_tree(root: Path, path: str) -> bytes | None:
    """The bytes of a regular file, None where there is none; a Refusal for anything else there or on the way."""
    place = str(root)
    for part in path.split("/"):
        place = f"{place}/{part}"
        try:
            mode = os.lstat(place).st_mode
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MachineError("ET805", f"cannot read '{escape_unprintable(path)}': {os_error_reason(error)}") from None
        if not (stat.S_ISREG(mode) if place == f"{root}/{path}" else stat.S_ISDIR(mode)):
            what = "is a link, or no file" if place == f"{root}/{path}" else "lies behind a link, or a file"
            raise RefusedError(
                "ET808", f"'{escape_unprintable(path)}' {what}, and is not written", "replace it with a file of its own"
            )
    with open_parent(root, path) as (folder, name), open(os.open(name, _OPEN_FILE_FLAGS, dir_fd=folder), "rb") as file:
        return file.read()


def replace_file(root: Path, path: str, before: bytes, after: bytes) -> None:
    """Give a file other bytes; it must still have those from before, and keeps its permissions."""
    with open_parent(root, path) as (folder, name):
        replace_in_folder(folder, name, path, before, after)


def create_file(root: Path, path: str, content: bytes) -> None:
    """Write a new file, and the folders that it needs; nothing is overwritten."""
    with open_parent(root, path, create_folders=True) as (folder, name):
        draft = _write_draft(folder, content, 0o666)
        try:
            _link_draft(folder, draft, name, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=folder)


@contextmanager
def open_parent(root: Path, path: str, *, create_folders: bool = False) -> Iterator[tuple[int, str]]:
    """The open folder of a file and the file's name; no folder on the way is a link."""
    *folders, name = path.split("/")
    if not name or not set(folders).isdisjoint(("", ".", "..")):
        raise ValueError("a path leads out of the tree")
    try:
        opened = os.open(root, _OPEN_FOLDER_FLAGS)
        try:
            for folder in folders:
                if create_folders:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=opened)
                below = os.open(folder, _OPEN_FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=opened)
                os.close(opened)
                opened = below
            yield opened, name
        finally:
            os.close(opened)
    except OSError as error:
        hint = "check its permissions" if isinstance(error, PermissionError) else ""
        raise MachineError(
            "ET805", f"cannot write '{escape_unprintable(path)}': {os_error_reason(error)}", hint
        ) from None


def check_unchanged(folder: int, name: str, path: str, before: bytes) -> os.stat_result:
    """The status of a file that has these bytes; a Failure if it has others."""
    with open(os.open(name, _OPEN_FILE_FLAGS, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or file.read(len(before) + 1) != before:
            raise MachineError("ET805", f"'{escape_unprintable(path)}' is not as it was checked", RETRY_HINT)
    return status


def replace_in_folder(folder: int, name: str, path: str, before: bytes, after: bytes) -> None:
    """The same as `replace` in an open folder."""
    status = check_unchanged(folder, name, path, before)
    draft = _write_draft(folder, after, 0o600, status)
    try:
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise


def _write_draft(folder: int, content: bytes, bits: int, template: os.stat_result | None = None) -> str:
    """A file with another name that will be renamed."""
    draft = f".envtree-draft-{token_hex(8)}"
    try:
        with open(os.open(draft, _CREATE_FLAGS, bits, dir_fd=folder), "wb") as file:
            file.write(content)
            file.flush()
            if template:
                _copy_owner_and_mode(file.fileno(), template)
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise
    return draft


def _copy_owner_and_mode(file: int, status: os.stat_result) -> None:
    """Owner and permissions as they were; the owner only where this user may."""
    mine = os.fstat(file)
    if (mine.st_uid, mine.st_gid) != (status.st_uid, status.st_gid):
        with suppress(PermissionError):
            os.fchown(file, status.st_uid, status.st_gid)
    os.fchmod(file, stat.S_IMODE(status.st_mode))


def _link_draft(folder: int, draft: str, name: str, path: str) -> None:
    """A hard link never overwrites, as a rename would."""
    try:
        os.link(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
        return
    except FileExistsError:
        pass
    except OSError as error:
        if error.errno not in NO_HARD_LINK_ERRNOS:
            raise
        if not exists_in_folder(folder, name):
            os.rename(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
            return
    raise MachineError("ET805", f"'{escape_unprintable(path)}' exists, and nothing is overwritten", RETRY_HINT)


def exists_in_folder(folder: int, name: str) -> bool:
    """Whether anything has a name in an open folder."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
