"""The bundles that two runs have both, and those that only one has."""

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet

from envtree.engine.run import Result, Run
from envtree.queries.diff.model import BundleChange
from envtree.queries.diff.side import Pair, Side
from envtree.queries.diff.targets import is_uncertain, target_causes


def pairs(base: Run, head: Run, among: Collection[str]) -> Iterator[Pair]:
    """The bundles of both runs that are `among` these; one that is early waits for its twin, and few do."""
    waiting: tuple[dict[str, Result], ...] = ({}, {})
    streams = {0: base.results(), 1: head.results()}
    while streams:
        for side, stream in list(streams.items()):
            result = next(stream, None)
            if result is None:
                del streams[side]
                continue
            id = result.bundle.target.id
            twin = waiting[1 - side].pop(id, None)
            if twin:
                yield Pair(twin, result) if side else Pair(result, twin)
            elif id in among:
                waiting[side][id] = result


def singles(
    old: AbstractSet[str], new: AbstractSet[str], before: Side, after: Side
) -> tuple[tuple[BundleChange, ...], frozenset[str]]:
    """The bundles that only one of two runs has, by their ids; and those for which an error may be why."""
    uncertain = frozenset(id for id in old ^ new if is_uncertain(id, before, after))
    return tuple(
        BundleChange(id, "added" if id in new else "removed", target_causes(id, before, after))
        for id in sorted((old ^ new) - uncertain)
    ), uncertain
