"""The faults that a schema finds, as findings: each mistake once, at its own place, in our own words."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.diagnostic import Diagnostic, Related
from envtree.fault import Fault
from envtree.keypath import KeyPath, format_path
from envtree.nearest import nearest
from envtree.node import Document, Mapping, Node, Scalar, Sequence
from envtree.span import Span
from envtree.validate.phrases import phrase
from envtree.validate.sections import unwrap

_MISSING = ("required", "anyOf")
# The keywords whose fault is the key, not what it holds.
_ABOUT_KEYS = ("additionalProperties", "propertyNames", "dependentRequired", "")
# Of several faults of one value the first of these is told: the others follow from it.
_ORDER = (
    "",
    "additionalProperties",
    "type",
    "const",
    "enum",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "pattern",
)


def shape(document: Document, faults: Iterable[Fault], reported: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Findings for the faults that no finding so far accounts for."""
    known = {finding.key for finding in reported}
    leaves = [leaf for fault in faults for leaf in _leaves(fault)]
    fresh = [fault for fault in leaves if not _covered(_place(fault), known)]
    first: dict[tuple[KeyPath, bool], Fault] = {}
    for fault in sorted(fresh, key=_rank):
        # A key may be wrong, and what it holds as well.
        first.setdefault((_place(fault), fault.keyword in _ABOUT_KEYS), fault)
    return [_finding(document, fault) for fault in first.values() if not _follows(fault, fresh)]


def _leaves(fault: Fault) -> Iterator[Fault]:
    """The fault itself, or those of the branch that was probably meant: the one that went deepest."""
    branches = fault.keyword in ("anyOf", "oneOf") and fault.inner
    if not branches or all(inner.keyword == "required" for inner in fault.inner):
        yield fault
    else:
        yield from _leaves(max(fault.inner, key=lambda inner: (len(inner.path), inner.keyword != "type")))


def _place(fault: Fault) -> KeyPath:
    path = tuple(map(str, fault.path))
    return (*path, _missing(fault)) if fault.keyword in _MISSING else path


def _missing(fault: Fault) -> str:
    """The key that a map lacks; of alternatives, the first."""
    return fault.inner[0].subject if fault.inner else fault.subject


def _rank(fault: Fault) -> int:
    return _ORDER.index(fault.keyword) if fault.keyword in _ORDER else len(_ORDER)


def _covered(place: KeyPath, known: set[str]) -> bool:
    return any(format_path(place[:length]) in known for length in range(len(place) + 1))


def _follows(fault: Fault, faults: list[Fault]) -> bool:
    """Whether a fault is only a consequence of another one: a typing error makes a key missing as well."""
    if fault.keyword == "anyOf":
        return any(other.keyword == "required" and other.path == fault.path for other in faults)
    if fault.keyword == "required":
        unknown = [f.subject for f in faults if f.keyword == "additionalProperties" and f.path[:-1] == fault.path]
        return any(nearest(key, [fault.subject]) for key in unknown)
    return fault.keyword == "dependentRequired" and any(other.keyword == "oneOf" for other in faults)


class _Found(NamedTuple):
    """A node, and the place of its key if it is in a map."""

    node: Node
    key: Span


def _locate(document: Document, path: Iterable[str | int]) -> _Found:
    """Follow a path through the data, looking through directives."""
    found = _Found(document.root, document.span(document.root))
    for step in path:
        node = unwrap(found.node)
        if isinstance(node, Mapping) and step in node.entries:
            found = _Found(node.entries[str(step)], document.key_span(node, str(step)))
        elif isinstance(node, Sequence) and isinstance(step, int):
            found = _Found(node.items[step], document.span(node.items[step]))
    return found._replace(node=unwrap(found.node))


def _finding(document: Document, fault: Fault) -> Diagnostic:
    found = _locate(document, fault.path)
    text = found.node.text if isinstance(found.node, Scalar) else ""
    said = phrase(fault, text, document.location)
    span = found.key if fault.keyword in _ABOUT_KEYS else document.span(found.node)
    related: tuple[Related, ...] = ()
    if fault.keyword == "uniqueItems":
        first = _locate(document, (*fault.path[:-1], int(fault.subject)))
        related = (Related(document.span(first.node), "the first one"),)
    if fault.keyword == "oneOf":
        span = _second_alternative(document, fault, span)
    return Diagnostic(span, said.code, said.message, said.hint, related, format_path(_place(fault)))


def _second_alternative(document: Document, fault: Fault, span: Span) -> Span:
    node = unwrap(_locate(document, fault.path).node)
    names = {name for branch in fault.argument for name in branch.get("required", ())}
    keys = [key for key in node.entries if key in names] if isinstance(node, Mapping) else []
    return document.key_span(node, keys[1]) if isinstance(node, Mapping) and len(keys) > 1 else span
