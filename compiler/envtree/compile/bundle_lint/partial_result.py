"""The result of validating a partly unknown value: invalid, valid, or undecided because of the unknown parts."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.compile.bundle_lint.violation import DataPath, Violation

Keys = frozenset[str | int]


class PartialResult(NamedTuple):
    """The value is certainly invalid if there are `violations`; else the unknown paths in `undecided` decide.

    `evaluated` are the keys that count as evaluated for `unevaluatedProperties` and `unevaluatedItems`,
    `maybe_evaluated` those that may count.
    """

    violations: tuple[Violation, ...] = ()
    undecided: frozenset[DataPath] = frozenset()
    evaluated: Keys = frozenset()
    maybe_evaluated: Keys = frozenset()

    @property
    def is_valid(self) -> bool:
        """Whether the value is certainly valid."""
        return not self.violations and not self.undecided


VALID = PartialResult()


def combine_results(results: Iterable[PartialResult]) -> PartialResult:
    """Combine results that must all be valid."""
    relevant = [result for result in results if result is not VALID]
    if len(relevant) < 2:
        return relevant[0] if relevant else VALID
    return PartialResult(
        violations=tuple(violation for result in relevant for violation in result.violations),
        undecided=frozenset().union(*(result.undecided for result in relevant)),
        evaluated=frozenset().union(*(result.evaluated for result in relevant)),
        maybe_evaluated=frozenset().union(*(result.maybe_evaluated for result in relevant)),
    )


def require_count(results: Iterable[PartialResult], least: int, most: float, violation: Violation) -> PartialResult:
    """Combine results of which at least `least` and at most `most` must be valid."""
    results = list(results)
    valid_count = sum(result.is_valid for result in results)
    pending = [result for result in results if not result.is_valid and not result.violations]
    evaluated, maybe_evaluated = evaluated_keys(results)
    if valid_count > most or valid_count + len(pending) < least:
        return PartialResult((violation,))
    is_decided = valid_count >= least and valid_count + len(pending) <= most
    undecided = frozenset() if is_decided else frozenset().union(*(result.undecided for result in pending))
    return PartialResult((), undecided, evaluated, maybe_evaluated)


def evaluated_keys(results: Iterable[PartialResult]) -> tuple[Keys, Keys]:
    """Return the keys that valid alternatives evaluate, and those that undecided ones may evaluate."""
    evaluated: set[str | int] = set()
    maybe_evaluated: set[str | int] = set()
    for result in results:
        if not result.violations:
            (maybe_evaluated if result.undecided else evaluated).update(result.evaluated)
            maybe_evaluated.update(result.maybe_evaluated)
    return frozenset(evaluated), frozenset(maybe_evaluated)
