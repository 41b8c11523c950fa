"""Atomic changes of files in a tree: a file is old or new at any moment, and no path is followed through a link."""

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
# Opened for writing, so that a file without write permission is not replaced either.
_OPEN_FILE_FLAGS = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def read_file_in_tree(root: Path, path: str) -> bytes | None:
    """Return the bytes of a regular file, None if it does not exist.

    Raise RefusedError for anything but a regular file at the path, and anything but folders above it.
    """
    current = str(root)
    for segment in path.split("/"):
        current = f"{current}/{segment}"
        try:
            mode = os.lstat(current).st_mode
        except FileNotFoundError:
            return None
        except OSError as error:
            raise MachineError("ET805", f"cannot read '{escape_unprintable(path)}': {os_error_reason(error)}") from None
        is_target = current == f"{root}/{path}"
        if not (stat.S_ISREG(mode) if is_target else stat.S_ISDIR(mode)):
            problem = "is a link, or no file" if is_target else "lies behind a link, or a file"
            message = f"'{escape_unprintable(path)}' {problem}, and is not written"
            raise RefusedError("ET808", message, "replace it with a file of its own")
    with open_parent(root, path) as (folder, name), open(os.open(name, _OPEN_FILE_FLAGS, dir_fd=folder), "rb") as file:
        return file.read()


def replace_file(root: Path, path: str, expected: bytes, content: bytes) -> None:
    """Replace the content of a file, which must still be `expected`; the permissions stay."""
    with open_parent(root, path) as (folder, name):
        replace_in_folder(folder, name, path, expected, content)


def create_file(root: Path, path: str, content: bytes) -> None:
    """Write a new file and the folders above it; never overwrite a file."""
    with open_parent(root, path, create_folders=True) as (folder, name):
        draft = _write_draft(folder, content, 0o666)
        try:
            _link_draft(folder, draft, name, path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=folder)


@contextmanager
def open_parent(root: Path, path: str, *, create_folders: bool = False) -> Iterator[tuple[int, str]]:
    """Open the folder of a file, without following links; yield its descriptor and the name of the file."""
    *folders, name = path.split("/")
    if not name or not set(folders).isdisjoint(("", ".", "..")):
        raise ValueError("a path leads out of the tree")
    try:
        descriptor = os.open(root, _OPEN_FOLDER_FLAGS)
        try:
            for folder in folders:
                if create_folders:
                    with suppress(FileExistsError):
                        os.mkdir(folder, dir_fd=descriptor)
                child = os.open(folder, _OPEN_FOLDER_FLAGS | os.O_NOFOLLOW, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = child
            yield descriptor, name
        finally:
            os.close(descriptor)
    except OSError as error:
        hint = "check its permissions" if isinstance(error, PermissionError) else ""
        raise MachineError(
            "ET805", f"cannot write '{escape_unprintable(path)}': {os_error_reason(error)}", hint
        ) from None


def check_unchanged(folder: int, name: str, path: str, expected: bytes) -> os.stat_result:
    """Return the status of a file with the expected content; raise MachineError if the content is different."""
    with open(os.open(name, _OPEN_FILE_FLAGS, dir_fd=folder), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or file.read(len(expected) + 1) != expected:
            raise MachineError("ET805", f"'{escape_unprintable(path)}' is not as it was checked", RETRY_HINT)
    return status


def replace_in_folder(folder: int, name: str, path: str, expected: bytes, content: bytes) -> None:
    """Replace the content of a file in an open folder; see `replace_file`."""
    status = check_unchanged(folder, name, path, expected)
    draft = _write_draft(folder, content, 0o600, status)
    try:
        os.replace(draft, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            os.unlink(draft, dir_fd=folder)
        raise


def _write_draft(folder: int, content: bytes, bits: int, template: os.stat_result | None = None) -> str:
    """Write a temporary file to be renamed or linked; return its name."""
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
    """Copy owner and permissions to an open file; the owner only if the user has the right to."""
    current = os.fstat(file)
    if (current.st_uid, current.st_gid) != (status.st_uid, status.st_gid):
        with suppress(PermissionError):
            os.fchown(file, status.st_uid, status.st_gid)
    os.fchmod(file, stat.S_IMODE(status.st_mode))


def _link_draft(folder: int, draft: str, name: str, path: str) -> None:
    """Give a temporary file its name by a hard link, which, unlike a rename, never overwrites."""
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
    """Report whether an entry with this name exists in an open folder."""
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True
