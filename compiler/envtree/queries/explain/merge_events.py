"""The changes of the layers at one path, from a replay of the merge, which keeps no trace of deleted values."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.compile.merge.layer_changes import is_directive
from envtree.model.layers import Layer, LayerKind
from envtree.model.merged import COMBINING_RULES, MergedMapping, MergedSequence, MergedStack, MergedValue
from envtree.model.nodes import MappingNode, Node
from envtree.model.span import Span
from envtree.model.value_path import ValuePath
from envtree.queries.explain.provenance_model import LayerAction

# Secrets have a separate layer object, which differs only in its document.
LayerIdentity = tuple[LayerKind, str]


class MergeEvent(NamedTuple):
    """A change of the value at a path by a layer, given by its index; `value` is None for a deletion."""

    layer_index: int
    value: MergedValue | None
    span: Span
    action: LayerAction
    rule: str


def find_merge_events(value_path: ValuePath, steps: tuple[MergedStack, ...]) -> list[MergeEvent]:
    """Return the changes at a path, lowest first; the last one is `set`, unless it is a deletion."""
    changes = list(
        _iter_element_changes(value_path, steps)
        if _is_in_list(value_path, steps[-1])
        else _iter_changes(value_path, steps)
    )
    contributors = _contributing_layers(value_path.merged_value(steps[-1]))
    events: list[MergeEvent] = []
    action: LayerAction = "set"
    for layer_index, value in reversed(changes):
        layer = steps[-1].stack.layers[layer_index]
        if value is None:
            rule, node = _find_removal(value_path.layer_node(layer), value_path.path)
            span = Span(value_path.layer_file(layer), *node.mark)
            events.append(MergeEvent(layer_index=layer_index, value=None, span=span, action="deleted", rule=rule))
            action = "shadowed"
            continue
        span = Span(value_path.layer_file(layer), *value.node.mark)
        is_overridden = (
            action == "merged" and (layer.kind, layer.scope) not in contributors and not _has_directive(value.node)
        )
        shown: LayerAction = "shadowed" if is_overridden else action
        events.append(MergeEvent(layer_index=layer_index, value=value, span=span, action=shown, rule=value.rule))
        is_merged = action != "shadowed" and value.rule in COMBINING_RULES
        action = "merged" if is_merged else "shadowed"
    return events[::-1]


def _contributing_layers(value: MergedValue | None) -> frozenset[LayerIdentity]:
    """Return the layers that wrote a leaf of a merged value, or an empty map or list in it."""
    if value is None:
        return frozenset()
    children = (
        value.items
        if isinstance(value, MergedSequence)
        else tuple(value.entries.values())
        if isinstance(value, MergedMapping)
        else ()
    )
    own = frozenset() if children else frozenset({(value.layer.kind, value.layer.scope)})
    return own.union(*map(_contributing_layers, children))


def _has_directive(node: Node) -> bool:
    """Report whether a layer does more in a value than to write leaves, such as to delete or to lock."""
    if isinstance(node, MappingNode):
        return is_directive(node) or any(map(_has_directive, node.entries.values()))
    return False


def _iter_changes(value_path: ValuePath, steps: tuple[MergedStack, ...]) -> Iterator[tuple[int, MergedValue | None]]:
    before: MergedValue | None = None
    for n, merged in enumerate(steps):
        after = value_path.merged_value(merged)
        # A layer that only locks does not replace the node.
        if (after is None) != (before is None) or (after and before and after.node is not before.node):
            yield n, after
        before = after


def _is_in_list(value_path: ValuePath, merged: MergedStack) -> bool:
    return any(
        isinstance(value, MergedSequence) for value in value_path.merged_chain(merged)[: len(value_path.path) - 1]
    )


def _iter_element_changes(value_path: ValuePath, steps: tuple[MergedStack, ...]) -> Iterator[tuple[int, MergedValue]]:
    """Yield the changes of a list's element: its index varies, but it records the values that it was merged from."""
    layers = steps[-1].stack.layers
    chain: list[tuple[int, MergedValue]] = []
    value = value_path.merged_value(steps[-1])
    while value:
        chain.append((_layer_index(value.layer, layers), value))
        value = value.base
    yield from reversed(chain)


def _layer_index(layer: Layer, layers: tuple[Layer, ...]) -> int:
    return next(
        n for n, candidate in enumerate(layers) if (candidate.kind, candidate.scope) == (layer.kind, layer.scope)
    )


def _find_removal(node: Node | None, path: tuple[str, ...]) -> tuple[str, Node]:
    """Return the rule by which a layer removes a key, and the node that does so."""
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
