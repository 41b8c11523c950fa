"""Values on their way from the layers to the bundle: what each is, where it came from, what it stands over."""

from typing import Literal, NamedTuple

from envtree.model.layers import Layer, Stack
from envtree.model.nodes import Node, Scalar
from envtree.model.span import Span

# How a value came to stand over the one below it.
Rule = Literal["set", "replace", "$replace", "merge", "append", "prepend", "union", "by_key", "$list"]
# The rules under which what is below still counts.
COMBINING: frozenset[Rule] = frozenset({"merge", "append", "prepend", "union", "by_key", "$list"})


class Leaf(NamedTuple):
    """A merged scalar; `below` is what it shadows; `dynamic` means that it may hold an expression.

    `guarded` means that an expression stands in the chain below, with no `$replace` since.
    """

    node: Scalar
    layer: Layer
    below: "Merged | None"
    rule: Rule
    lock: Span | None
    dynamic: bool
    guarded: bool


class Listing(NamedTuple):
    """A merged list; each item has the origin of the layer that brought it."""

    items: "tuple[Merged, ...]"
    node: Node
    layer: Layer
    below: "Merged | None"
    rule: Rule
    lock: Span | None
    dynamic: bool
    guarded: bool


class Branch(NamedTuple):
    """A merged map; `locks` means that a lock stands on it or somewhere inside."""

    entries: "dict[str, Merged]"
    node: Node
    layer: Layer
    below: "Merged | None"
    rule: Rule
    lock: Span | None
    dynamic: bool
    guarded: bool
    locks: bool


Merged = Leaf | Listing | Branch


def span_of(value: Merged) -> Span:
    """The place of a merged value."""
    return Span(value.layer.path, *value.node.at)


class MergedStack(NamedTuple):
    """One value per key: the sections of `execution_environment`, the content of the secrets files, the model."""

    stack: Stack
    sections: dict[str, Merged]
    secrets: dict[str, Merged]
    model: tuple[Scalar, Layer] | None

    def entries(self, section: str) -> dict[str, Merged]:
        """The keys of a section that is a map."""
        found = self.sections.get(section)
        return found.entries if type(found) is Branch else {}
