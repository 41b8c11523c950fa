"""The effort of a function as a number of steps: the same on every machine and at any load, unlike its time."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def count_steps(function: Callable[[], object]) -> int:
    """Return the number of lines that a function executes, and of calls from them, also of functions in C.

    What happens within one call of a function in C is one step, unless that calls Python.
    """
    steps = 0

    def count_line(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal steps
        steps += event == "line"
        return count_line

    def count_call(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal steps
        steps += event in ("call", "c_call")

    # Whoever measures coverage traces, too.
    tracing, profiling = sys.gettrace(), sys.getprofile()
    sys.settrace(count_line)
    sys.setprofile(count_call)
    try:
        function()
    finally:
        sys.setprofile(profiling)
        sys.settrace(tracing)
    return steps
