"""Understand what somebody typed as KEY."""

from envtree.diagnostics.suggest import nearest_name
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.resolved import SECTIONS
from envtree.model.value_path import MODEL_KEY, ValuePath, get_by_path
from envtree.queries.explain.explained_bundle import ExplainedBundle, list_keys
from envtree.queries.explain.merge_events import find_merge_events


class KeyMissingError(Exception):
    """The bundle has no such key: what was probably meant instead, and who deleted it, as `layer at place`."""

    def __init__(self, key: str, suggestion: str, deletions: tuple[str, ...]) -> None:
        super().__init__(key)
        self.key, self.suggestion, self.deletions = key, suggestion, deletions


def parse_key(key: str) -> KeyPath:
    """The path of a key; a bare name is a variable's."""
    try:
        path = parse_path(key)
    except ValueError:
        raise KeyMissingError(key, "", ()) from None
    if len(path) == 1 and path[0] not in (*SECTIONS, "env_vars", "secrets", MODEL_KEY):
        return "env_vars", path[0]
    return path


def resolve_key(bundle: ExplainedBundle, key: str) -> ValuePath:
    """The place that a key names."""
    path = parse_key(key)
    for place in _candidate_paths(path):
        if place.merged_value(bundle.merged):
            return place
    if len(path) == 2 and path[0] == "env_vars" and path[1] in bundle.data["env_vars"]:
        return ValuePath("sections", path)
    if len(path) == 2 and path[0] == "env_vars" and path[1] in bundle.variable_paths:
        return resolve_key(bundle, format_path(bundle.variable_paths[path[1]]))
    return _resolve_computed(bundle, path)


def _candidate_paths(path: KeyPath) -> tuple[ValuePath, ...]:
    """A secret is found by the variable that it is injected as, and by its own path."""
    if path == (MODEL_KEY,):
        return (ValuePath("model", path),)
    own = (ValuePath("sealed", path[1:]),) if path[0] == "secrets" and len(path) > 1 else ()
    return ValuePath("sections", path), *own


def _resolve_computed(bundle: ExplainedBundle, path: KeyPath) -> ValuePath:
    """The expression whose data has the key."""
    trace = ValuePath("sections", path).merged_chain(bundle.merged)
    try:
        get_by_path(bundle.data if trace else {}, path)
    except KeyError:
        raise _key_missing_error(bundle, path) from None
    return ValuePath("sections", path[: len(trace)])


def _key_missing_error(bundle: ExplainedBundle, path: KeyPath) -> KeyMissingError:
    deleted = tuple(
        f"{event.span} ({' '.join(filter(None, (layer.kind, layer.scope)))})"
        for place in _candidate_paths(path)
        for event in find_merge_events(place, bundle.steps)
        if event.value is None
        for layer in [bundle.stack.layers[event.layer_index]]
    )
    return KeyMissingError(format_path(path), _suggest_key(bundle, path), deleted)


def _suggest_key(bundle: ExplainedBundle, path: KeyPath) -> str:
    """The nearest key; variables are compared by their names alone, for they all begin alike."""
    if path[0] == "env_vars":
        name = nearest_name(".".join(path[1:]), [*bundle.data["env_vars"], *bundle.variable_paths])
        return format_path(("env_vars", name)) if name else ""
    known = {key[:n] for key in list_keys(bundle) if key[0] != "env_vars" for n in range(2, len(key) + 1)}
    return nearest_name(format_path(path), sorted(map(format_path, known)))
