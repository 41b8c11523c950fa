"""`provenance.json`: the layers that set or change each key of a bundle, with their locations and without secrets."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.engine.publish import FileContents
from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.model.canonical_json import encode_canonical
from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedValue
from envtree.model.resolved import Bundle
from envtree.model.span import Span
from envtree.model.value_path import MODEL_KEY, ValuePath, contributing_paths, find_lock
from envtree.model.workspace import Workspace
from envtree.queries.explain import layer_order
from envtree.queries.explain.explained_bundle import ExplainedBundle, Explainer, list_keys
from envtree.queries.explain.key_summaries import summarize_key
from envtree.queries.explain.layer_trace import find_injected_secret, list_indexed_entries
from envtree.queries.explain.merge_replay import MergeSteps, replay_merges
from envtree.queries.explain.to_json import layer_entry_data, order_data, provenance_data
from envtree.queries.layer_statements import StatementIdentities

PROVENANCE_FILE = "provenance.json"


def attach_provenance(run: Run) -> Iterator[tuple[BundleResult, FileContents]]:
    """Yield the bundles of a run, each with its `provenance.json`; after an error, bundles have none."""
    if run.workspace is None:
        return
    builder = _ProvenanceBuilder(run.workspace, run.recorded_inputs())
    for result, steps in replay_merges(run.results(), run.workspace.organization):
        # An invalid expression has been reported, and cannot be explained.
        has_errors = run.error_monitor.has_errors()
        yield result, () if has_errors else ((PROVENANCE_FILE, encode_canonical(builder.build(result.bundle, steps))),)


class _CachedEntry(NamedTuple):
    """The provenance of a key in an earlier bundle; `data` is its full data if that depends on nothing else."""

    values: tuple[MergedValue | None, ...]
    statement_ids: tuple[tuple[int, ...], ...]
    winner: ValuePath
    lock: Span | None
    secret_variables: frozenset[str]
    layers: list[dict[str, Any]]
    data: dict[str, Any] | None


class _ProvenanceBuilder:
    """Builds the files of many bundles; consecutive ones share most layers, whose entries are built once."""

    def __init__(self, workspace: Workspace, inputs: Mapping[str, str]) -> None:
        self._explainer = Explainer(workspace, inputs)
        self._compiler = ExpressionCompiler()
        self._identities = StatementIdentities()
        self._cache: dict[ValuePath, _CachedEntry] = {}

    def build(self, bundle: Bundle, steps: MergeSteps) -> dict[str, Any]:
        """Return the data of a bundle's `provenance.json`."""
        explained = self._explainer.explain_steps(bundle, steps)
        injected = {name for step in steps for name in step.section_entries("secrets")}
        keys = [self._key_data(explained, path, injected) for path in list_keys(explained)]
        return order_data(bundle.target.id, layer_order(explained)) | {"keys": keys}

    def _key_data(self, bundle: ExplainedBundle, path: KeyPath, injected: set[str]) -> dict[str, Any]:
        value_path = ValuePath("model" if path == (MODEL_KEY,) else "sections", path)
        # Most variables are not injected by any layer.
        value_paths = contributing_paths(value_path) if path[-1] in injected else (value_path,)
        traces = [contributing.merged_chain(bundle.merged) for contributing in value_paths]
        values = tuple(
            trace[-1] if len(trace) == len(contributing.path) else None
            for contributing, trace in zip(value_paths, traces, strict=True)
        )
        winner, lock = bundle.winner(path), next(filter(None, map(find_lock, traces)), None)
        # Equal values may have a different history: a deletion leaves no trace in the values above it.
        statement_ids = tuple(self._identities.identify(bundle.stack, contributing) for contributing in value_paths)
        cached = self._cache.get(value_path)
        if (
            cached
            and _have_same_layers(cached.values, values)
            and cached[1:5] == (statement_ids, winner, lock, bundle.secret_variables)
        ):
            if cached.data:
                return cached.data
            layers = cached.layers
        else:
            layers = [layer_entry_data(indexed.entry) for indexed in list_indexed_entries(bundle, value_paths, winner)]
        data = provenance_data(
            summarize_key(bundle, path, self._compiler), layers, lock, find_injected_secret(bundle, winner)
        )
        is_constant = len(values) == 1 and values[0] is not None and not values[0].is_dynamic
        self._cache[value_path] = _CachedEntry(
            values=values,
            statement_ids=statement_ids,
            winner=winner,
            lock=lock,
            secret_variables=bundle.secret_variables,
            layers=layers,
            data=data if is_constant else None,
        )
        return data


def _have_same_layers(values: tuple[MergedValue | None, ...], previous: tuple[MergedValue | None, ...]) -> bool:
    """Report whether the same layers made the values of two bundles.

    Without a value this is unknown: it may have been deleted in another layer, or never set.
    """
    pairs = zip(values, previous, strict=False)
    return len(values) == len(previous) and all(value is previous_value is not None for value, previous_value in pairs)
