"""Resolve the KEY argument to a path in a bundle."""

from envtree.diagnostics.suggest import nearest_name
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.resolved import SECTIONS
from envtree.model.value_path import MODEL_KEY, ValuePath, get_by_path
from envtree.queries.explain.explained_bundle import ExplainedBundle, list_keys
from envtree.queries.explain.merge_events import find_merge_events


class KeyMissingError(Exception):
    """The bundle has no such key; `suggestion` is the nearest one, `deletions` are the layers that deleted it."""

    def __init__(self, key: str, suggestion: str, deletions: tuple[str, ...]) -> None:
        super().__init__(key)
        self.key, self.suggestion, self.deletions = key, suggestion, deletions


def parse_key(key: str) -> KeyPath:
    """Return the path of a key; a bare name is a variable."""
    try:
        path = parse_path(key)
    except ValueError:
        raise KeyMissingError(key, "", ()) from None
    if len(path) == 1 and path[0] not in (*SECTIONS, "env_vars", "secrets", MODEL_KEY):
        return "env_vars", path[0]
    return path


def resolve_key(bundle: ExplainedBundle, key: str) -> ValuePath:
    """Return the path in the layers that a key names; raises KeyMissingError."""
    path = parse_key(key)
    for candidate in _candidate_paths(path):
        if candidate.merged_value(bundle.merged):
            return candidate
    if len(path) == 2 and path[0] == "env_vars" and path[1] in bundle.data["env_vars"]:
        return ValuePath("sections", path)
    if len(path) == 2 and path[0] == "env_vars" and path[1] in bundle.variable_paths:
        return resolve_key(bundle, format_path(bundle.variable_paths[path[1]]))
    return _resolve_computed(bundle, path)


def _candidate_paths(path: KeyPath) -> tuple[ValuePath, ...]:
    """Return the paths that a key may name: a secret has that of its variable, and its own."""
    if path == (MODEL_KEY,):
        return (ValuePath("model", path),)
    sealed = (ValuePath("sealed", path[1:]),) if path[0] == "secrets" and len(path) > 1 else ()
    return ValuePath("sections", path), *sealed


def _resolve_computed(bundle: ExplainedBundle, path: KeyPath) -> ValuePath:
    """Return the path of the expression whose result contains the key."""
    trace = ValuePath("sections", path).merged_chain(bundle.merged)
    try:
        get_by_path(bundle.data if trace else {}, path)
    except KeyError:
        raise _key_missing_error(bundle, path) from None
    return ValuePath("sections", path[: len(trace)])


def _key_missing_error(bundle: ExplainedBundle, path: KeyPath) -> KeyMissingError:
    deletions = tuple(
        f"{event.span} ({' '.join(filter(None, (layer.kind, layer.scope)))})"
        for candidate in _candidate_paths(path)
        for event in find_merge_events(candidate, bundle.steps)
        if event.value is None
        for layer in [bundle.stack.layers[event.layer_index]]
    )
    return KeyMissingError(format_path(path), _suggest_key(bundle, path), deletions)


def _suggest_key(bundle: ExplainedBundle, path: KeyPath) -> str:
    """Return the nearest key; variables are compared without their section, which they all share."""
    if path[0] == "env_vars":
        name = nearest_name(".".join(path[1:]), [*bundle.data["env_vars"], *bundle.variable_paths])
        return format_path(("env_vars", name)) if name else ""
    keys = {key[:length] for key in list_keys(bundle) if key[0] != "env_vars" for length in range(2, len(key) + 1)}
    return nearest_name(format_path(path), sorted(map(format_path, keys)))
