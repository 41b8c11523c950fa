"""Turn schema faults into findings: each mistake once, at its own span, with a message of envtree."""

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
# The keywords whose fault concerns the key, not its value.
_KEY_FAULT_KEYWORDS = ("additionalProperties", "propertyNames", "dependentRequired", "")
# Of several faults of one value, the first in this order is reported: the others follow from it.
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
    """Return findings for the faults that earlier findings do not explain."""
    reported_keys = {finding.key for finding in reported}
    leaves = [leaf for fault in faults for leaf in _leaf_faults(fault)]
    new_faults = [fault for fault in leaves if not _is_reported(_fault_path(fault), reported_keys)]
    by_path: dict[tuple[KeyPath, bool], SchemaFault] = {}
    for fault in sorted(new_faults, key=_keyword_priority):
        # A key and its value may both be wrong.
        by_path.setdefault((_fault_path(fault), fault.keyword in _KEY_FAULT_KEYWORDS), fault)
    unspaced_paths = {
        _fault_path(fault)
        for fault in new_faults
        if fault.keyword in _KEY_FAULT_KEYWORDS and _lacks_space(document, fault)
    }
    candidates = (
        fault for (path, is_key_fault), fault in by_path.items() if is_key_fault or path not in unspaced_paths
    )
    return [_fault_finding(document, fault) for fault in candidates if not _is_consequence(fault, new_faults)]


def _leaf_faults(fault: SchemaFault) -> Iterator[SchemaFault]:
    """Yield the fault itself, or those of the branch that was probably meant: the one with the deepest fault."""
    has_branches = fault.keyword in ("anyOf", "oneOf") and fault.nested_faults
    if not has_branches or all(inner.keyword == "required" for inner in fault.nested_faults):
        yield fault
    else:
        yield from _leaf_faults(max(fault.nested_faults, key=lambda inner: (len(inner.path), inner.keyword != "type")))


def _fault_path(fault: SchemaFault) -> KeyPath:
    path = tuple(map(str, fault.path))
    return (*path, _missing_key(fault)) if fault.keyword in _MISSING_KEY_KEYWORDS else path


def _missing_key(fault: SchemaFault) -> str:
    """Return the key that a map lacks, or the first of alternatives."""
    return fault.nested_faults[0].subject if fault.nested_faults else fault.subject


def _keyword_priority(fault: SchemaFault) -> int:
    return _KEYWORD_PRIORITY.index(fault.keyword) if fault.keyword in _KEYWORD_PRIORITY else len(_KEYWORD_PRIORITY)


def _is_reported(path: KeyPath, reported: set[str]) -> bool:
    return any(format_path(path[:length]) in reported for length in range(len(path) + 1))


def _is_consequence(fault: SchemaFault, faults: list[SchemaFault]) -> bool:
    """Report whether a fault is only a consequence of another: a misspelled key is also a missing key."""
    if fault.keyword == "anyOf":
        return any(sibling.keyword == "required" and sibling.path == fault.path for sibling in faults)
    if fault.keyword == "required":
        unknown = [
            sibling.subject
            for sibling in faults
            if sibling.keyword == "additionalProperties" and sibling.path[:-1] == fault.path
        ]
        # If only one key is possible, any other key was meant to be it.
        is_only_key = list(fault.schema.get("properties", ())) == [fault.subject]
        return any(is_only_key or nearest_name(key, [fault.subject]) for key in unknown)
    return fault.keyword in ("dependentRequired", "const") and any(sibling.keyword == "oneOf" for sibling in faults)


class _LocatedNode(NamedTuple):
    """A node, and the span of its key if it is in a map."""

    node: Node
    key_span: Span


def _locate(document: Document, path: Iterable[str | int]) -> _LocatedNode:
    """Follow a path through the data, with directives replaced by their operands."""
    located = _LocatedNode(document.root, document.span(document.root))
    for step in path:
        node = unwrap_directive(located.node)
        if isinstance(node, MappingNode) and step in node.entries:
            located = _LocatedNode(node.entries[str(step)], document.key_span(node, str(step)))
        elif isinstance(node, SequenceNode) and isinstance(step, int):
            located = _LocatedNode(node.items[step], document.span(node.items[step]))
    return located._replace(node=unwrap_directive(located.node))


def _lacks_space(document: Document, fault: SchemaFault) -> bool:
    """Report whether a key is `key:value` without a blank, so that all of it is the key and its value is null."""
    located = _locate(document, fault.path)
    is_empty = (
        isinstance(located.node, ScalarNode)
        and not located.node.text
        and document.span(located.node) == located.key_span
    )
    return is_empty and ":" in str(fault.path[-1])


def _missing_space_finding(document: Document, fault: SchemaFault) -> Diagnostic:
    """Return the finding, which never quotes the text after the ':', because it may be a secret."""
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
    located = _locate(document, fault.path)
    text = located.node.text if isinstance(located.node, ScalarNode) else ""
    message_parts = describe_fault(fault, text, document.location)
    if fault.path == ("name",) and "name" not in document.root.entries:
        # The schema was applied to the name in the path instead.
        rest = message_parts.message.removeprefix(format_key(fault.path)).lstrip()
        message = f"the name in the path, {quote_value(fault.value)}, {rest}"
        return Diagnostic(file_span(document.path), message_parts.code, message, "rename the file", key="name")
    span = located.key_span if fault.keyword in _KEY_FAULT_KEYWORDS else document.span(located.node)
    related: tuple[RelatedSpan, ...] = ()
    if fault.keyword == "uniqueItems":
        first = _locate(document, (*fault.path[:-1], int(fault.subject)))
        related = (RelatedSpan(document.span(first.node), "the first one"),)
    if fault.keyword == "oneOf":
        span, related = _exclusive_keys(document, fault, span)
    if not fault.keyword:
        related = _conflicting_key(document, fault)
    return Diagnostic(
        span,
        message_parts.code,
        message_parts.message,
        message_parts.hint,
        related=related,
        key=format_path(_fault_path(fault)),
    )


def _exclusive_keys(document: Document, fault: SchemaFault, span: Span) -> tuple[Span, tuple[RelatedSpan, ...]]:
    """Return the span of the later of two exclusive keys for the finding, and the earlier one as a related location."""
    node = _locate(document, fault.path).node
    names = {name for branch in fault.argument for name in branch.get("required", ())}
    keys = [key for key in node.entries if key in names] if isinstance(node, MappingNode) else []
    if not isinstance(node, MappingNode) or len(keys) < 2:
        return span, ()
    first, second = sorted(document.key_span(node, key) for key in keys)[:2]
    return second, (RelatedSpan(first, "the other one"),)


def _conflicting_key(document: Document, fault: SchemaFault) -> tuple[RelatedSpan, ...]:
    """Return the key that forbids the faulty key beside it, as a related location."""
    node = _locate(document, fault.path[:-1]).node
    keys = [key for key in node.entries if key in ("command", "url")] if isinstance(node, MappingNode) else []
    spans = (
        [document.key_span(node, key) for key in keys if key != fault.path[-1]] if isinstance(node, MappingNode) else []
    )
    return tuple(RelatedSpan(span, "the other one") for span in spans[:1])
