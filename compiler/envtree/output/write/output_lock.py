"""One writer per output: a lock file inside the folder that is, or will become, the output."""

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

_POLL = 0.02


@contextmanager
def lock_output(path: str, wait: float) -> Iterator[str]:
    """Hold the output's lock; yields the folder to write into, a sibling where the output does not exist yet.

    The sibling is renamed to the output with the lock file in it, so that there is no moment without a lock.
    """
    parents = [parent for parent in Path(path).parents if not parent.exists()]
    try:
        with disk.translate_os_errors(Path(path)):
            home, fd = _acquire_lock(path, wait)
        try:
            if home == path:
                _remove_stale_sibling(path)
            yield home
        finally:
            _release_lock(home, path, fd)
    finally:
        for parent in parents:
            with suppress(OSError):
                parent.rmdir()


def clear_folder(folder: str) -> None:
    """Remove everything in a folder but the lock."""
    with os.scandir(folder) as entries:
        found = [entry for entry in entries if entry.name != disk.LOCK_FILE]
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        else:
            os.unlink(entry.path)


def _acquire_lock(path: str, wait: float) -> tuple[str, int]:
    deadline = time.monotonic() + wait
    while True:
        home = path if os.path.lexists(path) else _make_sibling(path)
        fd = _try_lock(home)
        # While we made the sibling another run may have finished: then the output is what must be locked.
        if fd is not None and (home == path or not os.path.lexists(path)):
            return home, fd
        if fd is not None:
            os.close(fd)
        if time.monotonic() >= deadline:
            raise MachineError("ET804", f"another run is writing to '{path}'", "wait for it to end, then run again")
        time.sleep(_POLL)


def _sibling_path(path: str) -> str:
    folder, name = os.path.split(path)
    return f"{folder}/.{name}.envtree"


def _make_sibling(path: str) -> str:
    sibling = _sibling_path(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with suppress(FileExistsError):
        os.mkdir(sibling, 0o700)
    # Another run may have made it the output by now, or removed it: then there is nothing to lock, and we look again.
    with suppress(FileNotFoundError):
        found = os.lstat(sibling)
        # It will be emptied: whoever can put a link there must not choose what we delete.
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise RefusedError("ET806", f"'{sibling}' is in the way of the output", "move it away")
    return sibling


def _try_lock(home: str) -> int | None:
    try:
        fd = os.open(f"{home}/{disk.LOCK_FILE}", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_current_lock(fd, home):
            return fd
    except BlockingIOError:
        pass
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _is_current_lock(fd: int, home: str) -> bool:
    # The holder before us has removed its lock file, or renamed its folder: then this lock guards nothing.
    try:
        return os.path.samestat(os.fstat(fd), os.lstat(f"{home}/{disk.LOCK_FILE}"))
    except (FileNotFoundError, NotADirectoryError):
        return False


def _release_lock(home: str, path: str, fd: int) -> None:
    for folder in {home, path}:
        if _is_current_lock(fd, folder):
            with suppress(OSError):
                os.unlink(f"{folder}/{disk.LOCK_FILE}")
    os.close(fd)
    if home != path:
        with suppress(OSError):
            os.rmdir(home)


def _remove_stale_sibling(path: str) -> None:
    """Remove the sibling of a run that was killed before the output existed: it may hold secrets."""
    sibling = _sibling_path(path)
    if not os.path.isdir(sibling) or os.path.islink(sibling):
        return
    fd = _try_lock(sibling)
    if fd is not None:
        clear_folder(sibling)
        _release_lock(sibling, path, fd)
