"""A key in one line: its value, its winner, and what it reads if it is computed."""

from collections.abc import Iterator
from typing import cast

from envtree.compile.resolve.expression import Compiler
from envtree.model.entities import Owners
from envtree.model.expression import NamePath
from envtree.model.fields import field
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.layers import Layer, LayerKind
from envtree.model.merged import Merged, span_of
from envtree.model.nodes import Document, Node
from envtree.model.span import Span
from envtree.model.value_path import Place
from envtree.output.masking import veiled
from envtree.queries.explain.bundle import Explained, leaf_text
from envtree.queries.explain.model import Line, Origin


def origin(layer: Layer, span: Span) -> Origin:
    """Where a layer said something."""
    return Origin(layer.kind, layer.scope, span.path, span)


def line(explained: Explained, path: KeyPath, compiler: Compiler) -> Line:
    """The line of a key of the bundle; `path` may lead into the data of an expression."""
    place = explained.winner(path)
    return _line(explained, path, _deepest(explained, place), compiler)


def secret_line(explained: Explained, place: Place) -> Line:
    """The line of a secret that an expression reads."""
    value = place.at(explained.merged)
    return Line(place.key, None, True, origin(value.layer, span_of(value)) if value else None)


def sources(explained: Explained, reads: tuple[str, ...], compiler: Compiler) -> tuple[Line, ...]:
    """What is read, and what that reads in turn, each once and in the order of reading."""
    found: dict[str, Line] = {}
    agenda = [*reads]
    while agenda:
        key = agenda.pop(0)
        if key not in found:
            found[key] = _source(explained, parse_path(key), compiler)
            agenda = [*found[key].reads, *agenda]
    return tuple(found.values())


def _line(explained: Explained, path: KeyPath, value: Merged | None, compiler: Compiler) -> Line:
    expression = leaf_text(value)
    reads = tuple(_reads(expression, compiler)) if expression else ()
    where = origin(value.layer, span_of(value)) if value else None
    final = explained.value(path)
    shown = veiled(final, path)
    sensitive = explained.is_sensitive(path) or shown != final
    return Line(format_path(path), shown, sensitive, where, veiled(expression, path), reads)


def _deepest(explained: Explained, place: Place) -> Merged | None:
    trace = place.trace(explained.merged)
    return trace[-1] if trace and (len(trace) == len(place.path) or leaf_text(trace[-1])) else None


def _reads(text: str, compiler: Compiler) -> Iterator[str]:
    names: dict[NamePath, None] = {read.path: None for read in compiler.compile(text).reads}
    yield from (format_path(tuple(map(str, name))) for name in names)


def _source(explained: Explained, path: KeyPath, compiler: Compiler) -> Line:
    root = path[0]
    if root == "secrets":
        return secret_line(explained, Place("sealed", path[1:]))
    if root == "inputs" or root in Owners._fields:
        return _fact(explained, path)
    return line(explained, path, compiler)


def _fact(explained: Explained, path: KeyPath) -> Line:
    """What an expression reads beside values: an input, or a field of an entity's file."""
    root, name = path[0], path[-1]
    owners = explained.owners
    if root == "inputs":
        organization = owners.documents["organization"]
        declared = field(organization, *path)
        place = _origin_of("organization", "", organization, declared) if declared else None
        given = explained.inputs.get(name)
        shown = veiled(given, path)
        return Line(format_path(path), shown, shown != given, place)
    document = owners.documents.get(root)
    node = field(document, *path[1:]) if len(path) > 1 else None
    scope = "" if root == "organization" else getattr(owners, root).name
    where = _origin_of(cast(LayerKind, root), scope, document, node)
    return Line(format_path(path), (owners.fields[root] or {}).get(name), False, where)


def _origin_of(kind: LayerKind, scope: str, document: Document | None, node: Node | None) -> Origin:
    """Where an entity's file says something, or does not."""
    file = document.path if document else ""
    return Origin(kind, scope, file, Span(file, *node.at) if node else None)
