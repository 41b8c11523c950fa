"""YAML as written: every node knows its place, and its plain data as `value`."""

from collections.abc import Iterator
from collections.abc import Mapping as Map
from types import MappingProxyType
from typing import Any, NamedTuple

from envtree.model.source import Location
from envtree.model.span import Mark, Span
from envtree.model.suppression import Suppression


class EncryptedValue(NamedTuple):
    """An encrypted leaf of a SOPS file: what can be known of it without a key.

    `type` is SOPS's own (`str`, `int`, `float`, `bool`, `bytes`), `length` counts plaintext bytes,
    `path` is the dotted path inside `file`, directives included, so that no two leaves share one.
    """

    type: str
    length: int
    file: str
    path: str


PlainValue = str | int | float | bool | None


class ScalarNode(NamedTuple):
    """A leaf; `text` is what was written, without quotes; `plain` tells that it had none."""

    value: PlainValue | EncryptedValue
    text: str
    is_plain: bool
    mark: Mark


class MappingNode(NamedTuple):
    """A map; `keys` has the place of each key, `value` the plain data of the whole subtree."""

    value: dict[str, Any]
    entries: "dict[str, Node]"
    key_marks: dict[str, Mark]
    mark: Mark


class SequenceNode(NamedTuple):
    """A list; `value` is the plain data of the whole subtree."""

    value: list[Any]
    items: "tuple[Node, ...]"
    mark: Mark


Node = ScalarNode | MappingNode | SequenceNode


def iter_scalars(node: Node) -> Iterator[ScalarNode]:
    """Every leaf of a subtree."""
    # Not by recursion, in which each leaf would pass through a generator for each level above it.
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ScalarNode):
            yield node
        else:
            waiting += reversed(node.items if isinstance(node, SequenceNode) else node.entries.values())


class Document(NamedTuple):
    """One parsed file; `digest` is that of the bytes that were parsed.

    `aliases` leads from the place of each alias to that of the value which it repeats. `holes` are the places where
    reading has found an error already: what stands there in the tree is not what was meant. `rounded` are those of
    numbers of which reading has dropped the last zeros.
    """

    path: str
    location: Location
    digest: str
    root: MappingNode
    suppressions: tuple[Suppression, ...] = ()
    aliases: Map[Mark, Mark] = MappingProxyType({})
    invalid_marks: frozenset[Mark] = frozenset()
    rounded_marks: frozenset[Mark] = frozenset()

    def span(self, node: Node) -> Span:
        """The place of a node of this document."""
        return Span(self.path, *node.mark)

    def key_span(self, mapping: MappingNode, key: str) -> Span:
        """The place of a key of a map of this document."""
        return Span(self.path, *mapping.key_marks[key])
