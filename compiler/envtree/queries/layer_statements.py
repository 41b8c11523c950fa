"""The statements of a bundle's layers about one path, effective or not."""

from typing import NamedTuple

from envtree.compile.merge.layer_changes import is_directive
from envtree.model.keypath import KeyPath
from envtree.model.layers import Layer, Stack
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.path_policy import PolicyLookup
from envtree.model.span import Span
from envtree.model.value_path import ValuePath


class LayerStatement(NamedTuple):
    """The statement of a layer about a path: the node that sets, replaces or removes the value there.

    `is_exact` means that the node is at the path. Otherwise it is on a map around the path, and removes the path or
    replaces the map: a directive, or a value that is no map. `span` is the location of the value, inside a directive if
    there is one. `replaced_depths` has, for each map around the path that a directive or a policy replaces as a whole,
    the number of keys from that map to the path.
    """

    layer: Layer
    node: Node
    is_exact: bool
    span: Span
    replaced_depths: frozenset[int]

    def lacks_value_of(self, other: "LayerStatement") -> bool:
        """Report whether only a replacement map lacks the path, which `other` has under the same directives."""
        return (
            other.is_exact
            and not self.is_exact
            and bool(self.replaced_depths)
            and self.replaced_depths <= other.replaced_depths
        )


def list_statements(stack: Stack, value_path: ValuePath) -> tuple[LayerStatement, ...]:
    """Return the statements of the layers about a path, lowest first; layers without one are left out."""
    statements = (_find_statement(layer, value_path, stack.policies) for layer in stack.layers)
    return tuple(statement for statement in statements if statement)


def are_nodes_equal(left: Node, right: Node) -> bool:
    """Report whether two nodes have the same texts, ciphertexts included, and types, whatever their positions."""
    if left is right:
        return True
    if isinstance(left, ScalarNode) and isinstance(right, ScalarNode):
        return type(left.value) is type(right.value) and left.text == right.text
    if isinstance(left, SequenceNode) and isinstance(right, SequenceNode):
        return len(left.items) == len(right.items) and all(map(are_nodes_equal, left.items, right.items))
    if isinstance(left, MappingNode) and isinstance(right, MappingNode):
        same_keys = left.entries.keys() == right.entries.keys()
        return same_keys and all(are_nodes_equal(child, right.entries[key]) for key, child in left.entries.items())
    return False


class StatementIdentities:
    """Identifies the statements of many bundles' layers without comparing their values."""

    def __init__(self) -> None:
        self._node_ids: dict[ValuePath, dict[Layer, int]] = {}

    def identify(self, stack: Stack, value_path: ValuePath) -> tuple[int, ...]:
        """Return the identities of the layers with a statement about a path, and of its nodes.

        The objects must stay alive, or another object may get the same id.
        """
        node_ids = self._node_ids.setdefault(value_path, {})
        identities: list[int] = []
        for layer in stack.layers:
            node_id = node_ids.get(layer)
            if node_id is None:
                statement = _find_statement(layer, value_path, stack.policies)
                node_id = node_ids[layer] = id(statement.node) if statement else 0
            if node_id:
                identities += (id(layer), node_id)
        return tuple(identities)


def _find_statement(layer: Layer, value_path: ValuePath, policies: PolicyLookup) -> LayerStatement | None:
    outermost = value_path.layer_node(layer)
    if outermost is None:
        return None
    if value_path.root == "model":
        match = _StatementMatch(outermost, True)
    else:
        has_name_lists = value_path.root == "sections" and value_path.path[0] == "secrets"
        match = _match_path(outermost, value_path.path, has_name_lists=has_name_lists)
        if policies.any_replaces_maps and value_path.root == "sections":
            match = _match_replaced_maps(match, outermost, value_path.path, policies)
    if match.node is None:
        return None
    span = Span(value_path.layer_file(layer), *_unwrap_directive(match.node).mark)
    return LayerStatement(
        layer=layer, node=match.node, is_exact=match.is_exact, span=span, replaced_depths=match.replaced_depths
    )


class _StatementMatch(NamedTuple):
    node: Node | None
    is_exact: bool
    replaced_depths: frozenset[int] = frozenset()


def _match_path(node: Node, path: KeyPath, *, has_name_lists: bool) -> _StatementMatch:
    """Find the node with a statement about a path; with `has_name_lists` a list of names counts as a map."""
    while path:
        if isinstance(node, MappingNode) and is_directive(node):
            inner = _directive_value(node)
            match = _match_path(inner, path, has_name_lists=has_name_lists) if inner else _StatementMatch(None, False)
            # `$value` says nothing of keys that it does not contain; the other directives remove them.
            if "$value" in node.entries:
                return match
            replaced = match.replaced_depths | ({len(path)} if "$replace" in node.entries else set())
            matched_node = match.node or _find_named_item(node, path)
            return _StatementMatch(matched_node or node, match.is_exact if match.node else False, replaced)
        if not isinstance(node, MappingNode):
            return (
                _StatementMatch(_find_named_item(node, path), True)
                if has_name_lists and isinstance(node, SequenceNode)
                else _StatementMatch(node, False)
            )
        child = node.entries.get(f"${path[0]}" if path[0].startswith("$") else path[0])
        if child is None:
            return _StatementMatch(None, False)
        node, path = child, path[1:]
    return _StatementMatch(node, True)


def _match_replaced_maps(match: _StatementMatch, node: Node, path: KeyPath, policies: PolicyLookup) -> _StatementMatch:
    """Return the match with the maps around the path that, by a policy, replace the inherited ones as a whole."""
    replaced = set(match.replaced_depths)
    for depth in range(1, len(path)):
        around = _match_path(node, path[:depth], has_name_lists=False)
        is_map = around.is_exact and isinstance(around.node, MappingNode) and not is_directive(around.node)
        if is_map and policies.at(path[:depth]).replaces_maps:
            replaced.add(len(path) - depth)
            match = match if match.node else match._replace(node=around.node)
    return match._replace(replaced_depths=frozenset(replaced))


def _find_named_item(node: Node, path: KeyPath) -> Node | None:
    """Find the element that names the key in a list, the short form of `secrets`."""
    operands = node.entries.values() if isinstance(node, MappingNode) else (node,)
    lists = (operand for operand in operands if isinstance(operand, SequenceNode))
    items = (item for operand in lists for item in operand.items if isinstance(item, ScalarNode))
    return next((item for item in items if item.value == path[0]), None)


def _unwrap_directive(node: Node) -> Node:
    inner = _directive_value(node) if isinstance(node, MappingNode) and is_directive(node) else None
    return _unwrap_directive(inner) if inner else node


def _directive_value(node: MappingNode) -> Node | None:
    return node.entries.get("$value", node.entries.get("$replace"))
