"""Typed access to the fields of validated documents; a field that failed validation reads as missing."""

from typing import Any

from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.span import Span


def scalar_fields(document: Document | None, **overrides: Any) -> dict[str, Any]:
    """Return the scalar fields of a file as expressions see them, updated with `overrides`."""
    entries = document.root.entries if document else {}
    return {key: node.value for key, node in entries.items() if isinstance(node, ScalarNode)} | overrides


def get_text(node: Node | None) -> str | None:
    """Return the text of a scalar, None for any other node."""
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None


def get_text_scalars(node: Node | None) -> list[ScalarNode]:
    """Return the text scalars of a list; a single text scalar counts as a list of one."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return [node]
    items = node.items if isinstance(node, SequenceNode) else ()
    return [item for item in items if isinstance(item, ScalarNode) and isinstance(item.value, str)]


def as_mapping(node: Node | None) -> MappingNode | None:
    """Return the node if it is a map, else None."""
    return node if isinstance(node, MappingNode) else None


def is_true(node: Node | None) -> bool:
    """Report whether a node is the scalar `true`."""
    return isinstance(node, ScalarNode) and node.value is True


def is_false(node: Node | None) -> bool:
    """Report whether a node is the scalar `false`."""
    return isinstance(node, ScalarNode) and node.value is False


def get_field(document: Document | None, *path: str) -> Node | None:
    """Return the node at a path of map keys, or None."""
    node: Node | None = document.root if document else None
    for key in path:
        node = node.entries.get(key) if isinstance(node, MappingNode) else None
    return node


def use_span(user: Document, mixin: str) -> Span:
    """Return where an entity uses a mix-in, or else its list, through which another mix-in brings it."""
    uses = get_field(user, "uses")
    return user.span(next((node for node in get_text_scalars(uses) if node.value == mixin), uses or user.root))


def get_execution_environment(document: Document | None) -> MappingNode | None:
    """Return the `execution_environment` of a file, or None."""
    return as_mapping(get_field(document, "execution_environment"))


def as_scalar(node: Node | None) -> ScalarNode | None:
    """Return the node if it is a scalar, else None."""
    return node if isinstance(node, ScalarNode) else None
