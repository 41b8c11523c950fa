"""Replay the merges of many bundles, each layer by layer; neighbours share the steps that they begin with."""

from collections.abc import Iterable, Iterator

from envtree.compile.merge import merge
from envtree.engine.request import BundleResult
from envtree.model.diagnostic import Diagnostics
from envtree.model.layers import Layer, Stack
from envtree.model.merged import MergedStack
from envtree.model.workspace import Organization

MergeSteps = tuple[MergedStack, ...]


def replay_merges(
    results: Iterable[BundleResult], organization: Organization
) -> Iterator[tuple[BundleResult, MergeSteps]]:
    """Each bundle with what its layers merge to, up to each of them."""
    steps: list[MergedStack] = []
    current: list[BundleResult] = []

    def prefixes() -> Iterator[Stack]:
        for result in results:
            current[:] = [result]
            target, layers = result.resolved.merged.stack
            del steps[_count_shared_steps(steps, layers) :]
            for n in range(len(steps), len(layers)):
                yield Stack(target, layers[: n + 1])

    # `merge` asks for a stack only when the one before is merged.
    for merged in merge(prefixes(), organization, Diagnostics()):
        steps.append(merged)
        if len(steps) == len(current[0].resolved.merged.stack.layers):
            yield current[0], tuple(steps)


def _count_shared_steps(steps: list[MergedStack], layers: tuple[Layer, ...]) -> int:
    """How many steps serve the next bundle as well; the last one has its target, and is its own."""
    before = steps[-1].stack.layers if steps else ()
    count = 0
    for one, other in zip(before, layers[:-1], strict=False):
        if one is not other:
            break
        count += 1
    return count
