"""What the files of a tree supply to its bundles: where each value counts, and what stands over it elsewhere."""

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
    """A value that a file writes, and what becomes of it; bundles are told by their numbers, in the order of the run.

    It counts in the bundles of `wins`; `lost` has others that could have it, by the place of what they have instead.
    One from a secrets file counts where it is read, and nothing is said of bundles that do not read it.
    """

    key: str
    span: Span
    written: WrittenValue
    effective_in: list[int]
    shadowed_by: dict[Span, list[int]]


class _LayerUsages(NamedTuple):
    """What a layer writes, in its file and in its secrets file."""

    files: tuple[str, ...]
    section_usages: tuple[ValueUsage, ...]
    secret_usages: tuple[ValueUsage, ...]
    model_usage: ValueUsage | None


class ValueUsageIndex:
    """Built bundle by bundle; with `files` only they are looked at.

    `ids` are the bundles so far, and `stands` the numbers of those whose layers have a file.
    """

    def __init__(self, files: Container[str] | None = None) -> None:
        self.ids: list[str] = []
        self.bundles_by_file: dict[str, list[int]] = {}
        self._files = files
        self._layers: dict[Layer, _LayerUsages] = {}

    def add(self, result: BundleResult) -> None:
        """Take in one more bundle."""
        number = len(self.ids)
        self.ids.append(result.bundle.target.id)
        bundle = _BundleOutcomes(result)
        for layer in result.resolved.merged.stack.layers:
            known = self._layers.get(layer)
            if known is None:
                known = self._layers[layer] = self._index_layer(layer)
            for file in known.files:
                standing = self.bundles_by_file.setdefault(file, [])
                if not standing or standing[-1] != number:
                    standing.append(number)
            for supply in known.section_usages:
                _record_outcome(supply, bundle.section_outcome(supply, layer), number)
            for supply in known.secret_usages:
                _record_outcome(supply, bundle.secret_outcome(supply.written), number)
            if known.model_usage:
                _record_outcome(known.model_usage, bundle.model_outcome(known.model_usage.written.node), number)

    def layers(self) -> Iterator[tuple[Layer, tuple[ValueUsage, ...], tuple[ValueUsage, ...]]]:
        """Each layer with the values of its section, and those of its secrets file."""
        for layer, known in self._layers.items():
            yield layer, known.section_usages, known.secret_usages

    def usages_of(self, path: str) -> list[ValueUsage]:
        """The values of one file, models included."""
        every = (
            one
            for known in self._layers.values()
            for one in (*known.section_usages, *known.secret_usages, known.model_usage)
        )
        return [one for one in every if one and one.span.path == path]

    def _index_layer(self, layer: Layer) -> _LayerUsages:
        files = (layer.path, layer.secrets.path if layer.secrets else "")
        own, beside = (file if file and (self._files is None or file in self._files) else "" for file in files)
        plain = list_written_values(layer.section) if own and layer.section else ()
        secrets = list_sealed_values(layer.secrets.content) if beside and layer.secrets else ()
        model = None
        if own and layer.model:
            name = "default_model" if layer.kind in ("organization", "project") else "model_id"
            model = _new_usage(own, (name,), WrittenValue((name,), layer.model, True))
        return _LayerUsages(
            tuple(filter(None, (own, beside))),
            tuple(_new_usage(own, one.path, one) for one in plain),
            tuple(_new_usage(beside, ("secrets", *one.path), one) for one in secrets),
            model,
        )


def _new_usage(file: str, key: KeyPath, one: WrittenValue) -> ValueUsage:
    return ValueUsage(format_path(key), Span(file, *one.node.mark), one, [], {})


def _record_outcome(supply: ValueUsage, outcome: "Span | bool | None", number: int) -> None:
    if outcome is True:
        supply.effective_in.append(number)
    elif isinstance(outcome, Span):
        supply.shadowed_by.setdefault(outcome, []).append(number)


class _BundleOutcomes:
    """One bundle, asked what becomes of a value: True if it counts, what stands over it, or None for neither."""

    def __init__(self, result: BundleResult) -> None:
        self._resolved = result.resolved
        self._merged = result.resolved.merged
        self._read: frozenset[int] | None = None

    def section_outcome(self, supply: ValueUsage, layer: Layer) -> Span | bool | None:
        """A value of a section."""
        one = supply.written
        path = one.path
        rival = self._competing_value(path) if len(path) == 2 and path[0] in ("env_vars", "secrets") else None
        if rival is not None:
            return merged_span(rival)
        value, whole = follow_path(self._merged.sections.get(path[0]), path)
        if value is None:
            return one.is_removal or self._find_remover(path, layer)
        if whole and has_contribution(value, one.node):
            return True
        # What this layer only locks, or says again, is a layer's below.
        layers = self._merged.stack.layers
        return merged_span(value) if layers.index(value.layer) > layers.index(layer) else None

    def secret_outcome(self, one: WrittenValue) -> Span | bool | None:
        """A value of a secrets file."""
        value, whole = follow_path(self._merged.secrets.get(one.path[0]), one.path)
        if value is None or not any(id(leaf.node) in self._read_leaf_ids() for leaf in sealed_leaves(value)):
            return None
        return (whole and has_contribution(value, one.node)) or merged_span(value)

    def model_outcome(self, node: Node) -> Span | bool | None:
        """A model."""
        if self._merged.model is None:
            return None
        scalar, layer = self._merged.model
        return scalar is node or Span(layer.path, *scalar.mark)

    def _competing_value(self, path: KeyPath) -> MergedValue | None:
        """A variable and an injected secret of one name: the other one, if it wins."""
        section, name = path
        if section == "env_vars":
            injection = self._resolved.injected.get(name)
            return injection.selected_by if injection else None
        overridden = name not in self._resolved.injected and name in self._merged.section_entries("secrets")
        return self._merged.section_entries("env_vars").get(name) if overridden else None

    def _find_remover(self, path: KeyPath, layer: Layer) -> Span | None:
        """Where the last layer that speaks of a value took it away."""
        last = list_statements(self._merged.stack, ValuePath("sections", path))[-1:]
        return last[0].span if last and last[0].layer is not layer else None

    def _read_leaf_ids(self) -> frozenset[int]:
        """The leaves of secrets files that this bundle reads, by their nodes."""
        if self._read is None:
            self._read = frozenset(id(leaf.node) for leaf in bundle_sealed_leaves(self._resolved))
        return self._read


def has_contribution(value: MergedValue, node: Node) -> bool:
    """Whether what a node says is in a merged value: as its last word, or below others that combine with it."""
    found: MergedValue | None = value
    while found is not None:
        if found.node is node:
            return True
        found = found.base if found.rule in COMBINING_RULES else None
    return False


def follow_path(value: MergedValue | None, path: KeyPath) -> tuple[MergedValue | None, bool]:
    """What is merged at a path, or else the last value on the way there that is no map; and whether it is all of it."""
    for step in path[1:]:
        if type(value) is not MergedMapping:
            return value, False
        value = value.entries.get(step)
    return value, True
