"""What the layers did at one place, step by step: a replay of the merge, which leaves no trace of what it deletes."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.compile.merge.layer_changes import is_directive
from envtree.model.layers import Layer
from envtree.model.merged import COMBINING_RULES, MergedSequence, MergedStack, MergedValue
from envtree.model.nodes import MappingNode, Node
from envtree.model.span import Span
from envtree.model.value_path import ValuePath
from envtree.queries.explain.provenance_model import LayerAction


class MergeEvent(NamedTuple):
    """A layer, by its number, changed the value at a place; `value` is None where it deleted it."""

    layer_index: int
    value: MergedValue | None
    span: Span
    action: LayerAction
    rule: str


def find_merge_events(place: ValuePath, steps: tuple[MergedStack, ...]) -> list[MergeEvent]:
    """The changes at a place, lowest first; the last one is `set`, unless it is a deletion."""
    changes = list(
        _iter_element_changes(place, steps) if _is_in_list(place, steps[-1]) else _iter_changes(place, steps)
    )
    found: list[MergeEvent] = []
    action: LayerAction = "set"
    for step, value in reversed(changes):
        layer = steps[-1].stack.layers[step]
        if value is None:
            rule, node = _find_removal(place.layer_node(layer), place.path)
            found.append(MergeEvent(step, None, Span(place.layer_file(layer), *node.mark), "deleted", rule))
            action = "shadowed"
            continue
        found.append(MergeEvent(step, value, Span(place.layer_file(layer), *value.node.mark), action, value.rule))
        counts = action != "shadowed" and value.rule in COMBINING_RULES
        action = "merged" if counts else "shadowed"
    return found[::-1]


def _iter_changes(place: ValuePath, steps: tuple[MergedStack, ...]) -> Iterator[tuple[int, MergedValue | None]]:
    before: MergedValue | None = None
    for n, merged in enumerate(steps):
        after = place.merged_value(merged)
        # A layer that only locks leaves the node as it was.
        if (after is None) != (before is None) or (after and before and after.node is not before.node):
            yield n, after
        before = after


def _is_in_list(place: ValuePath, merged: MergedStack) -> bool:
    return any(isinstance(value, MergedSequence) for value in place.merged_chain(merged)[: len(place.path) - 1])


def _iter_element_changes(place: ValuePath, steps: tuple[MergedStack, ...]) -> Iterator[tuple[int, MergedValue]]:
    """The changes of a list's element: it moves about in its list, but knows what it was merged from."""
    layers = steps[-1].stack.layers
    chain: list[tuple[int, MergedValue]] = []
    value = place.merged_value(steps[-1])
    while value:
        chain.append((_layer_index(value.layer, layers), value))
        value = value.base
    yield from reversed(chain)


def _layer_index(layer: Layer, layers: tuple[Layer, ...]) -> int:
    # Secrets have a layer of their own, which differs by its document.
    return next(n for n, one in enumerate(layers) if (one.kind, one.scope) == (layer.kind, layer.scope))


def _find_removal(node: Node | None, path: tuple[str, ...]) -> tuple[str, Node]:
    """The rule by which what a layer says takes away a key, and where it says so."""
    assert node is not None
    rest = path
    rule = "replace"
    while isinstance(node, MappingNode):
        if is_directive(node):
            inner = node.entries.get("$value", node.entries.get("$replace"))
            rule = next((name for name in ("$delete", "$replace") if name in node.entries), rule)
            if inner is None:
                return (rule if rule == "$delete" else "$list"), node
            node = inner
            continue
        key = rest[0] if rest else ""
        child = node.entries.get(f"${key}" if key.startswith("$") else key)
        if child is None:
            break
        node, rest = child, rest[1:]
    return rule, node
