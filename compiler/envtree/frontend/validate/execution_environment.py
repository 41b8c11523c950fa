"""Find the `execution_environment` sections of a file, and their data with directives replaced by their operands."""

from collections.abc import Iterator
from typing import Any

from envtree.model.keypath import KeyPath
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.tree_layout import KINDS_WITH_OWN_OVERLAYS, SECRET_OWNERS

EXECUTION_ENVIRONMENT = "execution_environment"
OVERLAYS_KEY = "environments"

# The kinds that are layers. Directives are applied and expressions evaluated only in these.
LAYER_KINDS = SECRET_OWNERS

_NO_VALUE = object()


def execution_environments(document: Document) -> Iterator[tuple[KeyPath, MappingNode]]:
    """Yield every `execution_environment` of a file, with its path."""
    entries = document.root.entries
    root_section = entries.get(EXECUTION_ENVIRONMENT)
    if isinstance(root_section, MappingNode):
        yield (EXECUTION_ENVIRONMENT,), root_section
    overlays = entries.get(OVERLAYS_KEY)
    if document.location.kind in KINDS_WITH_OWN_OVERLAYS and isinstance(overlays, MappingNode):
        for name, overlay in overlays.entries.items():
            section = overlay.entries.get(EXECUTION_ENVIRONMENT) if isinstance(overlay, MappingNode) else None
            if isinstance(section, MappingNode):
                yield (OVERLAYS_KEY, name, EXECUTION_ENVIRONMENT), section


def to_bundle_path(path: KeyPath) -> KeyPath:
    """Return a path as in a bundle: without the prefix up to the `execution_environment`."""
    prefix_length = 3 if path[:1] == (OVERLAYS_KEY,) else 1
    return (
        path[prefix_length:] if len(path) > prefix_length and path[prefix_length - 1] == EXECUTION_ENVIRONMENT else path
    )


def is_directive(node: Node) -> bool:
    """Report whether a node is a map whose keys all begin with one `$`; a literal `$x` is written `$$x`."""
    return isinstance(node, MappingNode) and bool(node.entries) and all(map(is_directive_key, node.entries))


def is_directive_key(key: str) -> bool:
    """Report whether a key is that of a directive."""
    return key.startswith("$") and not key.startswith(("$$", "${{"))


def directive_operand(node: Node) -> Node | None:
    """Return the value in a directive, which must fit in the position of the directive; None if it has none."""
    if not isinstance(node, MappingNode) or not is_directive(node):
        return None
    operands = (node.entries.get(key) for key in ("$value", "$replace", "$append", "$prepend"))
    return next((operand for operand in operands if operand is not None), None)


def unwrap_directive(node: Node) -> Node:
    """Return a node, or its innermost operand if it is a directive with a value."""
    while (operand := directive_operand(node)) is not None:
        node = operand
    return node


def data_without_directives(document: Document) -> dict[str, Any]:
    """Return the data of a file with directives replaced by their values; directives without a value are left out."""
    value = dict(document.root.value)
    for path, section in execution_environments(document):
        parent = value
        for key in path[:-1]:
            parent[key] = parent = dict(parent[key])
        parent[path[-1]] = {
            key: data
            for key, child in section.entries.items()
            if (data := _value_without_directives(child)) is not _NO_VALUE
        }
    return value


def _value_without_directives(node: Node) -> Any:
    if isinstance(node, (ScalarNode, SequenceNode)):
        return node.value
    if is_directive(node):
        operand = directive_operand(node)
        return _NO_VALUE if operand is None else _value_without_directives(operand)
    return {
        key: data for key, child in node.entries.items() if (data := _value_without_directives(child)) is not _NO_VALUE
    }


def walk_outside_layers(document: Document) -> Iterator[tuple[KeyPath, Node]]:
    """Yield every node outside the `execution_environment` of layers, with its path; a map precedes its children."""
    is_layer = document.location.kind in LAYER_KINDS
    excluded = {path for path, _ in execution_environments(document)} if is_layer else set()
    return _walk_except(document.root, (), excluded)


def walk(node: Node, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Node]]:
    """Yield a node and all nodes below it, with their paths."""
    return _walk_except(node, path, set())


def _walk_except(node: Node, path: KeyPath, excluded: set[KeyPath]) -> Iterator[tuple[KeyPath, Node]]:
    if path in excluded:
        return
    yield path, node
    if isinstance(node, MappingNode):
        for key, child in node.entries.items():
            yield from _walk_except(child, (*path, key), excluded)
    elif isinstance(node, SequenceNode):
        for index, item in enumerate(node.items):
            yield from _walk_except(item, (*path, str(index)), excluded)
