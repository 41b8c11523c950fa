"""What a schema makes of a value of which parts are unknown: it breaks, it fits, or it hangs on the unknown parts."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.compile.bundle_lint.violation import DataPath, Violation

Keys = frozenset[str | int]


class PartialResult(NamedTuple):
    """With breaches the value certainly breaks; else, with `undecided`, it hangs on these unknown paths.

    `seen` are the keys that count as evaluated for `unevaluatedProperties` and `unevaluatedItems`, `maybe` those that
    may count.
    """

    violations: tuple[Violation, ...] = ()
    undecided: frozenset[DataPath] = frozenset()
    evaluated: Keys = frozenset()
    maybe_evaluated: Keys = frozenset()

    @property
    def is_valid(self) -> bool:
        """Whether the value certainly fits."""
        return not self.violations and not self.undecided


VALID = PartialResult()


def combine_results(results: Iterable[PartialResult]) -> PartialResult:
    """All of them have to hold."""
    found = [verdict for verdict in results if verdict is not VALID]
    if len(found) < 2:
        return found[0] if found else VALID
    return PartialResult(
        tuple(each for verdict in found for each in verdict.violations),
        frozenset().union(*(verdict.undecided for verdict in found)),
        frozenset().union(*(verdict.evaluated for verdict in found)),
        frozenset().union(*(verdict.maybe_evaluated for verdict in found)),
    )


def require_count(results: Iterable[PartialResult], least: int, most: float, violation: Violation) -> PartialResult:
    """At least and at most so many of them have to hold."""
    judged = list(results)
    sure = sum(verdict.is_valid for verdict in judged)
    pending = [verdict for verdict in judged if not verdict.is_valid and not verdict.violations]
    seen, maybe = evaluated_keys(judged)
    if sure > most or sure + len(pending) < least:
        return PartialResult((violation,))
    if sure >= least and sure + len(pending) <= most:
        return PartialResult((), frozenset(), seen, maybe)
    return PartialResult((), frozenset().union(*(verdict.undecided for verdict in pending)), seen, maybe)


def evaluated_keys(results: Iterable[PartialResult]) -> tuple[Keys, Keys]:
    """What alternatives count as evaluated: only those do that hold."""
    seen: set[str | int] = set()
    maybe: set[str | int] = set()
    for verdict in results:
        if not verdict.violations:
            (maybe if verdict.undecided else seen).update(verdict.evaluated)
            maybe.update(verdict.maybe_evaluated)
    return frozenset(seen), frozenset(maybe)
