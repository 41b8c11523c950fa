"""What each layer of a bundle says of one place, whether it wins or not."""

from typing import NamedTuple

from envtree.compile.merge.lift import is_directive
from envtree.model.keypath import KeyPath
from envtree.model.layers import Layer, Stack
from envtree.model.nodes import Mapping, Node, Scalar, Sequence
from envtree.model.span import Span
from envtree.model.value_path import Place


class Saying(NamedTuple):
    """What a layer says: the node that speaks of the place, and whether it stands there or on a map around it.

    Around it stands what takes the place away or replaces all of it: a directive, or a value that is no map. `span` is
    the place of the value, inside a directive if there is one. `replaced` has, for each directive that replaces all of
    a map around the place, how many keys lead from that map to the place.
    """

    layer: Layer
    node: Node
    there: bool
    span: Span
    replaced: frozenset[int]

    def is_gone_from(self, other: "Saying") -> bool:
        """Whether only the map that a directive puts there has the place no more, and the directive is no news."""
        return other.there and not self.there and bool(self.replaced) and self.replaced <= other.replaced


def sayings(stack: Stack, place: Place) -> tuple[Saying, ...]:
    """What the layers say of a place, the lowest first; a layer that does not speak of it is left out."""
    found = (_saying(layer, place) for layer in stack.layers)
    return tuple(said for said in found if said)


def same(one: Node, other: Node) -> bool:
    """Whether two nodes say the same, wherever they stand: their texts, ciphertexts included, and their types."""
    if one is other:
        return True
    if isinstance(one, Scalar) and isinstance(other, Scalar):
        return type(one.value) is type(other.value) and one.text == other.text
    if isinstance(one, Sequence) and isinstance(other, Sequence):
        return len(one.items) == len(other.items) and all(map(same, one.items, other.items))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        alike = one.entries.keys() == other.entries.keys()
        return alike and all(same(child, other.entries[key]) for key, child in one.entries.items())
    return False


class Identities:
    """What the layers of many bundles say of a place, told apart without comparing it."""

    def __init__(self) -> None:
        self._said: dict[Place, dict[Layer, int]] = {}

    def of(self, stack: Stack, place: Place) -> tuple[int, ...]:
        """The layers that speak of a place, and the nodes with which they do, by identity; all of them live on."""
        known = self._said.setdefault(place, {})
        found: list[int] = []
        for layer in stack.layers:
            node = known.get(layer)
            if node is None:
                said = _saying(layer, place)
                node = known[layer] = id(said.node) if said else 0
            if node:
                found += (id(layer), node)
        return tuple(found)


def _saying(layer: Layer, place: Place) -> Saying | None:
    outermost = place.said(layer)
    if outermost is None:
        return None
    if place.root == "model":
        found = _Found(outermost, True)
    else:
        names = place.root == "sections" and place.path[0] == "secrets"
        found = _follow(outermost, place.path, names=names)
    if found.node is None:
        return None
    span = Span(place.file(layer), *_value_of(found.node).at)
    return Saying(layer, found.node, found.there, span, found.replaced)


class _Found(NamedTuple):
    node: Node | None
    there: bool
    replaced: frozenset[int] = frozenset()


def _follow(node: Node, path: KeyPath, *, names: bool) -> _Found:
    """The node that speaks of a path; with `names` a list of names stands for a map."""
    while path:
        if isinstance(node, Mapping) and is_directive(node):
            inner = _inner(node)
            found = _follow(inner, path, names=names) if inner else _Found(None, False)
            # Of what it does not hold, `$value` says nothing, and the others take it away.
            if "$value" in node.entries:
                return found
            replaced = found.replaced | ({len(path)} if "$replace" in node.entries else set())
            named = found.node or _named(node, path)
            return _Found(named or node, found.there if found.node else False, replaced)
        if not isinstance(node, Mapping):
            return _Found(_named(node, path), True) if names and isinstance(node, Sequence) else _Found(node, False)
        child = node.entries.get(f"${path[0]}" if path[0].startswith("$") else path[0])
        if child is None:
            return _Found(None, False)
        node, path = child, path[1:]
    return _Found(node, True)


def _named(node: Node, path: KeyPath) -> Node | None:
    """The element of a list, as `secrets` may be written, that names the key."""
    operands = node.entries.values() if isinstance(node, Mapping) else (node,)
    lists = (operand for operand in operands if isinstance(operand, Sequence))
    items = (item for operand in lists for item in operand.items if isinstance(item, Scalar))
    return next((item for item in items if item.value == path[0]), None)


def _value_of(node: Node) -> Node:
    inner = _inner(node) if isinstance(node, Mapping) and is_directive(node) else None
    return _value_of(inner) if inner else node


def _inner(node: Mapping) -> Node | None:
    return node.entries.get("$value", node.entries.get("$replace"))
