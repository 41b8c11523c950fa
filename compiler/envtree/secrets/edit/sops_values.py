"""The values of a secrets file by path: ciphertexts, and plain data where a key is at hand."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from envtree.model.keypath import KeyPath
from envtree.model.nodes import EncryptedValue, MappingNode, Node, ScalarNode, SequenceNode
from envtree.secrets.edit.sops_document import SopsDocument


class _Unknown:
    """The type of the marker for a value that no key at hand opens."""


UNKNOWN = _Unknown()


class SopsValue(NamedTuple):
    """A value: its node with the ciphertext, and the plain data if known.

    A list is one value, for its items have no names.
    """

    node: ScalarNode | SequenceNode
    plain: Any = UNKNOWN


SopsValues = dict[KeyPath, SopsValue]


def collect_values(document: SopsDocument, plain: Any = UNKNOWN) -> SopsValues:
    """Return the values of a file by path, in the order of the file."""
    return dict(_walk(document.content, plain, ()))


def _walk(node: Node, plain: Any, path: KeyPath) -> Iterator[tuple[KeyPath, SopsValue]]:
    if not isinstance(node, MappingNode):
        yield path, SopsValue(node, plain)
        return
    for key, child in node.entries.items():
        yield from _walk(child, UNKNOWN if plain is UNKNOWN else plain[key], (*path, key))


def is_same_value(first: SopsValue | None, second: SopsValue | None) -> bool:
    """Report whether two values are known to be equal; equal ciphertexts are equal values."""
    if first is None or second is None:
        return first is second
    if ciphertext(first.node) == ciphertext(second.node):
        return True
    if UNKNOWN in (first.plain, second.plain):
        return False
    return node_types(first.node) == node_types(second.node) and bool(first.plain == second.plain)


def ciphertext(node: Node) -> Any:
    """Return all encrypted texts of a value, in its shape."""
    return _map_scalars(node, lambda scalar: scalar.text)


def node_types(node: Node) -> Any:
    """Return the types of a value, in its shape; compared because 1 equals True in Python."""
    return _map_scalars(node, lambda scalar: scalar.value.type if isinstance(scalar.value, EncryptedValue) else "")


def _map_scalars(node: Node, convert: Callable[[ScalarNode], str]) -> Any:
    if isinstance(node, ScalarNode):
        return convert(node)
    if isinstance(node, SequenceNode):
        return [_map_scalars(item, convert) for item in node.items]
    return {key: _map_scalars(child, convert) for key, child in node.entries.items()}
