"""A key in one line: its value, its winner, and what it reads if it is computed."""

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
    """Where a layer said something."""
    return ValueOrigin(layer.kind, layer.scope, span.path, span)


def summarize_key(bundle: ExplainedBundle, path: KeyPath, compiler: ExpressionCompiler) -> KeySummary:
    """The line of a key of the bundle; `path` may lead into the data of an expression."""
    place = bundle.winner(path)
    return _build_summary(bundle, path, _deepest_value(bundle, place), compiler)


def summarize_secret(bundle: ExplainedBundle, place: ValuePath) -> KeySummary:
    """The line of a secret that an expression reads."""
    value = place.merged_value(bundle.merged)
    return KeySummary(place.key, None, True, value_origin(value.layer, merged_span(value)) if value else None)


def collect_sources(
    bundle: ExplainedBundle, reads: tuple[str, ...], compiler: ExpressionCompiler
) -> tuple[KeySummary, ...]:
    """What is read, and what that reads in turn, each once and in the order of reading."""
    found: dict[str, KeySummary] = {}
    agenda = [*reads]
    while agenda:
        key = agenda.pop(0)
        if key not in found:
            found[key] = _summarize_source(bundle, parse_path(key), compiler)
            agenda = [*found[key].reads, *agenda]
    return tuple(found.values())


def _build_summary(
    bundle: ExplainedBundle, path: KeyPath, value: MergedValue | None, compiler: ExpressionCompiler
) -> KeySummary:
    expression = expression_text(value)
    reads = tuple(_expression_reads(expression, compiler)) if expression else ()
    where = value_origin(value.layer, merged_span(value)) if value else None
    final = bundle.value(path)
    shown = masked(final, path)
    sensitive = bundle.is_sensitive(path) or shown != final
    return KeySummary(format_path(path), shown, sensitive, where, masked(expression, path), reads)


def _deepest_value(bundle: ExplainedBundle, place: ValuePath) -> MergedValue | None:
    trace = place.merged_chain(bundle.merged)
    return trace[-1] if trace and (len(trace) == len(place.path) or expression_text(trace[-1])) else None


def _expression_reads(text: str, compiler: ExpressionCompiler) -> Iterator[str]:
    names: dict[NamePath, None] = {read.path: None for read in compiler.compile(text).references}
    yield from (format_path(tuple(map(str, name))) for name in names)


def _summarize_source(bundle: ExplainedBundle, path: KeyPath, compiler: ExpressionCompiler) -> KeySummary:
    root = path[0]
    if root == "secrets":
        return summarize_secret(bundle, ValuePath("sealed", path[1:]))
    if root == "inputs" or root in BundleEntities._fields:
        return _summarize_fact(bundle, path)
    return summarize_key(bundle, path, compiler)


def _summarize_fact(bundle: ExplainedBundle, path: KeyPath) -> KeySummary:
    """What an expression reads beside values: an input, or a field of an entity's file."""
    root, name = path[0], path[-1]
    owners = bundle.owners
    if root == "inputs":
        organization = owners.documents["organization"]
        declared = get_field(organization, *path)
        place = _entity_origin("organization", "", organization, declared) if declared else None
        given = bundle.inputs.get(name)
        shown = masked(given, path)
        return KeySummary(format_path(path), shown, shown != given, place)
    document = owners.documents.get(root)
    node = get_field(document, *path[1:]) if len(path) > 1 else None
    scope = "" if root == "organization" else getattr(owners, root).name
    where = _entity_origin(cast(LayerKind, root), scope, document, node)
    return KeySummary(format_path(path), (owners.fields[root] or {}).get(name), False, where)


def _entity_origin(kind: LayerKind, scope: str, document: Document | None, node: Node | None) -> ValueOrigin:
    """Where an entity's file says something, or does not."""
    file = document.path if document else ""
    return ValueOrigin(kind, scope, file, Span(file, *node.mark) if node else None)
