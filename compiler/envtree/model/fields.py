"""Read typed facts out of documents that fit their schema; a document with holes gives defaults."""

from typing import Any

from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode


def scalar_fields(document: Document | None, **own: Any) -> dict[str, Any]:
    """The scalar fields of a file, as expressions see them; `own` wins."""
    entries = document.root.entries if document else {}
    return {key: node.value for key, node in entries.items() if isinstance(node, ScalarNode)} | own


def get_text(node: Node | None) -> str | None:
    """The text of a scalar, or None."""
    return node.value if isinstance(node, ScalarNode) and isinstance(node.value, str) else None


def get_text_scalars(node: Node | None) -> list[ScalarNode]:
    """The scalars of a list, or the one scalar that stands for a list."""
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return [node]
    items = node.items if isinstance(node, SequenceNode) else ()
    return [item for item in items if isinstance(item, ScalarNode) and isinstance(item.value, str)]


def as_mapping(node: Node | None) -> MappingNode | None:
    """The node if it is a map."""
    return node if isinstance(node, MappingNode) else None


def is_true(node: Node | None) -> bool:
    """Whether a field is `true`."""
    return isinstance(node, ScalarNode) and node.value is True


def get_field(document: Document | None, *path: str) -> Node | None:
    """The node at a path of map keys, or None."""
    node: Node | None = document.root if document else None
    for key in path:
        node = node.entries.get(key) if isinstance(node, MappingNode) else None
    return node


def get_execution_environment(document: Document | None) -> MappingNode | None:
    """The `execution_environment` of a file."""
    return as_mapping(get_field(document, "execution_environment"))


def as_scalar(node: Node | None) -> ScalarNode | None:
    """The node if it is a scalar."""
    return node if isinstance(node, ScalarNode) else None
