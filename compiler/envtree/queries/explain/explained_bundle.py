"""One bundle as explain looks at it: its values without secrets, and the merge that led to them."""

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
    """`steps` are what the layers merge to, up to each of them; `secretive` are the variables declared as secrets.

    `flat` has where the variables come from that `output.env` makes of other sections, if anybody asks.
    """

    owners: BundleEntities
    stack: Stack
    steps: tuple[MergedStack, ...]
    data: Mapping[str, Any]
    inputs: Mapping[str, str]
    secret_variables: frozenset[str]
    variable_paths: Mapping[str, KeyPath] = {}

    @property
    def merged(self) -> MergedStack:
        """What all layers merge to."""
        return self.steps[-1]

    def value(self, path: KeyPath) -> Any:
        """The final value at a path, null where it is hidden or where there is none; it is not veiled yet."""
        try:
            return get_by_path(self.data, path)
        except KeyError:
            return None

    def is_sensitive(self, path: KeyPath) -> bool:
        """Whether a value, or any part of it, is secret."""
        if path[0] == "env_vars":
            names = {*self.data["sensitive"]} & {*self.data["env_vars"]}
            return path[1] in names if len(path) > 1 else bool(names)
        key = format_path(path)
        return any(f"{name}.".startswith(f"{key}.") or key.startswith(f"{name}.") for name in self.data["sensitive"])

    def winner(self, path: KeyPath) -> ValuePath:
        """Where the value of a key of the bundle comes from: that of a variable may be an injected secret."""
        if path == (MODEL_KEY,):
            return ValuePath("model", path)
        injected = path[0] == "env_vars" and len(path) == 2 and path[1] in self.data["secrets"]
        return ValuePath("sections", ("secrets", path[1]) if injected else path)

    def display_value(self, value: MergedValue, place: ValuePath) -> DisplayValue:
        """What a layer wrote, fit to be shown."""
        kind = "expression" if is_expression(value) else type_of(value)
        content = value.node.value
        if isinstance(content, EncryptedValue):
            return DisplayValue(kind, None, is_secret=True, length=content.length)
        if (
            isinstance(value, MergedScalar)
            and place.path[0] == "env_vars"
            and content is not None
            and kind != "expression"
        ):
            # A variable is the text that stands there, `1.10` too.
            content = value.node.text
        shown = None if place.root == "sealed" else masked(content, place.path)
        if kind != "expression" and self._declares_secret(place, content):
            shown = None
        return DisplayValue(kind, shown, is_secret=shown is None and content is not None)

    def _declares_secret(self, place: ValuePath, content: Any) -> bool:
        names = content if isinstance(content, dict) else place.path[1:]
        return place.path[0] == "env_vars" and not self.secret_variables.isdisjoint(names)


class Explainer:
    """Looks at the bundles of a tree, whose merges have been replayed."""

    def __init__(self, workspace: Workspace, inputs: Mapping[str, str]) -> None:
        self._roster = EntityIndex(workspace)
        self._secret_names = SecretNames(workspace)
        self._inputs = inputs

    def explain_steps(self, bundle: Bundle, steps: MergeSteps) -> ExplainedBundle:
        """A bundle, by its steps."""
        target = bundle.target
        owners, names = self._roster.entities_of(target), self._secret_names.for_target(target)
        return ExplainedBundle(owners, steps[-1].stack, steps, bundle_data(bundle, None), self._inputs, names)


def explain_bundle(workspace: Workspace, result: BundleResult, inputs: Mapping[str, str]) -> ExplainedBundle:
    """Replay the merge of one bundle."""
    _, steps = next(replay_merges([result], workspace.organization))
    flat = {one.name: one.path for one in flatten(result.bundle.data, workspace.organization.output.env_patterns)}
    return Explainer(workspace, inputs).explain_steps(result.bundle, steps)._replace(variable_paths=flat)


def list_keys(bundle: ExplainedBundle) -> list[KeyPath]:
    """Every key of the bundle: a map is told by what is in it, a list as a whole."""
    found: list[KeyPath] = [("env_vars", name) for name in sorted(bundle.data["env_vars"])]
    for section in SECTIONS:
        found.extend(list_nested_keys(bundle, (section,)))
    return [(MODEL_KEY,), *found] if bundle.merged.model else found


def list_nested_keys(bundle: ExplainedBundle, path: KeyPath) -> list[KeyPath]:
    """The keys of a map down to its leaves; a leaf or a list is its own, and what no layer wrote has none."""
    merged = ValuePath("sections", path).merged_value(bundle.merged)
    return _leaf_paths(merged, path) if merged else []


def _leaf_paths(merged: MergedValue, path: KeyPath) -> list[KeyPath]:
    if not isinstance(merged, MergedMapping) or not merged.entries:
        return [path]
    return [key for name in sorted(merged.entries) for key in _leaf_paths(merged.entries[name], (*path, name))]


def expression_text(value: MergedValue | None) -> str | None:
    """The text of a scalar with an expression."""
    return str(value.node.value) if isinstance(value, MergedScalar) and is_expression(value) else None
