"""The sessions: what each checks, the commands that it runs, and what has to be installed before."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

# Set for the sessions of `full`: more rounds, and random examples. `tests.support.rounds` reads it.
FULL_VARIABLE = "ENVTREE_TESTS"
# Tests with one of these markers run in the session of that name; all others are the suite.
OWN_SESSION = ("slow", "control_plane", "foreign", "registry")


class Session(NamedTuple):
    """What a session checks, and how: with commands, which are modules of Python, or else the tests with a marker."""

    purpose: str
    commands: tuple[tuple[str, ...], ...] = ()
    marker: str = ""
    options: tuple[str, ...] = ()
    folder: str = "tests"
    parts: tuple[str, ...] = ()
    in_gate: bool = True
    in_full: bool = True
    needs_network: bool = False


SESSIONS: dict[str, Session] = {
    "lint": Session("style and likely mistakes", (("ruff", "check", "."), ("ruff", "format", "--check", "."))),
    "types": Session("the types of the program and its tests", (("mypy",),)),
    "suite": Session("all tests that have no session of their own", parts=("npm",)),
    "wheel": Session("the cases, with the built wheel instead of the checkout", (("tests.checks.wheel",),)),
    "slow": Session(
        "random trees, kills at random moments, damaged files, a browser, the GitHub actions",
        marker="slow",
        parts=("npm", "action wheels"),
    ),
    "control-plane": Session(
        "the real control plane, on loopback, with a real PostgreSQL",
        marker="control_plane",
        folder="tests/end_to_end/control_plane",
        parts=("control plane",),
    ),
    "foreign": Session(
        "third-party test suites and programs: each difference has a recorded reason",
        marker="foreign",
        folder="tests/conformance",
        parts=("npm", "suites"),
    ),
    "decrypting": Session(
        "the native decrypter gives the values of sops",
        (("tests.benchmarks.secrets", "--files", "20", "--rounds", "1"),),
    ),
    "registry": Session("installation from package registries", marker="registry", in_gate=False, needs_network=True),
    "benchmark": Session(
        "the results of envtree and its peers equal the model; their speeds are recorded",
        (
            ("tests.benchmarks", "--size", "S", "--keep", "build/benchmark.txt"),
            ("tests.benchmarks.secrets", "--files", "100", "--keep", "build/decrypting.txt"),
        ),
        parts=("peers",),
        in_gate=False,
    ),
    "lowest": Session(
        "the oldest packages that pyproject.toml allows",
        (("tests.checks.other_packages", "lowest"),),
        in_gate=False,
        needs_network=True,
    ),
    "newest": Session(
        "the newest packages that pyproject.toml allows",
        (("tests.checks.other_packages", "newest"),),
        in_gate=False,
        needs_network=True,
    ),
    "audit": Session(
        "known vulnerabilities of the pinned packages", (("tests.checks.audit",),), in_gate=False, needs_network=True
    ),
    "fuzz": Session(
        "random bytes for each part that reads foreign input",
        (("tests.fuzz", "--seconds", "60"),),
        parts=("npm", "fuzzer"),
        in_gate=False,
    ),
    "coverage": Session(
        "the suite, and the lines that it does not reach",
        options=("--cov", "--cov-report=term"),
        parts=("npm",),
        in_gate=False,
        in_full=False,
    ),
}
# Runs a command without a network, so that no test can depend on a machine other than this.
ISOLATION = [sys.executable, "-m", "tests.support.cut_off"]
DEFAULT = ("lint", "types", "suite")
GATE = tuple(name for name, session in SESSIONS.items() if session.in_gate)
FULL = tuple(name for name, session in SESSIONS.items() if session.in_full)


def command_lines(
    session: Session, junit: Path, seed: int, arguments: Sequence[str] = (), *, full: bool = False
) -> list[list[str]]:
    """Return the commands of a session; `junit` is the report that pytest writes, and the arguments are for pytest."""
    python = [sys.executable, "-m"]
    isolated = [] if session.needs_network else ISOLATION
    if session.commands:
        return [[*python, *words] for words in session.commands]
    options = ["-q", "--durations=20", "-m", _marker_expression(session, full=full), f"--randomly-seed={seed}"]
    # One control plane serves all tests of its session.
    workers = ["-n", "0"] if session.marker == "control_plane" else ["-n", "auto", "--dist", "worksteal"]
    report = [f"--junitxml={junit}", "-o", "junit_family=xunit1", *session.options]
    # Without a buffer, so that its progress can be shown.
    python = [sys.executable, "-u", "-m"]
    return [[*isolated, *python, "pytest", *options, *workers, *report, *(arguments or [session.folder])]]


def _marker_expression(session: Session, *, full: bool) -> str:
    own = session.marker or " and ".join(f"not {marker}" for marker in OWN_SESSION)
    return own if full else f"{own} and not full"
