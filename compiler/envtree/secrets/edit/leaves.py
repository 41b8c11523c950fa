"""The values of a secrets file, one by one: what is known of each with a key and without."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from envtree.model.keypath import KeyPath
from envtree.model.nodes import Cipher, Mapping, Node, Scalar, Sequence
from envtree.secrets.edit.reading import Sealed


class _Unknown:
    """The value of a file that no key at hand opens."""


UNKNOWN = _Unknown()


class Leaf(NamedTuple):
    """A value: its ciphertext, and the plain data if that is known; a list is one, for its items have no names."""

    node: Scalar | Sequence
    plain: Any = UNKNOWN


Leaves = dict[KeyPath, Leaf]


def leaves(sealed: Sealed, plain: Any = UNKNOWN) -> Leaves:
    """The values of a file by their paths, in the order of the file."""
    return dict(_walk(sealed.content, plain, ()))


def _walk(node: Node, plain: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Leaf]]:
    if not isinstance(node, Mapping):
        yield path, Leaf(node, plain)
        return
    for key, child in node.entries.items():
        yield from _walk(child, UNKNOWN if plain is UNKNOWN else plain[key], (*path, key))


def same(one: Leaf | None, other: Leaf | None) -> bool:
    """Whether two values are known to be equal; the same ciphertext is the same value."""
    if one is None or other is None:
        return one is other
    if ciphertext(one.node) == ciphertext(other.node):
        return True
    if UNKNOWN in (one.plain, other.plain):
        return False
    return kinds(one.node) == kinds(other.node) and bool(one.plain == other.plain)


def ciphertext(node: Node) -> Any:
    """All encrypted texts of a value, in its shape."""
    return _shape(node, lambda scalar: scalar.text)


def kinds(node: Node) -> Any:
    """The types of a value, in its shape: to Python, 1 and true are equal."""
    return _shape(node, lambda scalar: scalar.value.type if isinstance(scalar.value, Cipher) else "")


def _shape(node: Node, of: Callable[[Scalar], str]) -> Any:
    if isinstance(node, Scalar):
        return of(node)
    if isinstance(node, Sequence):
        return [_shape(item, of) for item in node.items]
    return {key: _shape(child, of) for key, child in node.entries.items()}
