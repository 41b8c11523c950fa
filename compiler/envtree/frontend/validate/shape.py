"""The faults that a schema finds, as findings: each mistake once, at its own place, in our own words."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.diagnostics.suggest import nearest
from envtree.frontend.validate.phrases import phrase
from envtree.frontend.validate.sections import unwrap
from envtree.frontend.validate.wording import name, quoted
from envtree.model.diagnostic import Diagnostic, Related
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, Mapping, Node, Scalar, Sequence
from envtree.model.schema_fault import Fault
from envtree.model.span import Span, whole_file

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
    glued = {_place(fault) for fault in fresh if fault.keyword in _ABOUT_KEYS and _is_glued(document, fault)}
    told = (fault for (place, about_key), fault in first.items() if about_key or place not in glued)
    return [_finding(document, fault) for fault in told if not _follows(fault, fresh)]


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
        # Where only one key is possible, any other one was meant to be it.
        only = list(fault.schema.get("properties", ())) == [fault.subject]
        return any(only or nearest(key, [fault.subject]) for key in unknown)
    return fault.keyword in ("dependentRequired", "const") and any(other.keyword == "oneOf" for other in faults)


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


def _is_glued(document: Document, fault: Fault) -> bool:
    """Whether a key is `key:value`, written without a blank: all of it is the key then, and its value is null."""
    found = _locate(document, fault.path)
    nothing = isinstance(found.node, Scalar) and not found.node.text and document.span(found.node) == found.key
    return nothing and ":" in str(fault.path[-1])


def _glued(document: Document, fault: Fault) -> Diagnostic:
    """Nothing behind the ':' is repeated: it may be a secret."""
    key = str(fault.path[-1]).partition(":")[0]
    code = "ET201" if fault.keyword == "additionalProperties" else "ET205"
    message = f"{quoted(key + ':…')} has no blank behind its ':', so all of it is the key"
    path = format_path((*_place(fault)[:-1], key))
    return Diagnostic(_locate(document, fault.path).key, code, message, f"write {quoted(key + ': …')}", key=path)


def _finding(document: Document, fault: Fault) -> Diagnostic:
    if fault.keyword in _ABOUT_KEYS and _is_glued(document, fault):
        return _glued(document, fault)
    found = _locate(document, fault.path)
    text = found.node.text if isinstance(found.node, Scalar) else ""
    said = phrase(fault, text, document.location)
    if fault.path == ("name",) and "name" not in document.root.entries:
        # The name in the path was judged instead.
        message = f"the name in the path, {quoted(fault.found)}, {said.message.removeprefix(name(fault.path)).lstrip()}"
        return Diagnostic(whole_file(document.path), said.code, message, "rename the file", key="name")
    span = found.key if fault.keyword in _ABOUT_KEYS else document.span(found.node)
    related: tuple[Related, ...] = ()
    if fault.keyword == "uniqueItems":
        first = _locate(document, (*fault.path[:-1], int(fault.subject)))
        related = (Related(document.span(first.node), "the first one"),)
    if fault.keyword == "oneOf":
        span, related = _alternatives(document, fault, span)
    if not fault.keyword:
        related = _beside(document, fault)
    return Diagnostic(span, said.code, said.message, said.hint, related, format_path(_place(fault)))


def _alternatives(document: Document, fault: Fault, span: Span) -> tuple[Span, tuple[Related, ...]]:
    """The places of two keys of which one is too many: the later one is the finding's."""
    node = _locate(document, fault.path).node
    names = {name for branch in fault.argument for name in branch.get("required", ())}
    keys = [key for key in node.entries if key in names] if isinstance(node, Mapping) else []
    if not isinstance(node, Mapping) or len(keys) < 2:
        return span, ()
    first, second = sorted(document.key_span(node, key) for key in keys)[:2]
    return second, (Related(first, "the other one"),)


def _beside(document: Document, fault: Fault) -> tuple[Related, ...]:
    """The key beside a forbidden one that forbids it."""
    node = _locate(document, fault.path[:-1]).node
    keys = [key for key in node.entries if key in ("command", "url")] if isinstance(node, Mapping) else []
    others = (
        [document.key_span(node, key) for key in keys if key != fault.path[-1]] if isinstance(node, Mapping) else []
    )
    return tuple(Related(other, "the other one") for other in others[:1])
