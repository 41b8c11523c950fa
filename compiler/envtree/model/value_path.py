"""A place in the values of a bundle: a section's value, a secret of the sealed files, or the model."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedStack, MergedValue
from envtree.model.nodes import Node
from envtree.model.span import Span

MODEL_KEY = "model_id"


class ValuePath(NamedTuple):
    """`path` begins with the section; that of a secret is the path by which expressions read it."""

    root: Literal["sections", "sealed", "model"]
    path: KeyPath

    @property
    def key(self) -> str:
        """The place as people write it."""
        return format_path(("secrets", *self.path) if self.root == "sealed" else self.path)

    def merged_chain(self, merged: MergedStack) -> tuple[MergedValue, ...]:
        """The merged values on the way to here, the outermost first, as far as there are any."""
        if self.root == "model":
            return (MergedScalar(*merged.model, None, "set", None, False, False),) if merged.model else ()
        found: list[MergedValue] = []
        level: Mapping[str, MergedValue] = merged.secrets if self.root == "sealed" else merged.sections
        for step in self.path:
            value = level.get(step)
            if value is None:
                break
            found.append(value)
            level = child_values(value)
        return tuple(found)

    def merged_value(self, merged: MergedStack) -> MergedValue | None:
        """What is merged here."""
        trace = self.merged_chain(merged)
        return trace[-1] if len(trace) == len(self.path) else None

    def layer_file(self, layer: Layer) -> str:
        """The file in which a layer could say something of this place, or an empty string."""
        if self.root == "sealed":
            return layer.secrets.path if layer.secrets else ""
        return layer.path

    def layer_node(self, layer: Layer) -> Node | None:
        """The outermost node in which a layer could say something of this place."""
        if self.root == "sealed":
            return layer.secrets.content if layer.secrets else None
        return layer.section if self.root == "sections" else layer.model


def child_values(value: MergedValue) -> Mapping[str, MergedValue]:
    """What is inside a map or a list, by key or index."""
    if isinstance(value, MergedMapping):
        return value.entries
    return {str(n): item for n, item in enumerate(value.items)} if isinstance(value, MergedSequence) else {}


def get_by_path(data: Any, path: KeyPath) -> Any:
    """The part of JSON data at a path, lists by index; raises KeyError."""
    for step in path:
        inside = {str(n): item for n, item in enumerate(data)} if isinstance(data, list) else data
        if not isinstance(inside, dict):
            raise KeyError(step)
        data = inside[step]
    return data


def find_lock(trace: tuple[MergedValue, ...]) -> Span | None:
    """The lock on a value or on a map around it."""
    return next((value.lock for value in trace if value.lock), None)
