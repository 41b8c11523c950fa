"""Cases: the results of envtree and of a reference, their comparison, and the reasons for intended differences."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

# Suites whose cases depend on the examples, so that a reason may be without a case.
RANDOM = frozenset({"yaml mutations"})
DIVERGENCES = Path(__file__).parent / "divergences.yaml"


class Refused(NamedTuple):
    """A refused text; `reason` is a code of envtree, the reference's own reason, or empty."""

    reason: str = ""


class Skipped(NamedTuple):
    """A case that says nothing about envtree, as `ours`; its rule is the key of the reason."""


class Crash(NamedTuple):
    """An exception of envtree, as `ours`; it has no reason."""

    error: str


class Case(NamedTuple):
    """The results of envtree and of the reference; `rule` is the key of a reason in the divergence file."""

    id: str
    ours: Any
    theirs: Any
    rule: str = ""

    @property
    def equal(self) -> bool:
        """Whether both refuse, or both give the same value."""
        ours, theirs = self.ours, self.theirs
        if isinstance(ours, Skipped | Crash):
            return False
        if isinstance(ours, Refused) or isinstance(theirs, Refused):
            return isinstance(ours, Refused) and isinstance(theirs, Refused)
        return is_same_json(ours, theirs)

    @property
    def reason(self) -> str:
        """The key of the difference in the divergence file: the rule, the code of a refusal, or the id."""
        return self.rule or (self.ours.reason if isinstance(self.ours, Refused) and self.ours.reason else self.id)


Suite = Callable[[], Iterable[Case]]


class Verdict(NamedTuple):
    """The result of a suite.

    `wrong` are differences and skipped cases without a reason, and crashes; `stale` are reasons without a case.
    """

    run: int
    equal: int
    explained: Counter[str]
    skipped: Counter[str]
    wrong: list[Case]
    stale: list[str]

    @property
    def crashed(self) -> int:
        return sum(isinstance(case.ours, Crash) for case in self.wrong)


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of envtree; an exception is the result of its case, and the other cases still run."""
    try:
        return function(*arguments)
    except Exception as error:  # noqa: BLE001 -- any exception is a crash
        return Crash(repr(error)[:300])


def is_same_json(left: Any, right: Any) -> bool:
    """Compare JSON data: 1 equals 1.0, and true does not equal 1."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(is_same_json(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same_json, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def load_reasons(suite: str) -> dict[str, str]:
    """Load the reasons why envtree may differ from a reference, by code, kind of case or id."""
    divergences: dict[str, dict[str, str]] = yaml.safe_load(DIVERGENCES.read_text("utf-8"))
    return divergences.get(suite) or {}


def run_suite(name: str, suite: Suite) -> Verdict:
    """Run a suite; reasons without a case do not count as stale in a suite of random texts."""
    reasons = load_reasons(name)
    explained: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    wrong: list[Case] = []
    run = equal = 0
    for case in suite():
        is_skipped = isinstance(case.ours, Skipped)
        run += not is_skipped
        if case.equal:
            equal += 1
        elif case.reason not in reasons or isinstance(case.ours, Crash):
            wrong.append(case)
        else:
            (skipped if is_skipped else explained)[case.reason] += 1
    stale = [] if name in RANDOM else sorted(reasons.keys() - explained.keys() - skipped.keys())
    return Verdict(run, equal, explained, skipped, wrong, stale)


def format_case(case: Case) -> str:
    """Format a wrong case."""
    return f"{case.id}: envtree {_format_result(case.ours)}, the reference {_format_result(case.theirs)}"


def _format_result(result: Any) -> str:
    if isinstance(result, Refused):
        return f"refuses {result.reason}".strip()
    if isinstance(result, Skipped):
        return "skips it without a reason"
    if isinstance(result, Crash):
        return f"crashes with {result.error}"
    return f"gives {json.dumps(result, ensure_ascii=True, default=repr)[:300]}"


def format_table(verdicts: dict[str, Verdict]) -> Iterator[str]:
    """Format the counts of the suites."""
    columns = ("run", "equal", "explained", "skipped", "crashed", "wrong")
    yield f"{'suite':<26}" + "".join(f"{column:>10}" for column in columns)
    for name, verdict in verdicts.items():
        crashed = verdict.crashed
        different, skipped = verdict.explained.total(), verdict.skipped.total()
        counts = (verdict.run, verdict.equal, different, skipped, crashed, len(verdict.wrong) - crashed)
        yield f"{name:<26}" + "".join(f"{count:>10}" for count in counts)
