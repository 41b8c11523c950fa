"""The provenance of a value layer by layer."""

from typing import NamedTuple

from envtree.model.keypath import parse_path
from envtree.model.layers import Layer
from envtree.model.span import Span
from envtree.model.value_path import ValuePath, find_lock
from envtree.queries.explain.explained_bundle import ExplainedBundle
from envtree.queries.explain.key_summaries import value_origin
from envtree.queries.explain.merge_events import MergeEvent, find_merge_events
from envtree.queries.explain.provenance_model import InjectedSecretOrigin, LayerEntry, ValueOrigin


class IndexedEntry(NamedTuple):
    """The entry of a layer that sets or changes a value, with the index of the layer."""

    layer_index: int
    entry: LayerEntry


def list_layer_entries(
    bundle: ExplainedBundle, paths: tuple[ValuePath, ...], winner: ValuePath
) -> tuple[LayerEntry, ...]:
    """Return the entries of all layers for a value, with an `absent` one for each layer that does not set it."""
    indexed_entries = list_indexed_entries(bundle, paths, winner)
    entries: list[LayerEntry] = []
    for n, layer in enumerate(bundle.stack.layers):
        own = [indexed.entry for indexed in indexed_entries if indexed.layer_index == n]
        entries += own or [_absent_entry(paths[0], layer)]
    return tuple(entries)


def list_indexed_entries(
    bundle: ExplainedBundle, paths: tuple[ValuePath, ...], winner: ValuePath
) -> list[IndexedEntry]:
    """Return the entries of the layers that set or change a value, lowest first."""
    lock = find_value_lock(bundle, paths)
    events_by_path = [(path, find_merge_events(path, bundle.steps)) for path in paths]
    entries = [
        IndexedEntry(
            event.layer_index,
            _build_entry(bundle, path, event, wins=path == winner and event is events[-1], lock=lock),
        )
        for path, events in events_by_path
        for event in events
    ]
    return sorted(entries, key=lambda indexed: indexed.layer_index)


def find_value_lock(bundle: ExplainedBundle, paths: tuple[ValuePath, ...]) -> Span | None:
    """Return the lock on a value, or on a map around it."""
    return next(filter(None, (find_lock(path.merged_chain(bundle.merged)) for path in paths)), None)


def find_injected_secret(bundle: ExplainedBundle, winner: ValuePath) -> InjectedSecretOrigin | None:
    """Return the secret that an entry of `secrets` injects."""
    selected = winner.merged_value(bundle.merged) if winner.path[0] == "secrets" and len(winner.path) == 2 else None
    entry = bundle.data["secrets"].get(winner.path[-1])
    if selected is None or entry is None:
        return None
    sealed_path = ValuePath("sealed", parse_path(str(selected.node.value)))
    sealed = sealed_path.merged_value(bundle.merged)
    if sealed is None:
        return None
    span = Span(sealed.layer.path, *sealed.node.mark)
    return InjectedSecretOrigin(
        entry["path"], value_origin(sealed.layer, span), bundle.display_value(sealed, sealed_path)
    )


def _build_entry(
    bundle: ExplainedBundle, path: ValuePath, event: MergeEvent, *, wins: bool, lock: Span | None
) -> LayerEntry:
    origin = value_origin(bundle.stack.layers[event.layer_index], event.span)
    if event.value is None:
        return LayerEntry(origin=origin, key=path.key, action="deleted", rule=event.rule, written=None, is_winner=False)
    action = event.action
    if wins:
        action = "locked" if lock and lock.path == event.span.path else "set"
    elif action == "set":
        # The last value at this path, but another path wins.
        action = "shadowed"
    return LayerEntry(
        origin=origin,
        key=path.key,
        action=action,
        rule=event.rule,
        written=bundle.display_value(event.value, path),
        is_winner=wins,
    )


def _absent_entry(path: ValuePath, layer: Layer) -> LayerEntry:
    return LayerEntry(
        origin=ValueOrigin(layer.kind, layer.scope, path.layer_file(layer), None),
        key=path.key,
        action="absent",
        rule=None,
        written=None,
        is_winner=False,
    )
