"""`provenance.json`: for every key of a bundle who set it and what that stands over, at which lines; never a secret."""

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
from envtree.model.value_path import MODEL_KEY, ValuePath, find_lock
from envtree.model.workspace import Workspace
from envtree.queries.explain import layer_order
from envtree.queries.explain.explained_bundle import ExplainedBundle, Explainer, list_keys
from envtree.queries.explain.key_summaries import summarize_key
from envtree.queries.explain.layer_trace import contributing_paths, find_injected_secret, list_indexed_entries
from envtree.queries.explain.merge_replay import MergeSteps, replay_merges
from envtree.queries.explain.to_json import layer_entry_data, order_data, provenance_data
from envtree.queries.layer_statements import StatementIdentities

PROVENANCE_FILE = "provenance.json"


def attach_provenance(run: Run) -> Iterator[tuple[BundleResult, FileContents]]:
    """The bundles of a run, each with its `provenance.json` as long as there is no error."""
    if run.workspace is None:
        return
    told = _ProvenanceBuilder(run.workspace, run.recorded_inputs())
    for result, steps in replay_merges(run.results(), run.workspace.organization):
        # What is wrong with an expression has been told, and cannot be explained.
        broken = run.error_monitor.has_errors()
        yield result, () if broken else ((PROVENANCE_FILE, encode_canonical(told.build(result.bundle, steps))),)


class _CachedEntry(NamedTuple):
    """What was said of a value of the bundle before; `data` is all of it where that depends on nothing else."""

    values: tuple[MergedValue | None, ...]
    statement_ids: tuple[tuple[int, ...], ...]
    winner: ValuePath
    lock: Span | None
    secret_variables: frozenset[str]
    layers: list[dict[str, Any]]
    data: dict[str, Any] | None


class _ProvenanceBuilder:
    """Neighbours have most of their values from the same layers: what is the same is put together once."""

    def __init__(self, workspace: Workspace, inputs: Mapping[str, str]) -> None:
        self._explainer = Explainer(workspace, inputs)
        self._compiler = ExpressionCompiler()
        self._identities = StatementIdentities()
        self._cache: dict[ValuePath, _CachedEntry] = {}

    def build(self, bundle: Bundle, steps: MergeSteps) -> dict[str, Any]:
        """All that there is to say of a bundle."""
        explained = self._explainer.explain_steps(bundle, steps)
        injected = {name for step in steps for name in step.section_entries("secrets")}
        told = [self._key_data(explained, path, injected) for path in list_keys(explained)]
        return order_data(bundle.target.id, layer_order(explained)) | {"keys": told}

    def _key_data(self, bundle: ExplainedBundle, path: KeyPath, injected: set[str]) -> dict[str, Any]:
        place = ValuePath("model" if path == (MODEL_KEY,) else "sections", path)
        # Most variables were never to be injected by any layer.
        places = contributing_paths(place) if path[-1] in injected else (place,)
        traces = [one.merged_chain(bundle.merged) for one in places]
        values = tuple(
            trace[-1] if len(trace) == len(one.path) else None for one, trace in zip(places, traces, strict=True)
        )
        winner, lock = bundle.winner(path), next(filter(None, map(find_lock, traces)), None)
        # Values that end alike may have begun otherwise: what was deleted below them leaves no trace in them.
        said = tuple(self._identities.identify(bundle.stack, one) for one in places)
        known = self._cache.get(place)
        if (
            known
            and _have_same_layers(known.values, values)
            and known[1:5] == (said, winner, lock, bundle.secret_variables)
        ):
            if known.data:
                return known.data
            layers = known.layers
        else:
            layers = [layer_entry_data(one.entry) for one in list_indexed_entries(bundle, places, winner)]
        data = provenance_data(
            summarize_key(bundle, path, self._compiler), layers, lock, find_injected_secret(bundle, winner)
        )
        fixed = len(values) == 1 and values[0] is not None and not values[0].is_dynamic
        self._cache[place] = _CachedEntry(
            values, said, winner, lock, bundle.secret_variables, layers, data if fixed else None
        )
        return data


def _have_same_layers(values: tuple[MergedValue | None, ...], previous: tuple[MergedValue | None, ...]) -> bool:
    """Whether the same layers made the values of two bundles.

    Of a place without a value this is not known: it may have been deleted elsewhere, or never set.
    """
    pairs = zip(values, previous, strict=False)
    return len(values) == len(previous) and all(one is other is not None for one, other in pairs)
