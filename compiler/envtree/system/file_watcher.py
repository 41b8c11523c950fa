"""Watch a folder for changed files, in a thread of its own.

`watchfiles` treats any signal as Ctrl-C. Outside of the main thread it receives no signals, so the exit status of a
command that is ended by a signal is not affected.
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
from envtree.system.installation import extra_hint

# Editors write a file in several steps, and git writes many files: events in quick succession are one change.
_STEP_MS, _DEBOUNCE_MS = 50, 1000
_WATCH_LIMIT_HINT = "raise fs.inotify.max_user_watches, or set WATCHFILES_FORCE_POLLING=1"


class FileWatcher:
    """The changes below a folder."""

    def __init__(self, folder: Path, events: "queue.Queue[frozenset[str] | Exception]") -> None:
        self._folder = str(folder)
        self._events = events
        self._initial_identity = _folder_identity(self._folder)
        self.is_lost = False

    def wait_for_changes(self, seconds: float) -> frozenset[str]:
        """Wait for changes, at most `seconds`, and return the absolute paths that changed since the last call.

        After the folder itself has been removed or replaced there are no more events, and `is_lost` is set.
        """
        paths = set(self._next_event(seconds))
        while not self._events.empty():
            paths |= self._next_event(0)
        # There is no event if a folder above this one is moved.
        self.is_lost = self.is_lost or _folder_identity(self._folder) != self._initial_identity
        return frozenset(paths)

    def _next_event(self, seconds: float) -> frozenset[str]:
        try:
            event = self._events.get(timeout=seconds) if seconds else self._events.get_nowait()
        except queue.Empty:
            return frozenset()
        if isinstance(event, FileNotFoundError):
            self.is_lost = True
            return frozenset()
        if isinstance(event, Exception):
            raise MachineError("ET812", f"the files in '{self._folder}' cannot be watched", _WATCH_LIMIT_HINT) from None
        self.is_lost = self.is_lost or self._folder in event
        return event


@contextmanager
def watch_folder(folder: Path) -> Iterator[FileWatcher]:
    """Watch a folder recursively; every change after the block was entered is reported."""
    library, stop = _import_watchfiles(), threading.Event()
    events: queue.Queue[frozenset[str] | Exception] = queue.Queue()
    thread = threading.Thread(target=_collect_events, args=(library, folder, stop, events), daemon=True)
    thread.start()
    try:
        watcher = FileWatcher(folder, events)
        # The first event arrives when the system watches all folders; it may include a change.
        first_event = events.get()
        if first_event:
            events.put(first_event)
        yield watcher
    finally:
        stop.set()
        thread.join()


def _collect_events(
    library: Any, folder: Path, stop: threading.Event, events: "queue.Queue[frozenset[str] | Exception]"
) -> None:
    is_ready = False
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
            if changes or not is_ready:
                events.put(frozenset(path for _, path in changes))
            is_ready = True
    except (OSError, RuntimeError) as error:
        events.put(error)
    finally:
        # In any other case too: a reader that waits for this thread would wait forever.
        events.put(frozenset({str(folder)}))


def _folder_identity(folder: str) -> tuple[int, int] | None:
    try:
        status = os.stat(folder)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _import_watchfiles() -> ModuleType:
    try:
        return import_module("watchfiles")
    except ImportError:
        message = "the library that watches files is not installed"
        raise MachineError("ET812", message, extra_hint("")) from None
