"""The values that the files of a tree supply to its bundles: where each is effective, and where it is overridden."""

from collections.abc import Container, Iterator
from typing import NamedTuple

from envtree.engine.request import BundleResult
from envtree.model.keypath import KeyPath, format_path
from envtree.model.layers import Layer
from envtree.model.merged import COMBINING_RULES, MergedMapping, MergedValue, merged_span
from envtree.model.nodes import Node
from envtree.model.span import Span
from envtree.model.value_path import ValuePath
from envtree.output.bundle_cells import bundle_sealed_leaves, sealed_leaves
from envtree.queries.fleet.written_values import WrittenValue, list_sealed_values, list_written_values
from envtree.queries.layer_statements import list_statements


class ValueUsage(NamedTuple):
    """A value of a file, and the bundles that use it, by their indexes in the order of the run.

    It is effective in the bundles of `effective_in`; `shadowed_by` has other bundles that could have it, by the
    location of the value that they have instead. A secret is effective where it is read; bundles that do not read it
    are in neither.
    """

    key: str
    span: Span
    written: WrittenValue
    effective_in: list[int]
    shadowed_by: dict[Span, list[int]]


class _LayerUsages(NamedTuple):
    """The values of a layer, in its file and in its secrets file."""

    files: tuple[str, ...]
    section_usages: tuple[ValueUsage, ...]
    secret_usages: tuple[ValueUsage, ...]
    model_usage: ValueUsage | None


class ValueUsageIndex:
    """An index of values that is built bundle by bundle; with `files` only those files are examined.

    `ids` are the bundles so far, `bundles_by_file` the indexes of those with a layer from the file.
    """

    def __init__(self, files: Container[str] | None = None) -> None:
        self.ids: list[str] = []
        self.bundles_by_file: dict[str, list[int]] = {}
        self._files = files
        self._layers: dict[Layer, _LayerUsages] = {}

    def add(self, result: BundleResult) -> None:
        """Add a bundle."""
        bundle_index = len(self.ids)
        self.ids.append(result.bundle.target.id)
        outcomes = _BundleOutcomes(result)
        for layer in result.resolved.merged.stack.layers:
            usages = self._layers.get(layer)
            if usages is None:
                usages = self._layers[layer] = self._index_layer(layer)
            for file in usages.files:
                bundle_indexes = self.bundles_by_file.setdefault(file, [])
                if not bundle_indexes or bundle_indexes[-1] != bundle_index:
                    bundle_indexes.append(bundle_index)
            for usage in usages.section_usages:
                _record_outcome(usage, outcomes.section_outcome(usage, layer), bundle_index)
            for usage in usages.secret_usages:
                _record_outcome(usage, outcomes.secret_outcome(usage.written), bundle_index)
            if usages.model_usage:
                _record_outcome(
                    usages.model_usage, outcomes.model_outcome(usages.model_usage.written.node), bundle_index
                )

    def layers(self) -> Iterator[tuple[Layer, tuple[ValueUsage, ...], tuple[ValueUsage, ...]]]:
        """Yield each layer with the values of its section, and those of its secrets file."""
        for layer, usages in self._layers.items():
            yield layer, usages.section_usages, usages.secret_usages

    def usages_of(self, path: str) -> list[ValueUsage]:
        """Return the values of a file, models included."""
        usages = (
            usage
            for layer_usages in self._layers.values()
            for usage in (*layer_usages.section_usages, *layer_usages.secret_usages, layer_usages.model_usage)
        )
        return [usage for usage in usages if usage and usage.span.path == path]

    def _index_layer(self, layer: Layer) -> _LayerUsages:
        files = (layer.path, layer.secrets.path if layer.secrets else "")
        section_file, secrets_file = (
            file if file and (self._files is None or file in self._files) else "" for file in files
        )
        section_values = list_written_values(layer.section) if section_file and layer.section else ()
        secret_values = list_sealed_values(layer.secrets.content) if secrets_file and layer.secrets else ()
        model_usage = None
        if section_file and layer.model:
            key = "default_model" if layer.kind in ("organization", "project") else "model_id"
            model_usage = _new_usage(section_file, (key,), WrittenValue((key,), layer.model, True))
        return _LayerUsages(
            tuple(filter(None, (section_file, secrets_file))),
            tuple(_new_usage(section_file, written.path, written) for written in section_values),
            tuple(_new_usage(secrets_file, ("secrets", *written.path), written) for written in secret_values),
            model_usage,
        )


def _new_usage(file: str, key: KeyPath, written: WrittenValue) -> ValueUsage:
    return ValueUsage(format_path(key), Span(file, *written.node.mark), written, [], {})


def _record_outcome(usage: ValueUsage, outcome: "Span | bool | None", bundle_index: int) -> None:
    if outcome is True:
        usage.effective_in.append(bundle_index)
    elif isinstance(outcome, Span):
        usage.shadowed_by.setdefault(outcome, []).append(bundle_index)


class _BundleOutcomes:
    """The outcome of values in a bundle: True if effective, the location of the override, or None for neither."""

    def __init__(self, result: BundleResult) -> None:
        self._resolved = result.resolved
        self._merged = result.resolved.merged
        self._read: frozenset[int] | None = None

    def section_outcome(self, usage: ValueUsage, layer: Layer) -> Span | bool | None:
        """Return the outcome of a value of a section."""
        written = usage.written
        path = written.path
        competing = self._competing_value(path) if len(path) == 2 and path[0] in ("env_vars", "secrets") else None
        if competing is not None:
            return merged_span(competing)
        value, is_complete = follow_path(self._merged.sections.get(path[0]), path)
        if value is None:
            return written.is_removal or self._find_remover(path, layer)
        if is_complete and has_contribution(value, written.node):
            return True
        # A value that this layer only locks or repeats belongs to a lower layer.
        layers = self._merged.stack.layers
        return merged_span(value) if layers.index(value.layer) > layers.index(layer) else None

    def secret_outcome(self, written: WrittenValue) -> Span | bool | None:
        """Return the outcome of a value of a secrets file."""
        value, is_complete = follow_path(self._merged.secrets.get(written.path[0]), written.path)
        if value is None or not any(id(leaf.node) in self._read_leaf_ids() for leaf in sealed_leaves(value)):
            return None
        return (is_complete and has_contribution(value, written.node)) or merged_span(value)

    def model_outcome(self, node: Node) -> Span | bool | None:
        """Return the outcome of a model."""
        if self._merged.model is None:
            return None
        scalar, layer = self._merged.model
        return scalar is node or Span(layer.path, *scalar.mark)

    def _competing_value(self, path: KeyPath) -> MergedValue | None:
        """Return the variable or injected secret of the same name, if it wins."""
        section, name = path
        if section == "env_vars":
            injection = self._resolved.injected.get(name)
            return injection.selected_by if injection else None
        overridden = name not in self._resolved.injected and name in self._merged.section_entries("secrets")
        return self._merged.section_entries("env_vars").get(name) if overridden else None

    def _find_remover(self, path: KeyPath, layer: Layer) -> Span | None:
        """Return the location at which the last layer with a statement about a value removed it."""
        last_statements = list_statements(self._merged.stack, ValuePath("sections", path))[-1:]
        return last_statements[0].span if last_statements and last_statements[0].layer is not layer else None

    def _read_leaf_ids(self) -> frozenset[int]:
        """Return the ids of the nodes of all secrets-file leaves that this bundle reads."""
        if self._read is None:
            self._read = frozenset(id(leaf.node) for leaf in bundle_sealed_leaves(self._resolved))
        return self._read


def has_contribution(value: MergedValue, node: Node) -> bool:
    """Report whether a node contributes to a merged value: as the last one, or below values that combine with it."""
    current: MergedValue | None = value
    while current is not None:
        if current.node is node:
            return True
        current = current.base if current.rule in COMBINING_RULES else None
    return False


def follow_path(value: MergedValue | None, path: KeyPath) -> tuple[MergedValue | None, bool]:
    """Return the merged value at a path and True, or the last value on the way there that is no map, and False."""
    for step in path[1:]:
        if type(value) is not MergedMapping:
            return value, False
        value = value.entries.get(step)
    return value, True
