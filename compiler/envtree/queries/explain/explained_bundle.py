"""A bundle to explain: its values without secrets, and a replay of the merge that led to them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from envtree.compile.merge.equality import type_of
from envtree.compile.merge.layer_changes import is_expression
from envtree.engine.request import BundleResult
from envtree.model.bundle_entities import BundleEntities, EntityIndex
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Stack
from envtree.model.merged import MergedMapping, MergedScalar, MergedStack, MergedValue
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import SECTIONS, Bundle
from envtree.model.value_path import MODEL_KEY, ValuePath, get_by_path
from envtree.model.workspace import Workspace
from envtree.output.emit import bundle_data
from envtree.output.emit.flatten import flatten
from envtree.output.masking import SecretNames, masked
from envtree.queries.explain.merge_replay import MergeSteps, replay_merges
from envtree.queries.explain.provenance_model import DisplayValue


class ExplainedBundle(NamedTuple):
    """A bundle with the replay of its merge.

    `steps` are the merged layers up to each layer; `secret_variables` are declared as secrets. `variable_paths` has,
    for `explain`, the source of each variable that `output.env` makes of another section.
    """

    entities: BundleEntities
    stack: Stack
    steps: tuple[MergedStack, ...]
    data: Mapping[str, Any]
    inputs: Mapping[str, str]
    secret_variables: frozenset[str]
    variable_paths: Mapping[str, KeyPath] = {}

    @property
    def merged(self) -> MergedStack:
        """The result of merging all layers."""
        return self.steps[-1]

    def value(self, path: KeyPath) -> Any:
        """Return the final value at a path, not masked yet; null if it is hidden or missing."""
        try:
            return get_by_path(self.data, path)
        except KeyError:
            return None

    def is_sensitive(self, path: KeyPath) -> bool:
        """Report whether a value, or any part of it, is secret."""
        if path[0] == "env_vars":
            names = {*self.data["sensitive"]} & {*self.data["env_vars"]}
            return path[1] in names if len(path) > 1 else bool(names)
        key = format_path(path)
        return any(f"{name}.".startswith(f"{key}.") or key.startswith(f"{name}.") for name in self.data["sensitive"])

    def winner(self, path: KeyPath) -> ValuePath:
        """Return the path that a bundle's key takes its value from: that of a variable may be an injected secret."""
        if path == (MODEL_KEY,):
            return ValuePath("model", path)
        injected = path[0] == "env_vars" and len(path) == 2 and path[1] in self.data["secrets"]
        return ValuePath("sections", ("secrets", path[1]) if injected else path)

    def display_value(self, value: MergedValue, value_path: ValuePath) -> DisplayValue:
        """Return the value that a layer wrote, masked for display."""
        kind = "expression" if is_expression(value) else type_of(value)
        content = value.node.value
        if isinstance(content, EncryptedValue):
            return DisplayValue(kind, None, is_secret=True, length=content.length)
        if (
            isinstance(value, MergedScalar)
            and value_path.path[0] == "env_vars"
            and content is not None
            and kind != "expression"
        ):
            # A variable is the text as written, as in `1.10`.
            content = value.node.text
        shown = None if value_path.root == "sealed" else masked(content, value_path.path)
        if kind != "expression" and self._declares_secret(value_path, content):
            shown = None
        return DisplayValue(kind, shown, is_secret=shown is None and content is not None)

    def _declares_secret(self, value_path: ValuePath, content: Any) -> bool:
        names = content if isinstance(content, dict) else value_path.path[1:]
        return value_path.path[0] == "env_vars" and not self.secret_variables.isdisjoint(names)


class Explainer:
    """Makes explained bundles of a tree from the replays of their merges."""

    def __init__(self, workspace: Workspace, inputs: Mapping[str, str]) -> None:
        self._entity_index = EntityIndex(workspace)
        self._secret_names = SecretNames(workspace)
        self._inputs = inputs

    def explain_steps(self, bundle: Bundle, steps: MergeSteps) -> ExplainedBundle:
        """Return a bundle with its merge steps."""
        return ExplainedBundle(
            entities=self._entity_index.entities_of(bundle.target),
            stack=steps[-1].stack,
            steps=steps,
            data=bundle_data(bundle, None),
            inputs=self._inputs,
            secret_variables=self._secret_names.for_target(bundle.target),
        )


def explain_bundle(workspace: Workspace, result: BundleResult, inputs: Mapping[str, str]) -> ExplainedBundle:
    """Replay the merge of a bundle."""
    _, steps = next(replay_merges([result], workspace.organization))
    variable_paths = {
        variable.name: variable.path
        for variable in flatten(result.bundle.data, workspace.organization.output.env_patterns)
    }
    return Explainer(workspace, inputs).explain_steps(result.bundle, steps)._replace(variable_paths=variable_paths)


def list_keys(bundle: ExplainedBundle) -> list[KeyPath]:
    """Return every key of the bundle: the leaves of maps, and lists as a whole."""
    keys: list[KeyPath] = [("env_vars", name) for name in sorted(bundle.data["env_vars"])]
    for section in SECTIONS:
        keys.extend(list_nested_keys(bundle, (section,)))
    return [(MODEL_KEY,), *keys] if bundle.merged.model else keys


def list_nested_keys(bundle: ExplainedBundle, path: KeyPath) -> list[KeyPath]:
    """Return the paths of a map's leaves; for a leaf or a list, the path itself, if a layer wrote it."""
    merged = ValuePath("sections", path).merged_value(bundle.merged)
    return _leaf_paths(merged, path) if merged else []


def _leaf_paths(merged: MergedValue, path: KeyPath) -> list[KeyPath]:
    if not isinstance(merged, MergedMapping) or not merged.entries:
        return [path]
    return [key for name in sorted(merged.entries) for key in _leaf_paths(merged.entries[name], (*path, name))]


def expression_text(value: MergedValue | None) -> str | None:
    """Return the text of a scalar that contains an expression, or None."""
    return str(value.node.value) if isinstance(value, MergedScalar) and is_expression(value) else None
