"""Paths of values in a bundle: in a section, in the secrets files, or the model."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedStack, MergedValue
from envtree.model.nodes import Node, ScalarNode
from envtree.model.span import Span

MODEL_KEY = "model_id"


class ValuePath(NamedTuple):
    """A path below one of the roots of a bundle.

    In `sections`, `path` begins with the name of the section; in `sealed`, it is the path by which expressions read the
    secret.
    """

    root: Literal["sections", "sealed", "model"]
    path: KeyPath

    @property
    def key(self) -> str:
        """The path as users write it."""
        return format_path(("secrets", *self.path) if self.root == "sealed" else self.path)

    def merged_chain(self, merged: MergedStack) -> tuple[MergedValue, ...]:
        """Return the merged values along the path, the outermost first, up to the first key that is missing."""
        if self.root == "model":
            return (_merged_model(*merged.model),) if merged.model else ()
        chain: list[MergedValue] = []
        level: Mapping[str, MergedValue] = merged.secrets if self.root == "sealed" else merged.sections
        for key in self.path:
            value = level.get(key)
            if value is None:
                break
            chain.append(value)
            level = child_values(value)
        return tuple(chain)

    def merged_value(self, merged: MergedStack) -> MergedValue | None:
        """Return the merged value at the path, None if there is none."""
        chain = self.merged_chain(merged)
        return chain[-1] if len(chain) == len(self.path) else None

    def layer_file(self, layer: Layer) -> str:
        """Return the file of a layer that could set a value at this path, or an empty string."""
        if self.root == "sealed":
            return layer.secrets.path if layer.secrets else ""
        return layer.path

    def layer_node(self, layer: Layer) -> Node | None:
        """Return the outermost node of a layer that could contain this path."""
        if self.root == "sealed":
            return layer.secrets.content if layer.secrets else None
        return layer.section if self.root == "sections" else layer.model


def contributing_paths(value_path: ValuePath) -> tuple[ValuePath, ...]:
    """Return all paths that contribute to a value: a variable can be set directly and injected.

    Within one layer the injected secret wins.
    """
    if value_path.path[0] == "env_vars" and len(value_path.path) > 1:
        return value_path, ValuePath("sections", ("secrets", value_path.path[1]))
    return (value_path,)


def _merged_model(node: ScalarNode, layer: Layer) -> MergedScalar:
    return MergedScalar(node, layer, base=None, rule="set", lock=None, is_dynamic=False, shadows_expression=False)


def child_values(value: MergedValue) -> Mapping[str, MergedValue]:
    """Return the children of a map by key and of a list by index; empty for a scalar."""
    if isinstance(value, MergedMapping):
        return value.entries
    return {str(n): item for n, item in enumerate(value.items)} if isinstance(value, MergedSequence) else {}


def get_by_path(data: Any, path: KeyPath) -> Any:
    """Return the part of JSON data at a path, lists by index; raise KeyError if it is missing."""
    for key in path:
        children = {str(n): item for n, item in enumerate(data)} if isinstance(data, list) else data
        if not isinstance(children, dict):
            raise KeyError(key)
        data = children[key]
    return data


def find_lock(chain: tuple[MergedValue, ...]) -> Span | None:
    """Return the lock of a value or of a map around it, given the chain of merged values."""
    return next((value.lock for value in chain if value.lock), None)
