"""Values on their way from the layers to the bundle: what each is, where it came from, what it stands over."""

from typing import Literal, NamedTuple

from envtree.model.layers import Layer, Stack
from envtree.model.nodes import Node, ScalarNode
from envtree.model.span import Span

# How a value came to stand over the one below it.
MergeRule = Literal["set", "replace", "$replace", "merge", "append", "prepend", "union", "by_key", "$list"]
# The rules under which what is below still counts.
COMBINING_RULES: frozenset[MergeRule] = frozenset({"merge", "append", "prepend", "union", "by_key", "$list"})


class MergedScalar(NamedTuple):
    """A merged scalar; `below` is what it shadows; `dynamic` means that it may hold an expression.

    `guarded` means that an expression stands in the chain below, with no `$replace` since.
    """

    node: ScalarNode
    layer: Layer
    base: "MergedValue | None"
    rule: MergeRule
    lock: Span | None
    is_dynamic: bool
    shadows_expression: bool


class MergedSequence(NamedTuple):
    """A merged list; each item has the origin of the layer that brought it."""

    items: "tuple[MergedValue, ...]"
    node: Node
    layer: Layer
    base: "MergedValue | None"
    rule: MergeRule
    lock: Span | None
    is_dynamic: bool
    shadows_expression: bool


class MergedMapping(NamedTuple):
    """A merged map; `locks` means that a lock stands on it or somewhere inside."""

    entries: "dict[str, MergedValue]"
    node: Node
    layer: Layer
    base: "MergedValue | None"
    rule: MergeRule
    lock: Span | None
    is_dynamic: bool
    shadows_expression: bool
    contains_lock: bool


MergedValue = MergedScalar | MergedSequence | MergedMapping


def merged_span(value: MergedValue) -> Span:
    """The place of a merged value."""
    return Span(value.layer.path, *value.node.mark)


class MergedStack(NamedTuple):
    """One value per key: the sections of `execution_environment`, the content of the secrets files, the model."""

    stack: Stack
    sections: dict[str, MergedValue]
    secrets: dict[str, MergedValue]
    model: tuple[ScalarNode, Layer] | None

    def section_entries(self, section: str) -> dict[str, MergedValue]:
        """The keys of a section that is a map."""
        found = self.sections.get(section)
        return found.entries if type(found) is MergedMapping else {}
