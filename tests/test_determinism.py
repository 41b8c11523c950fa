"""Tests read no clock: they count what happens, and wait as long as that takes, so that no load changes a result."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE

TESTS = Path(__file__).parent
# Benchmarks measure time, the summary shows it, and what waits has to end a hang.
WITH_A_CLOCK = ("benchmarks/", "checks/runner.py", "support/waiting.py")
CLOCKS = {
    *("monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time", "process_time_ns"),
    *("thread_time", "thread_time_ns", "time", "time_ns", "clock_gettime", "clock_gettime_ns"),
    *("gmtime", "localtime", "ctime"),
}
DATES = {"now", "utcnow", "today"}
# Time limits that a slow machine may exceed, by file, and why this changes no result.
SHORT_TIMEOUTS = {
    ("security/test_secrets_threats.py", 0.01): "a pause between two looks at the files",
    ("security/test_secrets_threats.py", 0.5): "that of a sops that never ends",
    ("security/test_threats.py", 1): "the connection is refused before it is made",
}


@cache
def syntax_trees() -> dict[str, ast.Module]:
    files = {path.relative_to(TESTS).as_posix(): path for path in sorted(TESTS.rglob("*.py"))}
    return {name: ast.parse(path.read_bytes()) for name, path in files.items() if not name.startswith(WITH_A_CLOCK)}


def clocks_read(tree: ast.AST) -> Iterator[str]:
    """Yield each use of a clock or of the date of today, as `line: name`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"{node.lineno}: {alias.name}" for alias in node.names if alias.name in CLOCKS)
        if isinstance(node, ast.Attribute) and node.attr in CLOCKS | DATES:
            owner = ast.unparse(node.value)
            is_clock = owner == "time" and node.attr in CLOCKS
            if is_clock or (owner.rpartition(".")[2] in ("date", "datetime") and node.attr in DATES):
                yield f"{node.lineno}: {owner}.{node.attr}"


def timeouts(tree: ast.AST) -> Iterator[tuple[int, float]]:
    """Yield the line and value of each timeout that is a number."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            values = [keyword.value for keyword in node.keywords if keyword.arg == "timeout"]
            # As in `process.wait(20)`.
            waits = isinstance(node.func, ast.Attribute) and node.func.attr == "wait"
            for value in [*values, *(node.args if waits else ())]:
                if isinstance(value, ast.Constant) and isinstance(value.value, int | float):
                    yield node.lineno, value.value


def test_no_test_reads_a_clock() -> None:
    assert [f"{name}:{clock}" for name, tree in syntax_trees().items() for clock in clocks_read(tree)] == []


def test_a_timeout_only_ends_a_hang() -> None:
    short = [
        (name, seconds, line)
        for name, tree in syntax_trees().items()
        for line, seconds in timeouts(tree)
        if seconds < PATIENCE
    ]
    unknown = [f"{name}:{line}: {seconds}" for name, seconds, line in short if (name, seconds) not in SHORT_TIMEOUTS]
    assert unknown == []
    assert {(name, seconds) for name, seconds, _ in short} == set(SHORT_TIMEOUTS)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from time import monotonic", True),
        ("from time import sleep", False),
        ("import time\ntime.process_time()", True),
        ("import time\ntime.sleep(1)", False),
        ("clock = time.monotonic", True),
        ("datetime.now(UTC)", True),
        ("datetime.date.today()", True),
        ("date(2026, 1, 1)", False),
    ],
)
def test_a_use_of_a_clock_is_seen(text: str, found: bool) -> None:
    assert bool(list(clocks_read(ast.parse(text)))) is found


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("run(x, timeout=5)", [5]), ("process.wait(0.5)", [0.5]), ("process.wait(PATIENCE)", []), ("get(timeout=P)", [])],
)
def test_a_number_as_a_timeout_is_seen(text: str, seconds: list[float]) -> None:
    assert [value for _, value in timeouts(ast.parse(text))] == seconds
