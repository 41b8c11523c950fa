"""What a schema makes of a value of which parts are unknown: it breaks, it fits, or it hangs on the unknown parts."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.compile.bundle_lint.breach import Breach, Path

Keys = frozenset[str | int]


class Verdict(NamedTuple):
    """With breaches the value certainly breaks; else, with `undecided`, it hangs on these unknown paths.

    `seen` are the keys that count as evaluated for `unevaluatedProperties` and `unevaluatedItems`, `maybe` those that
    may count.
    """

    breaches: tuple[Breach, ...] = ()
    undecided: frozenset[Path] = frozenset()
    seen: Keys = frozenset()
    maybe: Keys = frozenset()

    @property
    def fits(self) -> bool:
        """Whether the value certainly fits."""
        return not self.breaches and not self.undecided


FITS = Verdict()


def every(verdicts: Iterable[Verdict]) -> Verdict:
    """All of them have to hold."""
    found = [verdict for verdict in verdicts if verdict is not FITS]
    if len(found) < 2:
        return found[0] if found else FITS
    return Verdict(
        tuple(each for verdict in found for each in verdict.breaches),
        frozenset().union(*(verdict.undecided for verdict in found)),
        frozenset().union(*(verdict.seen for verdict in found)),
        frozenset().union(*(verdict.maybe for verdict in found)),
    )


def count(verdicts: Iterable[Verdict], least: int, most: float, broken: Breach) -> Verdict:
    """At least and at most so many of them have to hold."""
    judged = list(verdicts)
    sure = sum(verdict.fits for verdict in judged)
    pending = [verdict for verdict in judged if not verdict.fits and not verdict.breaches]
    seen, maybe = evaluated(judged)
    if sure > most or sure + len(pending) < least:
        return Verdict((broken,))
    if sure >= least and sure + len(pending) <= most:
        return Verdict((), frozenset(), seen, maybe)
    return Verdict((), frozenset().union(*(verdict.undecided for verdict in pending)), seen, maybe)


def evaluated(verdicts: Iterable[Verdict]) -> tuple[Keys, Keys]:
    """What alternatives count as evaluated: only those do that hold."""
    seen: set[str | int] = set()
    maybe: set[str | int] = set()
    for verdict in verdicts:
        if not verdict.breaches:
            (maybe if verdict.undecided else seen).update(verdict.seen)
            maybe.update(verdict.maybe)
    return frozenset(seen), frozenset(maybe)
