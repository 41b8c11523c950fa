"""The rungs of a ladder: what each layer has to do with a value."""

from typing import NamedTuple

from envtree.model.keypath import parse_path
from envtree.model.layers import Layer
from envtree.model.span import Span
from envtree.model.value_path import Place, lock_of
from envtree.queries.explain.bundle import Explained
from envtree.queries.explain.events import Event, events
from envtree.queries.explain.lines import origin
from envtree.queries.explain.model import Origin, Rung, Secret


class Spoken(NamedTuple):
    """A rung of a layer that has something to say, and the layer's number."""

    step: int
    rung: Rung


def places_of(place: Place) -> tuple[Place, ...]:
    """All places that have a say: a variable can be set, and injected; in one layer the secret is the stronger."""
    if place.path[0] == "env_vars" and len(place.path) == 2:
        return place, Place("sections", ("secrets", place.path[1]))
    return (place,)


def rungs(bundle: Explained, places: tuple[Place, ...], winner: Place) -> tuple[Rung, ...]:
    """What all layers have to do with a value, also those that have nothing to say."""
    told = spoken(bundle, places, winner)
    found: list[Rung] = []
    for n, layer in enumerate(bundle.stack.layers):
        found += [one.rung for one in told if one.step == n] or [_absent(places[0], layer)]
    return tuple(found)


def spoken(bundle: Explained, places: tuple[Place, ...], winner: Place) -> list[Spoken]:
    """What the layers that speak of a value do with it, lowest first."""
    lock = lock_at(bundle, places)
    told = [(place, events(place, bundle.steps)) for place in places]
    found = [
        Spoken(event.step, _rung(bundle, place, event, wins=place == winner and event is changes[-1], lock=lock))
        for place, changes in told
        for event in changes
    ]
    return sorted(found, key=lambda one: one.step)


def lock_at(bundle: Explained, places: tuple[Place, ...]) -> Span | None:
    """The lock on a value, or around it."""
    return next(filter(None, (lock_of(place.trace(bundle.merged)) for place in places)), None)


def secret_at(bundle: Explained, winner: Place) -> Secret | None:
    """The secret that an entry of `secrets` injects."""
    chosen = winner.at(bundle.merged) if winner.path[0] == "secrets" and len(winner.path) == 2 else None
    entry = bundle.data["secrets"].get(winner.path[-1])
    if chosen is None or entry is None:
        return None
    place = Place("sealed", parse_path(str(chosen.node.value)))
    sealed = place.at(bundle.merged)
    if sealed is None:
        return None
    span = Span(sealed.layer.path, *sealed.node.at)
    return Secret(entry["path"], origin(sealed.layer, span), bundle.written(sealed, place))


def _rung(bundle: Explained, place: Place, event: Event, *, wins: bool, lock: Span | None) -> Rung:
    where = origin(bundle.stack.layers[event.step], event.span)
    if event.value is None:
        return Rung(where, place.key, "deleted", event.rule, None, wins=False)
    action = event.action
    if wins:
        action = "locked" if lock and lock.path == event.span.path else "set"
    elif action == "set":
        # It is the last word on its place, but another place wins.
        action = "shadowed"
    return Rung(where, place.key, action, event.rule, bundle.written(event.value, place), wins)


def _absent(place: Place, layer: Layer) -> Rung:
    return Rung(Origin(layer.kind, layer.scope, place.file(layer), None), place.key, "absent", None, None, wins=False)
