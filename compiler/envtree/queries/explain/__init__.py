"""Explain where the values of a bundle come from: the layers that set, merge, delete or lock them."""

from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.model.fields import get_field
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import MergedSequence
from envtree.model.value_path import ValuePath, child_values, contributing_paths
from envtree.queries.explain.explained_bundle import ExplainedBundle, explain_bundle, list_keys, list_nested_keys
from envtree.queries.explain.key_lookup import KeyMissingError, resolve_key
from envtree.queries.explain.key_summaries import collect_sources, summarize_key, summarize_secret
from envtree.queries.explain.layer_trace import (
    find_injected_secret,
    find_value_lock,
    list_layer_entries,
)
from envtree.queries.explain.provenance_model import KeySummary, OrderedLayer, OutputVariable, Provenance


def layer_order(bundle: ExplainedBundle) -> tuple[OrderedLayer, ...]:
    """Return the layers of a bundle, lowest first, with their files."""
    return tuple(
        OrderedLayer(
            layer.kind, layer.scope, tuple(filter(None, (layer.path, layer.secrets.path if layer.secrets else "")))
        )
        for layer in bundle.stack.layers
    )


def overview(bundle: ExplainedBundle) -> tuple[KeySummary, ...]:
    """Return a summary of every key of a bundle, with the layer that sets it."""
    compiler = ExpressionCompiler()
    return tuple(summarize_key(bundle, path, compiler) for path in list_keys(bundle))


def explain(bundle: ExplainedBundle, key: str) -> Provenance:
    """Return the provenance of a key; raises KeyMissingError."""
    value_path = resolve_key(bundle, key)
    return trace_provenance(bundle, value_path, ExpressionCompiler())._replace(
        variable=_find_output_variable(bundle, key, value_path)
    )


def trace_provenance(bundle: ExplainedBundle, value_path: ValuePath, compiler: ExpressionCompiler) -> Provenance:
    """Return the provenance of a path that the bundle has."""
    if value_path.root == "sealed":
        return Provenance(
            summary=summarize_secret(bundle, value_path),
            layer_entries=list_layer_entries(bundle, (value_path,), value_path),
            lock=find_value_lock(bundle, (value_path,)),
            sources=(),
            secret=None,
            nested_keys=(),
        )
    summary = summarize_key(bundle, value_path.path, compiler)
    winner, paths = bundle.winner(value_path.path), contributing_paths(value_path)
    return Provenance(
        summary=summary,
        layer_entries=list_layer_entries(bundle, paths, winner),
        lock=find_value_lock(bundle, paths),
        sources=collect_sources(bundle, summary.reads, compiler),
        secret=find_injected_secret(bundle, winner),
        nested_keys=_summarize_nested_keys(bundle, value_path, compiler),
    )


def _find_output_variable(bundle: ExplainedBundle, key: str, value_path: ValuePath) -> OutputVariable | None:
    """Find the variable that `output.env` makes of a value, or the requested one if an expression yields several."""
    organization, requested_name = bundle.entities.documents["organization"], key.removeprefix("env_vars.")
    for name, path in bundle.variable_paths.items():
        pattern = get_field(organization, "output", "env", path[0])
        is_within = value_path.root == "sections" and path[: len(value_path.path)] == value_path.path
        if pattern and is_within and (path == value_path.path or name == requested_name):
            return OutputVariable(name, format_path(path), organization.span(pattern))
    return None


def _summarize_nested_keys(
    bundle: ExplainedBundle, value_path: ValuePath, compiler: ExpressionCompiler
) -> tuple[KeySummary, ...]:
    """Return summaries of the leaves of a map, or of the elements of a list."""
    merged = value_path.merged_value(bundle.merged)
    paths: list[KeyPath] = []
    if value_path.path == ("env_vars",):
        paths = [("env_vars", name) for name in sorted(bundle.data["env_vars"])]
    elif isinstance(merged, MergedSequence):
        paths = [(*value_path.path, index) for index in child_values(merged)]
    elif value_path.root == "sections":
        paths = list_nested_keys(bundle, value_path.path)
    return tuple(summarize_key(bundle, path, compiler) for path in paths if path != value_path.path)


__all__ = [
    "ExplainedBundle",
    "KeyMissingError",
    "explain",
    "explain_bundle",
    "layer_order",
    "overview",
    "trace_provenance",
]
