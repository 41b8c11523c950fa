"""Summaries of keys: the value, the layer that sets it, and the names that an expression reads."""

from collections.abc import Iterator
from typing import cast

from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.model.bundle_entities import BundleEntities
from envtree.model.expression import NamePath
from envtree.model.fields import get_field
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.layers import Layer, LayerKind
from envtree.model.merged import MergedValue, merged_span
from envtree.model.nodes import Document, Node
from envtree.model.span import Span
from envtree.model.value_path import ValuePath
from envtree.output.masking import masked
from envtree.queries.explain.explained_bundle import ExplainedBundle, expression_text
from envtree.queries.explain.provenance_model import KeySummary, ValueOrigin


def value_origin(layer: Layer, span: Span) -> ValueOrigin:
    """Return the origin of a value in a layer."""
    return ValueOrigin(layer.kind, layer.scope, span.path, span)


def summarize_key(bundle: ExplainedBundle, path: KeyPath, compiler: ExpressionCompiler) -> KeySummary:
    """Return the summary of a bundle's key; `path` may lead into the result of an expression."""
    value_path = bundle.winner(path)
    return _build_summary(bundle, path, _deepest_value(bundle, value_path), compiler)


def summarize_secret(bundle: ExplainedBundle, value_path: ValuePath) -> KeySummary:
    """Return the summary of a secret that an expression reads."""
    value = value_path.merged_value(bundle.merged)
    return KeySummary(value_path.key, None, True, value_origin(value.layer, merged_span(value)) if value else None)


def collect_sources(
    bundle: ExplainedBundle, reads: tuple[str, ...], compiler: ExpressionCompiler
) -> tuple[KeySummary, ...]:
    """Return summaries of the names read, directly or not, without duplicates and in the order of reading."""
    summaries: dict[str, KeySummary] = {}
    pending = [*reads]
    while pending:
        key = pending.pop(0)
        if key not in summaries:
            summaries[key] = _summarize_source(bundle, parse_path(key), compiler)
            pending = [*summaries[key].reads, *pending]
    return tuple(summaries.values())


def _build_summary(
    bundle: ExplainedBundle, path: KeyPath, merged: MergedValue | None, compiler: ExpressionCompiler
) -> KeySummary:
    expression = expression_text(merged)
    reads = tuple(_expression_reads(expression, compiler)) if expression else ()
    origin = value_origin(merged.layer, merged_span(merged)) if merged else None
    value = bundle.value(path)
    shown = masked(value, path)
    sensitive = bundle.is_sensitive(path) or shown != value
    return KeySummary(
        key=format_path(path),
        value=shown,
        sensitive=sensitive,
        origin=origin,
        expression=masked(expression, path),
        reads=reads,
    )


def _deepest_value(bundle: ExplainedBundle, value_path: ValuePath) -> MergedValue | None:
    trace = value_path.merged_chain(bundle.merged)
    return trace[-1] if trace and (len(trace) == len(value_path.path) or expression_text(trace[-1])) else None


def _expression_reads(text: str, compiler: ExpressionCompiler) -> Iterator[str]:
    names: dict[NamePath, None] = {read.path: None for read in compiler.references(text)}
    yield from (format_path(tuple(map(str, name))) for name in names)


def _summarize_source(bundle: ExplainedBundle, path: KeyPath, compiler: ExpressionCompiler) -> KeySummary:
    root = path[0]
    if root == "secrets":
        return summarize_secret(bundle, ValuePath("sealed", path[1:]))
    if root == "inputs" or root in BundleEntities._fields:
        return _summarize_fact(bundle, path)
    return summarize_key(bundle, path, compiler)


def _summarize_fact(bundle: ExplainedBundle, path: KeyPath) -> KeySummary:
    """Return the summary of an input, or of a field of an entity's file."""
    root, name = path[0], path[-1]
    entities = bundle.entities
    if root == "inputs":
        organization = entities.documents["organization"]
        declared = get_field(organization, *path)
        origin = _entity_origin("organization", "", organization, declared) if declared else None
        value = bundle.inputs.get(name)
        shown = masked(value, path)
        return KeySummary(format_path(path), shown, shown != value, origin)
    document = entities.documents.get(root)
    node = get_field(document, *path[1:]) if len(path) > 1 else None
    scope = "" if root == "organization" else getattr(entities, root).name
    origin = _entity_origin(cast(LayerKind, root), scope, document, node)
    return KeySummary(format_path(path), (entities.fields[root] or {}).get(name), False, origin)


def _entity_origin(kind: LayerKind, scope: str, document: Document | None, node: Node | None) -> ValueOrigin:
    """Return the origin of a field in an entity's file; `node` is None if the file does not set it."""
    file = document.path if document else ""
    return ValueOrigin(kind, scope, file, Span(file, *node.mark) if node else None)
