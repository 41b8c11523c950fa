"""Where the values of a bundle come from: what each layer set, merged, deleted or locked, or had nothing to say of."""

from envtree.explain.bundle import Explained, explained, inside, keys
from envtree.explain.events import Event, events
from envtree.explain.key import KeyMissingError, find_place
from envtree.explain.lines import line, origin, secret_line, sources
from envtree.explain.model import Ladder, Line, Origin, Rung, Secret, Step
from envtree.explain.place import Place, lock_of, parts
from envtree.keypath import KeyPath, parse_path
from envtree.resolve.expression import Compiler
from envtree.span import Span
from envtree.stack import Layer
from envtree.value import Listing


def order(bundle: Explained) -> tuple[Step, ...]:
    """The layers of a bundle, lowest first, with their files."""
    return tuple(
        Step(one.kind, one.scope, tuple(filter(None, (one.path, one.secrets.path if one.secrets else ""))))
        for one in bundle.stack.layers
    )


def overview(bundle: Explained) -> tuple[Line, ...]:
    """Every key of a bundle with its winner."""
    compiler = Compiler()
    return tuple(line(bundle, path, compiler) for path in keys(bundle))


def explain(bundle: Explained, key: str) -> Ladder:
    """All about one key; raises KeyMissingError."""
    compiler = Compiler()
    place = find_place(bundle, key)
    if place.root == "sealed":
        told = secret_line(bundle, place)
        return Ladder(told, _rungs(bundle, (place,), place), _lock(bundle, (place,)), (), None, ())
    told = line(bundle, place.path, compiler)
    winner, places = bundle.winner(place.path), _places(place)
    read = sources(bundle, told.reads, compiler)
    rungs, lock = _rungs(bundle, places, winner), _lock(bundle, places)
    return Ladder(told, rungs, lock, read, _secret(bundle, winner), _inside(bundle, place, compiler))


def _places(place: Place) -> tuple[Place, ...]:
    """All places that have a say: a variable can be set, and injected; in one layer the secret is the stronger."""
    if place.path[0] == "env_vars" and len(place.path) == 2:
        return place, Place("sections", ("secrets", place.path[1]))
    return (place,)


def _rungs(bundle: Explained, places: tuple[Place, ...], winner: Place) -> tuple[Rung, ...]:
    told = [(place, events(place, bundle.steps)) for place in places]
    lock = _lock(bundle, places)
    rungs: list[Rung] = []
    for n, layer in enumerate(bundle.stack.layers):
        mine = [
            _rung(bundle, place, event, wins=place == winner and event is changes[-1], lock=lock)
            for place, changes in told
            for event in changes
            if event.step == n
        ]
        rungs += mine or [_absent(places[0], layer)]
    return tuple(rungs)


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


def _lock(bundle: Explained, places: tuple[Place, ...]) -> Span | None:
    return next(filter(None, (lock_of(place.trace(bundle.merged)) for place in places)), None)


def _secret(bundle: Explained, winner: Place) -> Secret | None:
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


def _inside(bundle: Explained, place: Place, compiler: Compiler) -> tuple[Line, ...]:
    """What is in a map, down to its leaves, and the elements of a list."""
    merged = place.at(bundle.merged)
    paths: list[KeyPath] = []
    if place.path == ("env_vars",):
        paths = [("env_vars", name) for name in sorted(bundle.data["env_vars"])]
    elif isinstance(merged, Listing):
        paths = [(*place.path, index) for index in parts(merged)]
    elif place.root == "sections":
        paths = inside(bundle, place.path)
    return tuple(line(bundle, path, compiler) for path in paths if path != place.path)


__all__ = ["Explained", "KeyMissingError", "explain", "explained", "order", "overview"]
