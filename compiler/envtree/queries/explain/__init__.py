"""Where the values of a bundle come from: what each layer set, merged, deleted or locked, or had nothing to say of."""

from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.model.fields import get_field
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import MergedSequence
from envtree.model.value_path import ValuePath, child_values
from envtree.queries.explain.explained_bundle import ExplainedBundle, explain_bundle, list_keys, list_nested_keys
from envtree.queries.explain.key_lookup import KeyMissingError, resolve_key
from envtree.queries.explain.key_summaries import collect_sources, summarize_key, summarize_secret
from envtree.queries.explain.layer_trace import (
    contributing_paths,
    find_injected_secret,
    find_value_lock,
    list_layer_entries,
)
from envtree.queries.explain.provenance_model import KeySummary, OrderedLayer, OutputVariable, Provenance


def layer_order(bundle: ExplainedBundle) -> tuple[OrderedLayer, ...]:
    """The layers of a bundle, lowest first, with their files."""
    return tuple(
        OrderedLayer(one.kind, one.scope, tuple(filter(None, (one.path, one.secrets.path if one.secrets else ""))))
        for one in bundle.stack.layers
    )


def overview(bundle: ExplainedBundle) -> tuple[KeySummary, ...]:
    """Every key of a bundle with its winner."""
    compiler = ExpressionCompiler()
    return tuple(summarize_key(bundle, path, compiler) for path in list_keys(bundle))


def explain(bundle: ExplainedBundle, key: str) -> Provenance:
    """All about one key; raises KeyMissingError."""
    place = resolve_key(bundle, key)
    return trace_provenance(bundle, place, ExpressionCompiler())._replace(
        variable=_find_output_variable(bundle, key, place)
    )


def trace_provenance(bundle: ExplainedBundle, place: ValuePath, compiler: ExpressionCompiler) -> Provenance:
    """All about a place that the bundle has."""
    if place.root == "sealed":
        told = summarize_secret(bundle, place)
        return Provenance(
            told, list_layer_entries(bundle, (place,), place), find_value_lock(bundle, (place,)), (), None, ()
        )
    told = summarize_key(bundle, place.path, compiler)
    winner, places = bundle.winner(place.path), contributing_paths(place)
    read = collect_sources(bundle, told.reads, compiler)
    lock, secret = find_value_lock(bundle, places), find_injected_secret(bundle, winner)
    return Provenance(
        told,
        list_layer_entries(bundle, places, winner),
        lock,
        read,
        secret,
        _summarize_nested_keys(bundle, place, compiler),
    )


def _find_output_variable(bundle: ExplainedBundle, key: str, place: ValuePath) -> OutputVariable | None:
    """The variable that `output.env` makes of a value, or the one asked for of what an expression yields."""
    document, asked = bundle.owners.documents["organization"], key.removeprefix("env_vars.")
    for name, path in bundle.variable_paths.items():
        pattern = get_field(document, "output", "env", path[0])
        within = place.root == "sections" and path[: len(place.path)] == place.path
        if pattern and within and (path == place.path or name == asked):
            return OutputVariable(name, format_path(path), document.span(pattern))
    return None


def _summarize_nested_keys(
    bundle: ExplainedBundle, place: ValuePath, compiler: ExpressionCompiler
) -> tuple[KeySummary, ...]:
    """What is in a map, down to its leaves, and the elements of a list."""
    merged = place.merged_value(bundle.merged)
    paths: list[KeyPath] = []
    if place.path == ("env_vars",):
        paths = [("env_vars", name) for name in sorted(bundle.data["env_vars"])]
    elif isinstance(merged, MergedSequence):
        paths = [(*place.path, index) for index in child_values(merged)]
    elif place.root == "sections":
        paths = list_nested_keys(bundle, place.path)
    return tuple(summarize_key(bundle, path, compiler) for path in paths if path != place.path)


__all__ = [
    "ExplainedBundle",
    "KeyMissingError",
    "explain",
    "explain_bundle",
    "layer_order",
    "overview",
    "trace_provenance",
]
