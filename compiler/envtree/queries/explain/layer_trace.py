"""The rungs of a ladder: what each layer has to do with a value."""

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
    """A rung of a layer that has something to say, and the layer's number."""

    layer_index: int
    entry: LayerEntry


def contributing_paths(place: ValuePath) -> tuple[ValuePath, ...]:
    """All places that have a say: a variable can be set, and injected; in one layer the secret is the stronger."""
    if place.path[0] == "env_vars" and len(place.path) == 2:
        return place, ValuePath("sections", ("secrets", place.path[1]))
    return (place,)


def list_layer_entries(
    bundle: ExplainedBundle, places: tuple[ValuePath, ...], winner: ValuePath
) -> tuple[LayerEntry, ...]:
    """What all layers have to do with a value, also those that have nothing to say."""
    told = list_indexed_entries(bundle, places, winner)
    found: list[LayerEntry] = []
    for n, layer in enumerate(bundle.stack.layers):
        found += [one.entry for one in told if one.layer_index == n] or [_absent_entry(places[0], layer)]
    return tuple(found)


def list_indexed_entries(
    bundle: ExplainedBundle, places: tuple[ValuePath, ...], winner: ValuePath
) -> list[IndexedEntry]:
    """What the layers that speak of a value do with it, lowest first."""
    lock = find_value_lock(bundle, places)
    told = [(place, find_merge_events(place, bundle.steps)) for place in places]
    found = [
        IndexedEntry(
            event.layer_index,
            _build_entry(bundle, place, event, wins=place == winner and event is changes[-1], lock=lock),
        )
        for place, changes in told
        for event in changes
    ]
    return sorted(found, key=lambda one: one.layer_index)


def find_value_lock(bundle: ExplainedBundle, places: tuple[ValuePath, ...]) -> Span | None:
    """The lock on a value, or around it."""
    return next(filter(None, (find_lock(place.merged_chain(bundle.merged)) for place in places)), None)


def find_injected_secret(bundle: ExplainedBundle, winner: ValuePath) -> InjectedSecretOrigin | None:
    """The secret that an entry of `secrets` injects."""
    chosen = winner.merged_value(bundle.merged) if winner.path[0] == "secrets" and len(winner.path) == 2 else None
    entry = bundle.data["secrets"].get(winner.path[-1])
    if chosen is None or entry is None:
        return None
    place = ValuePath("sealed", parse_path(str(chosen.node.value)))
    sealed = place.merged_value(bundle.merged)
    if sealed is None:
        return None
    span = Span(sealed.layer.path, *sealed.node.mark)
    return InjectedSecretOrigin(entry["path"], value_origin(sealed.layer, span), bundle.display_value(sealed, place))


def _build_entry(
    bundle: ExplainedBundle, place: ValuePath, event: MergeEvent, *, wins: bool, lock: Span | None
) -> LayerEntry:
    where = value_origin(bundle.stack.layers[event.layer_index], event.span)
    if event.value is None:
        return LayerEntry(where, place.key, "deleted", event.rule, None, is_winner=False)
    action = event.action
    if wins:
        action = "locked" if lock and lock.path == event.span.path else "set"
    elif action == "set":
        # It is the last word on its place, but another place wins.
        action = "shadowed"
    return LayerEntry(where, place.key, action, event.rule, bundle.display_value(event.value, place), wins)


def _absent_entry(place: ValuePath, layer: Layer) -> LayerEntry:
    return LayerEntry(
        ValueOrigin(layer.kind, layer.scope, place.layer_file(layer), None),
        place.key,
        "absent",
        None,
        None,
        is_winner=False,
    )
