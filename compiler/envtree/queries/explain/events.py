"""What the layers did at one place, step by step: a replay of the merge, which leaves no trace of what it deletes."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.compile.merge.lift import is_directive
from envtree.model.layers import Layer
from envtree.model.merged import COMBINING, Listing, Merged, MergedStack
from envtree.model.nodes import Mapping, Node
from envtree.model.span import Span
from envtree.model.value_path import Place
from envtree.queries.explain.model import Action


class Event(NamedTuple):
    """A layer, by its number, changed the value at a place; `value` is None where it deleted it."""

    step: int
    value: Merged | None
    span: Span
    action: Action
    rule: str


def events(place: Place, steps: tuple[MergedStack, ...]) -> list[Event]:
    """The changes at a place, lowest first; the last one is `set`, unless it is a deletion."""
    changes = list(_chain(place, steps) if _in_list(place, steps[-1]) else _changes(place, steps))
    found: list[Event] = []
    action: Action = "set"
    for step, value in reversed(changes):
        layer = steps[-1].stack.layers[step]
        if value is None:
            rule, node = _removal(place.said(layer), place.path)
            found.append(Event(step, None, Span(place.file(layer), *node.at), "deleted", rule))
            action = "shadowed"
            continue
        found.append(Event(step, value, Span(place.file(layer), *value.node.at), action, value.rule))
        counts = action != "shadowed" and value.rule in COMBINING
        action = "merged" if counts else "shadowed"
    return found[::-1]


def _changes(place: Place, steps: tuple[MergedStack, ...]) -> Iterator[tuple[int, Merged | None]]:
    before: Merged | None = None
    for n, merged in enumerate(steps):
        after = place.at(merged)
        # A layer that only locks leaves the node as it was.
        if (after is None) != (before is None) or (after and before and after.node is not before.node):
            yield n, after
        before = after


def _in_list(place: Place, merged: MergedStack) -> bool:
    return any(isinstance(value, Listing) for value in place.trace(merged)[: len(place.path) - 1])


def _chain(place: Place, steps: tuple[MergedStack, ...]) -> Iterator[tuple[int, Merged]]:
    """The changes of a list's element: it moves about in its list, but knows what it was merged from."""
    layers = steps[-1].stack.layers
    chain: list[tuple[int, Merged]] = []
    value = place.at(steps[-1])
    while value:
        chain.append((_number(value.layer, layers), value))
        value = value.below
    yield from reversed(chain)


def _number(layer: Layer, layers: tuple[Layer, ...]) -> int:
    # Secrets have a layer of their own, which differs by its document.
    return next(n for n, one in enumerate(layers) if (one.kind, one.scope) == (layer.kind, layer.scope))


def _removal(node: Node | None, path: tuple[str, ...]) -> tuple[str, Node]:
    """The rule by which what a layer says takes away a key, and where it says so."""
    assert node is not None
    rest = path
    rule = "replace"
    while isinstance(node, Mapping):
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
