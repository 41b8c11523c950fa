"""Read typed facts out of documents that fit their schema; a document with holes gives defaults."""

from typing import Any

from envtree.model.nodes import Document, Mapping, Node, Scalar, Sequence


def scalar_fields(document: Document | None, **own: Any) -> dict[str, Any]:
    """The scalar fields of a file, as expressions see them; `own` wins."""
    entries = document.root.entries if document else {}
    return {key: node.value for key, node in entries.items() if isinstance(node, Scalar)} | own


def text(node: Node | None) -> str | None:
    """The text of a scalar, or None."""
    return node.value if isinstance(node, Scalar) and isinstance(node.value, str) else None


def texts(node: Node | None) -> list[Scalar]:
    """The scalars of a list, or the one scalar that stands for a list."""
    if isinstance(node, Scalar) and isinstance(node.value, str):
        return [node]
    items = node.items if isinstance(node, Sequence) else ()
    return [item for item in items if isinstance(item, Scalar) and isinstance(item.value, str)]


def mapping(node: Node | None) -> Mapping | None:
    """The node if it is a map."""
    return node if isinstance(node, Mapping) else None


def flag(node: Node | None) -> bool:
    """Whether a field is `true`."""
    return isinstance(node, Scalar) and node.value is True


def field(document: Document | None, *path: str) -> Node | None:
    """The node at a path of map keys, or None."""
    node: Node | None = document.root if document else None
    for key in path:
        node = node.entries.get(key) if isinstance(node, Mapping) else None
    return node


def section(document: Document | None) -> Mapping | None:
    """The `execution_environment` of a file."""
    return mapping(field(document, "execution_environment"))


def scalar(node: Node | None) -> Scalar | None:
    """The node if it is a scalar."""
    return node if isinstance(node, Scalar) else None
