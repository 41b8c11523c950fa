"""The faults that a schema finds, as findings: each mistake once, at its own place, in our own words."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.diagnostics.suggest import nearest_name
from envtree.frontend.validate.execution_environment import unwrap_directive
from envtree.frontend.validate.fault_messages import describe_fault
from envtree.frontend.validate.message_text import format_key, quote_value
from envtree.model.diagnostic import Diagnostic, RelatedSpan
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.schema_fault import SchemaFault
from envtree.model.span import Span, file_span

_MISSING_KEY_KEYWORDS = ("required", "anyOf")
# The keywords whose fault is the key, not what it holds.
_KEY_FAULT_KEYWORDS = ("additionalProperties", "propertyNames", "dependentRequired", "")
# Of several faults of one value the first of these is told: the others follow from it.
_KEYWORD_PRIORITY = (
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


def report_faults(
    document: Document, faults: Iterable[SchemaFault], reported: Iterable[Diagnostic]
) -> list[Diagnostic]:
    """Findings for the faults that no finding so far accounts for."""
    known = {finding.key for finding in reported}
    leaves = [leaf for fault in faults for leaf in _leaf_faults(fault)]
    fresh = [fault for fault in leaves if not _is_reported(_fault_path(fault), known)]
    first: dict[tuple[KeyPath, bool], SchemaFault] = {}
    for fault in sorted(fresh, key=_keyword_priority):
        # A key may be wrong, and what it holds as well.
        first.setdefault((_fault_path(fault), fault.keyword in _KEY_FAULT_KEYWORDS), fault)
    glued = {
        _fault_path(fault) for fault in fresh if fault.keyword in _KEY_FAULT_KEYWORDS and _lacks_space(document, fault)
    }
    told = (fault for (place, about_key), fault in first.items() if about_key or place not in glued)
    return [_fault_finding(document, fault) for fault in told if not _is_consequence(fault, fresh)]


def _leaf_faults(fault: SchemaFault) -> Iterator[SchemaFault]:
    """The fault itself, or those of the branch that was probably meant: the one that went deepest."""
    branches = fault.keyword in ("anyOf", "oneOf") and fault.nested_faults
    if not branches or all(inner.keyword == "required" for inner in fault.nested_faults):
        yield fault
    else:
        yield from _leaf_faults(max(fault.nested_faults, key=lambda inner: (len(inner.path), inner.keyword != "type")))


def _fault_path(fault: SchemaFault) -> KeyPath:
    path = tuple(map(str, fault.path))
    return (*path, _missing_key(fault)) if fault.keyword in _MISSING_KEY_KEYWORDS else path


def _missing_key(fault: SchemaFault) -> str:
    """The key that a map lacks; of alternatives, the first."""
    return fault.nested_faults[0].subject if fault.nested_faults else fault.subject


def _keyword_priority(fault: SchemaFault) -> int:
    return _KEYWORD_PRIORITY.index(fault.keyword) if fault.keyword in _KEYWORD_PRIORITY else len(_KEYWORD_PRIORITY)


def _is_reported(path: KeyPath, reported: set[str]) -> bool:
    return any(format_path(path[:length]) in reported for length in range(len(path) + 1))


def _is_consequence(fault: SchemaFault, faults: list[SchemaFault]) -> bool:
    """Whether a fault is only a consequence of another one: a typing error makes a key missing as well."""
    if fault.keyword == "anyOf":
        return any(other.keyword == "required" and other.path == fault.path for other in faults)
    if fault.keyword == "required":
        unknown = [f.subject for f in faults if f.keyword == "additionalProperties" and f.path[:-1] == fault.path]
        # Where only one key is possible, any other one was meant to be it.
        only = list(fault.schema.get("properties", ())) == [fault.subject]
        return any(only or nearest_name(key, [fault.subject]) for key in unknown)
    return fault.keyword in ("dependentRequired", "const") and any(other.keyword == "oneOf" for other in faults)


class _LocatedNode(NamedTuple):
    """A node, and the place of its key if it is in a map."""

    node: Node
    key_span: Span


def _locate(document: Document, path: Iterable[str | int]) -> _LocatedNode:
    """Follow a path through the data, looking through directives."""
    found = _LocatedNode(document.root, document.span(document.root))
    for step in path:
        node = unwrap_directive(found.node)
        if isinstance(node, MappingNode) and step in node.entries:
            found = _LocatedNode(node.entries[str(step)], document.key_span(node, str(step)))
        elif isinstance(node, SequenceNode) and isinstance(step, int):
            found = _LocatedNode(node.items[step], document.span(node.items[step]))
    return found._replace(node=unwrap_directive(found.node))


def _lacks_space(document: Document, fault: SchemaFault) -> bool:
    """Whether a key is `key:value`, written without a blank: all of it is the key then, and its value is null."""
    found = _locate(document, fault.path)
    nothing = isinstance(found.node, ScalarNode) and not found.node.text and document.span(found.node) == found.key_span
    return nothing and ":" in str(fault.path[-1])


def _missing_space_finding(document: Document, fault: SchemaFault) -> Diagnostic:
    """Nothing behind the ':' is repeated: it may be a secret."""
    key = str(fault.path[-1]).partition(":")[0]
    code = "ET201" if fault.keyword == "additionalProperties" else "ET205"
    message = f"{quote_value(key + ':…')} has no blank behind its ':', so all of it is the key"
    path = format_path((*_fault_path(fault)[:-1], key))
    return Diagnostic(
        _locate(document, fault.path).key_span, code, message, f"write {quote_value(key + ': …')}", key=path
    )


def _fault_finding(document: Document, fault: SchemaFault) -> Diagnostic:
    if fault.keyword in _KEY_FAULT_KEYWORDS and _lacks_space(document, fault):
        return _missing_space_finding(document, fault)
    found = _locate(document, fault.path)
    text = found.node.text if isinstance(found.node, ScalarNode) else ""
    message_parts = describe_fault(fault, text, document.location)
    if fault.path == ("name",) and "name" not in document.root.entries:
        # The name in the path was judged instead.
        rest = message_parts.message.removeprefix(format_key(fault.path)).lstrip()
        message = f"the name in the path, {quote_value(fault.value)}, {rest}"
        return Diagnostic(file_span(document.path), message_parts.code, message, "rename the file", key="name")
    span = found.key_span if fault.keyword in _KEY_FAULT_KEYWORDS else document.span(found.node)
    related: tuple[RelatedSpan, ...] = ()
    if fault.keyword == "uniqueItems":
        first = _locate(document, (*fault.path[:-1], int(fault.subject)))
        related = (RelatedSpan(document.span(first.node), "the first one"),)
    if fault.keyword == "oneOf":
        span, related = _exclusive_keys(document, fault, span)
    if not fault.keyword:
        related = _conflicting_key(document, fault)
    return Diagnostic(
        span, message_parts.code, message_parts.message, message_parts.hint, related, format_path(_fault_path(fault))
    )


def _exclusive_keys(document: Document, fault: SchemaFault, span: Span) -> tuple[Span, tuple[RelatedSpan, ...]]:
    """The places of two keys of which one is too many: the later one is the finding's."""
    node = _locate(document, fault.path).node
    names = {name for branch in fault.argument for name in branch.get("required", ())}
    keys = [key for key in node.entries if key in names] if isinstance(node, MappingNode) else []
    if not isinstance(node, MappingNode) or len(keys) < 2:
        return span, ()
    first, second = sorted(document.key_span(node, key) for key in keys)[:2]
    return second, (RelatedSpan(first, "the other one"),)


def _conflicting_key(document: Document, fault: SchemaFault) -> tuple[RelatedSpan, ...]:
    """The key beside a forbidden one that forbids it."""
    node = _locate(document, fault.path[:-1]).node
    keys = [key for key in node.entries if key in ("command", "url")] if isinstance(node, MappingNode) else []
    others = (
        [document.key_span(node, key) for key in keys if key != fault.path[-1]] if isinstance(node, MappingNode) else []
    )
    return tuple(RelatedSpan(other, "the other one") for other in others[:1])
