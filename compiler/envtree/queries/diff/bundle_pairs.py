"""Pair the bundles of two runs, and list those that only one run has."""

from collections.abc import Collection, Iterator
from collections.abc import Set as AbstractSet

from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.queries.diff.diff_model import BundleChange
from envtree.queries.diff.target_causes import find_target_causes, is_uncertain
from envtree.queries.diff.tree_side import BundlePair, TreeSide


def pair_bundles(base: Run, head: Run, selected_ids: Collection[str]) -> Iterator[BundlePair]:
    """Yield the bundles in `selected_ids` that both runs have, as pairs.

    Both runs advance in step: a bundle waits for its counterpart, and few wait at a time.
    """
    waiting: tuple[dict[str, BundleResult], ...] = ({}, {})
    streams = {0: base.results(), 1: head.results()}
    while streams:
        for side, stream in list(streams.items()):
            result = next(stream, None)
            if result is None:
                del streams[side]
                continue
            id = result.bundle.target.id
            counterpart = waiting[1 - side].pop(id, None)
            if counterpart:
                yield BundlePair(counterpart, result) if side else BundlePair(result, counterpart)
            elif id in selected_ids:
                waiting[side][id] = result


def diff_bundle_sets(
    base_ids: AbstractSet[str], head_ids: AbstractSet[str], base: TreeSide, head: TreeSide
) -> tuple[tuple[BundleChange, ...], frozenset[str]]:
    """Return the bundles that only one run has, sorted by id, and the ids whose absence an error may explain.

    The latter count as not compared.
    """
    uncertain = frozenset(id for id in base_ids ^ head_ids if is_uncertain(id, base, head))
    return tuple(
        BundleChange(id, "added" if id in head_ids else "removed", find_target_causes(id, base, head))
        for id in sorted((base_ids ^ head_ids) - uncertain)
    ), uncertain
