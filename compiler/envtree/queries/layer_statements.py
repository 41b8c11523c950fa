"""What each layer of a bundle says of one place, whether it wins or not."""

from typing import NamedTuple

from envtree.compile.merge.layer_changes import is_directive
from envtree.model.keypath import KeyPath
from envtree.model.layers import Layer, Stack
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.span import Span
from envtree.model.value_path import ValuePath


class LayerStatement(NamedTuple):
    """What a layer says: the node that speaks of the place, and whether it stands there or on a map around it.

    Around it stands what takes the place away or replaces all of it: a directive, or a value that is no map. `span` is
    the place of the value, inside a directive if there is one. `replaced` has, for each directive that replaces all of
    a map around the place, how many keys lead from that map to the place.
    """

    layer: Layer
    node: Node
    is_exact: bool
    span: Span
    replaced_depths: frozenset[int]

    def lacks_value_of(self, other: "LayerStatement") -> bool:
        """Whether only the map that a directive puts there has the place no more, and the directive is no news."""
        return (
            other.is_exact
            and not self.is_exact
            and bool(self.replaced_depths)
            and self.replaced_depths <= other.replaced_depths
        )


def list_statements(stack: Stack, place: ValuePath) -> tuple[LayerStatement, ...]:
    """What the layers say of a place, the lowest first; a layer that does not speak of it is left out."""
    found = (_find_statement(layer, place) for layer in stack.layers)
    return tuple(said for said in found if said)


def are_nodes_equal(left: Node, right: Node) -> bool:
    """Whether two nodes say the same, wherever they stand: their texts, ciphertexts included, and their types."""
    if left is right:
        return True
    if isinstance(left, ScalarNode) and isinstance(right, ScalarNode):
        return type(left.value) is type(right.value) and left.text == right.text
    if isinstance(left, SequenceNode) and isinstance(right, SequenceNode):
        return len(left.items) == len(right.items) and all(map(are_nodes_equal, left.items, right.items))
    if isinstance(left, MappingNode) and isinstance(right, MappingNode):
        alike = left.entries.keys() == right.entries.keys()
        return alike and all(are_nodes_equal(child, right.entries[key]) for key, child in left.entries.items())
    return False


class StatementIdentities:
    """What the layers of many bundles say of a place, told apart without comparing it."""

    def __init__(self) -> None:
        self._node_ids: dict[ValuePath, dict[Layer, int]] = {}

    def identify(self, stack: Stack, place: ValuePath) -> tuple[int, ...]:
        """The layers that speak of a place, and the nodes with which they do, by identity; all of them live on."""
        known = self._node_ids.setdefault(place, {})
        found: list[int] = []
        for layer in stack.layers:
            node = known.get(layer)
            if node is None:
                said = _find_statement(layer, place)
                node = known[layer] = id(said.node) if said else 0
            if node:
                found += (id(layer), node)
        return tuple(found)


def _find_statement(layer: Layer, place: ValuePath) -> LayerStatement | None:
    outermost = place.layer_node(layer)
    if outermost is None:
        return None
    if place.root == "model":
        found = _StatementMatch(outermost, True)
    else:
        names = place.root == "sections" and place.path[0] == "secrets"
        found = _match_path(outermost, place.path, names=names)
    if found.node is None:
        return None
    span = Span(place.layer_file(layer), *_unwrap_directive(found.node).mark)
    return LayerStatement(layer, found.node, found.is_exact, span, found.replaced_depths)


class _StatementMatch(NamedTuple):
    node: Node | None
    is_exact: bool
    replaced_depths: frozenset[int] = frozenset()


def _match_path(node: Node, path: KeyPath, *, names: bool) -> _StatementMatch:
    """The node that speaks of a path; with `names` a list of names stands for a map."""
    while path:
        if isinstance(node, MappingNode) and is_directive(node):
            inner = _directive_value(node)
            found = _match_path(inner, path, names=names) if inner else _StatementMatch(None, False)
            # Of what it does not hold, `$value` says nothing, and the others take it away.
            if "$value" in node.entries:
                return found
            replaced = found.replaced_depths | ({len(path)} if "$replace" in node.entries else set())
            named = found.node or _find_named_item(node, path)
            return _StatementMatch(named or node, found.is_exact if found.node else False, replaced)
        if not isinstance(node, MappingNode):
            return (
                _StatementMatch(_find_named_item(node, path), True)
                if names and isinstance(node, SequenceNode)
                else _StatementMatch(node, False)
            )
        child = node.entries.get(f"${path[0]}" if path[0].startswith("$") else path[0])
        if child is None:
            return _StatementMatch(None, False)
        node, path = child, path[1:]
    return _StatementMatch(node, True)


def _find_named_item(node: Node, path: KeyPath) -> Node | None:
    """The element of a list, as `secrets` may be written, that names the key."""
    operands = node.entries.values() if isinstance(node, MappingNode) else (node,)
    lists = (operand for operand in operands if isinstance(operand, SequenceNode))
    items = (item for operand in lists for item in operand.items if isinstance(item, ScalarNode))
    return next((item for item in items if item.value == path[0]), None)


def _unwrap_directive(node: Node) -> Node:
    inner = _directive_value(node) if isinstance(node, MappingNode) and is_directive(node) else None
    return _unwrap_directive(inner) if inner else node


def _directive_value(node: MappingNode) -> Node | None:
    return node.entries.get("$value", node.entries.get("$replace"))
