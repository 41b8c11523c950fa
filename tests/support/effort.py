"""The effort of a function as a number of steps: the same on every machine and at any load, unlike its time."""

import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any

# What four times the input adds to twice the input, by what that adds to the input: 2 for a line, 4 for a square.
_GROWTH = 2.1


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


def assert_linear(prepare: Callable[[int], Callable[[], object]], size: int) -> None:
    """Assert that the steps of what `prepare` returns for a size grow like the size, but for a constant part."""
    small, medium, large = (_count_again(prepare(size * factor)) for factor in (1, 2, 4))
    assert large - medium < _GROWTH * (medium - small), f"{small}, {medium} and {large} steps"


def _count_again(function: Callable[[], object]) -> int:
    # The first time fills caches, and imports modules.
    function()
    return count_steps(function)


def peak_memory(function: Callable[[], object]) -> int:
    """Return the number of bytes that a function allocates at most at once."""
    tracemalloc.start()
    try:
        function()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
