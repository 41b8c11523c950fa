"""Allow one writer per output, with a lock file in the folder that is or will become the output."""

import fcntl
import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from envtree.model.diagnostic import MachineError, RefusedError
from envtree.system import disk

# Time between attempts to take the lock, in seconds.
_POLL_SECONDS = 0.02


@contextmanager
def lock_output(path: str, wait: float) -> Iterator[str]:
    """Lock the output; yield the folder to write into, a sibling if the output does not exist yet.

    The sibling is renamed to the output together with the lock file, so that the output is never without a lock.
    `wait` is the time in seconds to wait for the lock.
    """
    parents = [parent for parent in Path(path).parents if not parent.exists()]
    try:
        with disk.translate_os_errors(Path(path)):
            folder, fd = _acquire_lock(path, wait)
        try:
            if folder == path:
                _remove_stale_sibling(path)
            yield folder
        finally:
            _release_lock(folder, path, fd)
    finally:
        for parent in parents:
            with suppress(OSError):
                parent.rmdir()


def clear_folder(folder: str) -> None:
    """Remove everything in a folder except the lock file."""
    with os.scandir(folder) as scan:
        entries = [entry for entry in scan if entry.name != disk.LOCK_FILE]
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _acquire_lock(path: str, wait: float) -> tuple[str, int]:
    deadline = time.monotonic() + wait
    while True:
        folder = path if os.path.lexists(path) else _make_sibling(path)
        fd = _try_lock(folder)
        # Another run may have finished while we created the sibling: then the output must be locked instead.
        if fd is not None and (folder == path or not os.path.lexists(path)):
            return folder, fd
        if fd is not None:
            os.close(fd)
        if time.monotonic() >= deadline:
            raise MachineError("ET804", f"another run is writing to '{path}'", "wait for it to end, then run again")
        time.sleep(_POLL_SECONDS)


def _sibling_path(path: str) -> str:
    folder, name = os.path.split(path)
    return f"{folder}/.{name}.envtree"


def _make_sibling(path: str) -> str:
    sibling = _sibling_path(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with suppress(FileExistsError):
        os.mkdir(sibling, 0o700)
    # Another run may have renamed or removed it by now: then there is nothing to lock, and the caller tries again.
    with suppress(FileNotFoundError):
        status = os.lstat(sibling)
        # The folder will be emptied, so a link planted here must not redirect the deletion.
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            raise RefusedError("ET806", f"'{sibling}' is in the way of the output", "move it away")
    return sibling


def _try_lock(folder: str) -> int | None:
    try:
        fd = os.open(f"{folder}/{disk.LOCK_FILE}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_current_lock(fd, folder):
            return fd
    except BlockingIOError:
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _is_current_lock(fd: int, folder: str) -> bool:
    # The previous holder may have removed its lock file or renamed its folder: then this lock protects nothing.
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(f"{folder}/{disk.LOCK_FILE}"))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _release_lock(folder: str, path: str, fd: int) -> None:
    for candidate in {folder, path}:
        if _is_current_lock(fd, candidate):
            with suppress(OSError):
                os.unlink(f"{candidate}/{disk.LOCK_FILE}")
    os.close(fd)
    if folder != path:
        with suppress(OSError):
            os.rmdir(folder)


def _remove_stale_sibling(path: str) -> None:
    """Remove the sibling of a run that was killed before the output existed: it may contain secrets."""
    sibling = _sibling_path(path)
    if not os.path.isdir(sibling) or os.path.islink(sibling):
        return
    fd = _try_lock(sibling)
    if fd is not None:
        clear_folder(sibling)
        _release_lock(sibling, path, fd)
