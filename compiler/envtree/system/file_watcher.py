"""The file system as it changes: what a folder's files have been through, told from a thread of its own.

The library behind it takes any signal for Ctrl-C. In another thread it sees none, and the one that ends a command stays
what it was.
"""

import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from envtree.model.diagnostic import Failure

# An editor writes a file in several steps, and git many files: what comes within a moment of each other is one change.
_MOMENT_MS, _LONGEST_MS = 50, 1000
_LIMIT = "raise fs.inotify.max_user_watches, or set WATCHFILES_FORCE_POLLING=1"


class Watcher:
    """What was changed below a folder since it was last asked."""

    def __init__(self, folder: Path, told: "queue.Queue[frozenset[str] | Exception]") -> None:
        self._folder = str(folder)
        self._told = told
        self._was = _identity(self._folder)
        self.is_lost = False

    def changes(self, seconds: float) -> frozenset[str]:
        """The absolute paths that were changed, once there are any or the time is over.

        When the folder itself has been removed or replaced nothing follows, and the watcher `is_lost`.
        """
        found = set(self._next(seconds))
        while not self._told.empty():
            found |= self._next(0)
        # Nobody hears of a folder that was moved with what it lies in.
        self.is_lost = self.is_lost or _identity(self._folder) != self._was
        return frozenset(found)

    def _next(self, seconds: float) -> frozenset[str]:
        try:
            told = self._told.get(timeout=seconds) if seconds else self._told.get_nowait()
        except queue.Empty:
            return frozenset()
        if isinstance(told, FileNotFoundError):
            self.is_lost = True
            return frozenset()
        if isinstance(told, Exception):
            raise Failure("ET812", f"the files in '{self._folder}' cannot be watched", _LIMIT) from None
        self.is_lost = self.is_lost or self._folder in told
        return told


@contextmanager
def watching(folder: Path) -> Iterator[Watcher]:
    """Watch a folder and all in it; what is changed after the block was entered is not missed."""
    library, stop = _library(), threading.Event()
    told: queue.Queue[frozenset[str] | Exception] = queue.Queue()
    thread = threading.Thread(target=_listen, args=(library, folder, stop, told), daemon=True)
    thread.start()
    try:
        watcher = Watcher(folder, told)
        # The first word comes when the system knows all folders; a change may come with it.
        first = told.get()
        if first:
            told.put(first)
        yield watcher
    finally:
        stop.set()
        thread.join()


def _listen(library: Any, folder: Path, stop: threading.Event, told: "queue.Queue[frozenset[str] | Exception]") -> None:
    ready = False
    try:
        for changes in library.watch(
            folder,
            watch_filter=None,
            step=_MOMENT_MS,
            debounce=_LONGEST_MS,
            rust_timeout=_MOMENT_MS,
            yield_on_timeout=True,
            stop_event=stop,
            raise_interrupt=False,
            ignore_permission_denied=True,
        ):
            if changes or not ready:
                told.put(frozenset(path for _, path in changes))
            ready = True
    except (OSError, RuntimeError) as error:
        told.put(error)
    finally:
        # Whatever else ends it: who waits for this thread would wait for ever.
        told.put(frozenset({str(folder)}))


def _identity(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _library() -> ModuleType:
    try:
        return import_module("watchfiles")
    except ImportError:
        message = "the library that watches files is not installed"
        raise Failure("ET812", message, "run: pip install 'envtree[watch]'") from None
