"""Clocks for the code under test, on which time passes by what happens, and not by how fast the machine is."""

from collections.abc import Callable
from time import sleep
from types import SimpleNamespace

import pytest

from envtree.secrets.sops import limited_process, terminal


def exceed_time_limit_when(condition: Callable[[], bool], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time limit of a sops pass as soon as a condition holds, and never before."""
    clock = SimpleNamespace(monotonic=lambda: 1e9 if condition() else 0.0, sleep=sleep)
    for module in (limited_process, terminal):
        monkeypatch.setattr(module, "time", clock)


class SleepClock:
    """A clock on which time passes only during sleep, which takes none."""

    def __init__(self) -> None:
        self._now = 0.0

    def monotonic(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds
