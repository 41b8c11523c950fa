"""Understand what somebody typed as KEY."""

from envtree.diagnostics.suggest import nearest
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.resolved import SECTIONS
from envtree.model.value_path import MODEL, Place, pick
from envtree.queries.explain.bundle import Explained, keys
from envtree.queries.explain.events import events


class KeyMissingError(Exception):
    """The bundle has no such key: what was probably meant instead, and who deleted it, as `layer at place`."""

    def __init__(self, key: str, meant: str, deleted: tuple[str, ...]) -> None:
        super().__init__(key)
        self.key, self.meant, self.deleted = key, meant, deleted


def key_path(key: str) -> KeyPath:
    """The path of a key; a bare name is a variable's."""
    try:
        path = parse_path(key)
    except ValueError:
        raise KeyMissingError(key, "", ()) from None
    if len(path) == 1 and path[0] not in (*SECTIONS, "env_vars", "secrets", MODEL):
        return "env_vars", path[0]
    return path


def find_place(explained: Explained, key: str) -> Place:
    """The place that a key names."""
    path = key_path(key)
    for place in _candidates(path):
        if place.at(explained.merged):
            return place
    if len(path) == 2 and path[0] == "env_vars" and path[1] in explained.data["env_vars"]:
        return Place("sections", path)
    if len(path) == 2 and path[0] == "env_vars" and path[1] in explained.flat:
        return find_place(explained, format_path(explained.flat[path[1]]))
    return _into_computed(explained, path)


def _candidates(path: KeyPath) -> tuple[Place, ...]:
    """A secret is found by the variable that it is injected as, and by its own path."""
    if path == (MODEL,):
        return (Place("model", path),)
    own = (Place("sealed", path[1:]),) if path[0] == "secrets" and len(path) > 1 else ()
    return Place("sections", path), *own


def _into_computed(explained: Explained, path: KeyPath) -> Place:
    """The expression whose data has the key."""
    trace = Place("sections", path).trace(explained.merged)
    try:
        pick(explained.data if trace else {}, path)
    except KeyError:
        raise _missing(explained, path) from None
    return Place("sections", path[: len(trace)])


def _missing(explained: Explained, path: KeyPath) -> KeyMissingError:
    deleted = tuple(
        f"{event.span} ({' '.join(filter(None, (layer.kind, layer.scope)))})"
        for place in _candidates(path)
        for event in events(place, explained.steps)
        if event.value is None
        for layer in [explained.stack.layers[event.step]]
    )
    return KeyMissingError(format_path(path), _meant(explained, path), deleted)


def _meant(explained: Explained, path: KeyPath) -> str:
    """The nearest key; variables are compared by their names alone, for they all begin alike."""
    if path[0] == "env_vars":
        name = nearest(".".join(path[1:]), [*explained.data["env_vars"], *explained.flat])
        return format_path(("env_vars", name)) if name else ""
    known = {key[:n] for key in keys(explained) if key[0] != "env_vars" for n in range(2, len(key) + 1)}
    return nearest(format_path(path), sorted(map(format_path, known)))
