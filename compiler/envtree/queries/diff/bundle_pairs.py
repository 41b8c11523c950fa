"""The bundles that two runs have both, and those that only one has."""

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet

from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.queries.diff.diff_model import BundleChange
from envtree.queries.diff.target_causes import find_target_causes, is_uncertain
from envtree.queries.diff.tree_side import BundlePair, TreeSide


def pair_bundles(base: Run, head: Run, selected_ids: Collection[str]) -> Iterator[BundlePair]:
    """The bundles of both runs that are `among` these; one that is early waits for its twin, and few do."""
    waiting: tuple[dict[str, BundleResult], ...] = ({}, {})
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
                yield BundlePair(twin, result) if side else BundlePair(result, twin)
            elif id in selected_ids:
                waiting[side][id] = result


def diff_bundle_sets(
    base_ids: AbstractSet[str], head_ids: AbstractSet[str], base: TreeSide, head: TreeSide
) -> tuple[tuple[BundleChange, ...], frozenset[str]]:
    """The bundles that only one of two runs has, by their ids; and those for which an error may be why."""
    uncertain = frozenset(id for id in base_ids ^ head_ids if is_uncertain(id, base, head))
    return tuple(
        BundleChange(id, "added" if id in head_ids else "removed", find_target_causes(id, base, head))
        for id in sorted((base_ids ^ head_ids) - uncertain)
    ), uncertain
