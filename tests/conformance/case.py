"""A case of somebody else: what envtree makes of it, what the judge makes of it, and why they may differ."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

# Suites whose cases change with the examples.
RANDOM = frozenset({"yaml mutations"})
DIVERGENCES = Path(__file__).parent / "divergences.yaml"


class Refused(NamedTuple):
    """No value: a text that is not taken. `why` is a code of envtree, or empty for a judge's own reasons."""

    why: str = ""


class Case(NamedTuple):
    """Both answers to one question; `rule` names the reason in the divergence file, the id if there is none."""

    id: str
    ours: Any
    theirs: Any
    rule: str = ""

    @property
    def equal(self) -> bool:
        """Whether both refuse, or mean the same."""
        ours, theirs = self.ours, self.theirs
        if isinstance(ours, Refused) or isinstance(theirs, Refused):
            return isinstance(ours, Refused) and isinstance(theirs, Refused)
        return same(ours, theirs)

    @property
    def reason(self) -> str:
        """Under what a difference is looked up."""
        return self.rule or (self.ours.why if isinstance(self.ours, Refused) and self.ours.why else self.id)


Suite = Callable[[], Iterable[Case]]


class Verdict(NamedTuple):
    """How a suite went; `wrong` are differences without a reason, `stale` are reasons without a difference."""

    run: int
    equal: int
    explained: Counter[str]
    wrong: list[Case]
    stale: list[str]


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1 is 1.0, and true is not 1."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def reasons(suite: str) -> dict[str, str]:
    """Why envtree may differ from a judge, by code, by kind of case or by id."""
    listed: dict[str, dict[str, str]] = yaml.safe_load(DIVERGENCES.read_text("utf-8"))
    return listed.get(suite) or {}


def judge(name: str, suite: Suite) -> Verdict:
    """Run a suite; what one of random texts does not meet this time, it may meet the next."""
    known = reasons(name)
    explained: Counter[str] = Counter()
    wrong: list[Case] = []
    total = equal = 0
    for case in suite():
        total += 1
        if case.equal:
            equal += 1
        elif case.reason in known:
            explained[case.reason] += 1
        else:
            wrong.append(case)
    return Verdict(total, equal, explained, wrong, sorted(known.keys() - explained) if name not in RANDOM else [])


def shown(case: Case) -> str:
    """A wrong case for people."""
    return f"  {case.id}: envtree {_shown(case.ours)}, the judge {_shown(case.theirs)}"


def _shown(answer: Any) -> str:
    if isinstance(answer, Refused):
        return f"refuses {answer.why}".strip()
    return f"says {json.dumps(answer, ensure_ascii=True, default=repr)[:300]}"


def table(verdicts: dict[str, Verdict]) -> Iterator[str]:
    """The counts, for people."""
    yield f"{'suite':<26}{'run':>8}{'equal':>8}{'explained':>11}{'wrong':>7}"
    for name, one in verdicts.items():
        explained = one.explained.total()
        yield f"{name:<26}{one.run:>8}{one.equal:>8}{explained:>11}{len(one.wrong):>7}"
