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

from envtree.model.diagnostic import MachineError

# An editor writes a file in several steps, and git many files: what comes within a moment of each other is one change.
_STEP_MS, _DEBOUNCE_MS = 50, 1000
_WATCH_LIMIT_HINT = "raise fs.inotify.max_user_watches, or set WATCHFILES_FORCE_POLLING=1"


class FileWatcher:
    """What was changed below a folder since it was last asked."""

    def __init__(self, folder: Path, events: "queue.Queue[frozenset[str] | Exception]") -> None:
        self._folder = str(folder)
        self._events = events
        self._initial_identity = _folder_identity(self._folder)
        self.is_lost = False

    def wait_for_changes(self, seconds: float) -> frozenset[str]:
        """The absolute paths that were changed, once there are any or the time is over.

        When the folder itself has been removed or replaced nothing follows, and the watcher `is_lost`.
        """
        found = set(self._next_event(seconds))
        while not self._events.empty():
            found |= self._next_event(0)
        # Nobody hears of a folder that was moved with what it lies in.
        self.is_lost = self.is_lost or _folder_identity(self._folder) != self._initial_identity
        return frozenset(found)

    def _next_event(self, seconds: float) -> frozenset[str]:
        try:
            told = self._events.get(timeout=seconds) if seconds else self._events.get_nowait()
        except queue.Empty:
            return frozenset()
        if isinstance(told, FileNotFoundError):
            self.is_lost = True
            return frozenset()
        if isinstance(told, Exception):
            raise MachineError("ET812", f"the files in '{self._folder}' cannot be watched", _WATCH_LIMIT_HINT) from None
        self.is_lost = self.is_lost or self._folder in told
        return told


@contextmanager
def watch_folder(folder: Path) -> Iterator[FileWatcher]:
    """Watch a folder and all in it; what is changed after the block was entered is not missed."""
    library, stop = _import_watchfiles(), threading.Event()
    told: queue.Queue[frozenset[str] | Exception] = queue.Queue()
    thread = threading.Thread(target=_collect_events, args=(library, folder, stop, told), daemon=True)
    thread.start()
    try:
        watcher = FileWatcher(folder, told)
        # The first word comes when the system knows all folders; a change may come with it.
        first = told.get()
        if first:
            told.put(first)
        yield watcher
    finally:
        stop.set()
        thread.join()


def _collect_events(
    library: Any, folder: Path, stop: threading.Event, told: "queue.Queue[frozenset[str] | Exception]"
) -> None:
    ready = False
    try:
        for changes in library.watch(
            folder,
            watch_filter=None,
            step=_STEP_MS,
            debounce=_DEBOUNCE_MS,
            rust_timeout=_STEP_MS,
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


def _folder_identity(folder: str) -> tuple[int, int] | None:
    try:
        found = os.stat(folder)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _import_watchfiles() -> ModuleType:
    try:
        return import_module("watchfiles")
    except ImportError:
        message = "the library that watches files is not installed"
        raise MachineError("ET812", message, "run: pip install 'envtree[watch]'") from None
