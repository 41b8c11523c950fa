"""The results of sessions: what JUnit's XML and the logs contain of failed and left-out tests."""

import re
import shlex
from collections import Counter
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

LAST_LINES = 12
# The reason for which a test is skipped whose program this machine lacks.
LACKS = re.compile(r"needs the program '([^']+)'")


class Failure(NamedTuple):
    """A failed test or command: its name, the last lines that it printed, and the command that repeats it."""

    name: str
    lines: list[str]
    repeat: str


class Result(NamedTuple):
    """The result of a session; `left_out` counts the skipped tests by the program that they need."""

    name: str
    passed: int
    failures: list[Failure]
    left_out: Counter[str]
    seconds: float


def read_command(name: str, command: list[str], code: int, log: Path, seconds: float) -> Result:
    """Return the result of a session that is one command after another, of which one may have failed."""
    failures = [Failure(shlex.join(command[1:]), last_lines(log), shlex.join(command))] if code else []
    return Result(name, 0 if code else 1, failures, Counter(), seconds)


def read_pytest(name: str, command: list[str], code: int, log: Path, junit: Path, seconds: float) -> Result:
    """Return the result of a session of pytest; if its report is damaged, the command itself has failed."""
    try:
        cases = list(ElementTree.parse(junit).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return read_command(name, command, code or 1, log, seconds)
    failures = [_read_failure(case, command) for case in cases if _problem(case) is not None]
    skips = [case.find("skipped") for case in cases]
    reasons = [LACKS.search(skip.get("message", "")) for skip in skips if skip is not None]
    left_out = Counter(reason[1] for reason in reasons if reason)
    passed = len(cases) - len(failures) - len(reasons)
    if code and not failures:
        failures = [Failure(shlex.join(command[1:]), last_lines(log), shlex.join(command))]
    return Result(name, passed, failures, left_out, seconds)


def _problem(case: ElementTree.Element) -> ElementTree.Element | None:
    failure = case.find("failure")
    return case.find("error") if failure is None else failure


def _read_failure(case: ElementTree.Element, command: list[str]) -> Failure:
    node = node_id(case)
    problem = _problem(case)
    text = (problem.text or problem.get("message") or "") if problem is not None else ""
    seed = [word for word in command if word.startswith("--randomly-seed=")]
    repeat = [command[0], "-m", "pytest", "-m", "", "-n", "0", *seed, node]
    return Failure(node, text.rstrip().splitlines()[-LAST_LINES:], shlex.join(repeat))


def node_id(case: ElementTree.Element) -> str:
    """Return the name by which pytest selects a test."""
    file = case.get("file", "")
    module = file.removesuffix(".py").replace("/", ".")
    classes = [part for part in case.get("classname", "").removeprefix(module).split(".") if part]
    return "::".join([file or case.get("classname", ""), *classes, case.get("name", "")])


def last_lines(log: Path) -> list[str]:
    """Return the last lines of a log."""
    return log.read_text("utf-8", "replace").rstrip().splitlines()[-LAST_LINES:]
