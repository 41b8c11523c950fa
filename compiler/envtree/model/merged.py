"""Merged values: each with its origin, and the value of the lower layers that it was merged onto."""

from typing import Literal, NamedTuple

from envtree.model.layers import Layer, Stack
from envtree.model.nodes import Node, ScalarNode
from envtree.model.span import Span

# How a value was combined with its base, the value of the lower layers.
MergeRule = Literal["set", "replace", "$replace", "merge", "append", "prepend", "union", "unique", "by_key", "$list"]
# The rules whose result includes the base.
COMBINING_RULES: frozenset[MergeRule] = frozenset({"merge", "append", "prepend", "union", "unique", "by_key", "$list"})


class MergedScalar(NamedTuple):
    """A merged scalar; `base` is the value that it overrides, `is_dynamic` means that it may contain an expression.

    `shadows_expression` means that a value in the chain of bases is an expression, with no `$replace` above it.
    """

    node: ScalarNode
    layer: Layer
    base: "MergedValue | None"
    rule: MergeRule
    lock: Span | None
    is_dynamic: bool
    shadows_expression: bool


class MergedSequence(NamedTuple):
    """A merged list; each item has the layer that added it as its origin."""

    items: "tuple[MergedValue, ...]"
    node: Node
    layer: Layer
    base: "MergedValue | None"
    rule: MergeRule
    lock: Span | None
    is_dynamic: bool
    shadows_expression: bool


class MergedMapping(NamedTuple):
    """A merged map; `contains_lock` means that the map or a value in it is locked."""

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
    """Return the span of a merged value."""
    return Span(value.layer.path, *value.node.mark)


class MergedStack(NamedTuple):
    """The merged layers of a target: `execution_environment` by section, the secrets files, and the model."""

    stack: Stack
    sections: dict[str, MergedValue]
    secrets: dict[str, MergedValue]
    model: tuple[ScalarNode, Layer] | None

    def section_entries(self, section: str) -> dict[str, MergedValue]:
        """Return the entries of a section, empty if the section is not a map."""
        value = self.sections.get(section)
        return value.entries if type(value) is MergedMapping else {}
