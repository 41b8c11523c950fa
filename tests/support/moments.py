"""A counted call of a function as a moment in a run, which is the same however fast the machine is."""

import itertools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).parents[2]
# Counts the calls of envtree from the moment when it handles signals.
_COUNTING = """
import atexit, os, signal
from pathlib import Path
from envtree.system import signals
from tests.support.moments import act_at_call
install_handlers = signals.install_handlers
number, call = (int(os.environ[name]) for name in ("MOMENT_SIGNAL", "MOMENT_CALL"))
def send():
    # Keys of a terminal send their signals to all processes.
    os.kill(os.getpid() if number == signal.SIGKILL else 0, number)
def install_and_count():
    install_handlers()
    calls = act_at_call(call, send)
    atexit.register(lambda: Path(os.environ["MOMENT_CALLS"]).write_text(str(next(calls))))
signals.install_handlers = install_and_count
"""


def act_at_call(number: int, act: Callable[[], object]) -> Iterator[int]:
    """Act before the n-th call of a function, of Python or C, in this thread; return the counter of the calls."""
    calls, process = itertools.count(), os.getpid()

    def on_event(frame: FrameType, event: str, argument: Any) -> None:
        if event in ("call", "c_call") and next(calls) == number and os.getpid() == process:
            act()

    sys.setprofile(on_event)
    return calls


def count_calls(function: Callable[[], object]) -> int:
    """Return the number of calls that `act_at_call` would count."""
    calls = act_at_call(-1, lambda: None)
    try:
        function()
    finally:
        sys.setprofile(None)
    return next(calls)


class Moments:
    """Makes variables of the environment with which envtree gets a signal at a moment, or counts its calls."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_COUNTING)
        self._folder, self._calls = folder, folder / "calls"

    def environ(self, number: int, call: int = -1) -> dict[str, str]:
        """Return the variables for a signal before the n-th call; by default it gets none."""
        path = os.pathsep.join([str(self._folder), str(ROOT / "compiler"), str(ROOT)])
        moment = {"MOMENT_SIGNAL": str(int(number)), "MOMENT_CALL": str(call), "MOMENT_CALLS": str(self._calls)}
        return {"PYTHONPATH": path, **moment}

    def last_count(self) -> int:
        """Return the number of calls of the last run that came to its end."""
        return int(self._calls.read_text())
