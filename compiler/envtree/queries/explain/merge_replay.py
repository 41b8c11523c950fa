"""Replay the merges of many bundles layer by layer; consecutive bundles share the steps of their common layers."""

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
    """Yield each bundle with its merged layers up to each layer."""
    steps: list[MergedStack] = []
    current: list[BundleResult] = []

    def prefixes() -> Iterator[Stack]:
        for result in results:
            current[:] = [result]
            target, layers, policies, _ = result.resolved.merged.stack
            del steps[_count_shared_steps(steps, layers) :]
            for n in range(len(steps), len(layers)):
                yield Stack(target, layers[: n + 1], policies)

    # `merge` takes the next stack only when the previous one is merged.
    for merged in merge(prefixes(), organization, Diagnostics()):
        steps.append(merged)
        if len(steps) == len(current[0].resolved.merged.stack.layers):
            yield current[0], tuple(steps)


def _count_shared_steps(steps: list[MergedStack], layers: tuple[Layer, ...]) -> int:
    """Return how many steps the next bundle shares; the last step carries the target, and is never shared."""
    previous_layers = steps[-1].stack.layers if steps else ()
    count = 0
    for previous, layer in zip(previous_layers, layers[:-1], strict=False):
        if previous is not layer:
            break
        count += 1
    return count
