"""Parsed YAML: nodes with their position in the file and their plain data as `value`."""

from collections.abc import Iterator
from collections.abc import Mapping as Map
from types import MappingProxyType
from typing import Any, NamedTuple

from envtree.model.source import Location
from envtree.model.span import Mark, Span
from envtree.model.suppression import Suppression


class EncryptedValue(NamedTuple):
    """An encrypted leaf of a SOPS file, as far as it is known without a key.

    `type` is SOPS's own (`str`, `int`, `float`, `bool`, `bytes`), `length` counts plaintext bytes, `path` is the dotted
    path in `file`, directives included, so that no two leaves have the same path.
    """

    type: str
    length: int
    file: str
    path: str


PlainValue = str | int | float | bool | None


class ScalarNode(NamedTuple):
    """A leaf; `text` is the source text without quotes; `is_plain` means that it is not quoted."""

    value: PlainValue | EncryptedValue
    text: str
    is_plain: bool
    mark: Mark


class MappingNode(NamedTuple):
    """A map; `key_marks` has the position of each key, `value` is the plain data of the whole subtree."""

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
    """Yield every leaf of a subtree, in order."""
    # Iterative: with recursive generators, each leaf would pass through one generator per level.
    pending = [node]
    while pending:
        node = pending.pop()
        if isinstance(node, ScalarNode):
            yield node
        else:
            pending += reversed(node.items if isinstance(node, SequenceNode) else node.entries.values())


class Document(NamedTuple):
    """One parsed file; `digest` is the SHA-256 of the parsed bytes.

    `aliases` maps the position of each alias to that of the value that it repeats. `invalid_marks` are the positions at
    which parsing reported an error; the values there are stand-ins. `rounded_marks` are the positions of numbers whose
    trailing zeros were lost.
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
        """Return the span of a node of this document."""
        return Span(self.path, *node.mark)

    def key_span(self, mapping: MappingNode, key: str) -> Span:
        """Return the span of a key of a map of this document."""
        return Span(self.path, *mapping.key_marks[key])
