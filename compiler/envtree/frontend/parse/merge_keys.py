"""Resolve keys that do not stay: replace `<<` by the maps that it merges, and drop refused keys with their values."""

from typing import Any

from envtree.frontend.parse.parse_report import ParseReport
from envtree.model.nodes import MappingNode, Node, SequenceNode
from envtree.model.span import Mark

# Placeholders that no file can contain: a raw NUL is refused, and `compose` replaces an escaped one in a key.
MERGE_KEY = "\0<<"
DROPPED_KEY = "\0"
# A map as the first key of a map in braces, which may be an unquoted template.
TEMPLATE_KEY = "\0{{"


def resolve_merge_keys(
    value: dict[str, Any], entries: dict[str, Node], keys: dict[str, Mark], at: Mark, report: ParseReport
) -> None:
    """Resolve the placeholders of a complete map: its own keys win, then those of the merged maps, in order."""
    if TEMPLATE_KEY in entries:
        _report_braces(entries, keys[TEMPLATE_KEY], at, report)
    for placeholder in (DROPPED_KEY, MERGE_KEY, TEMPLATE_KEY):
        value.pop(placeholder, None)
        keys.pop(placeholder, None)
    entries.pop(DROPPED_KEY, None)
    entries.pop(TEMPLATE_KEY, None)
    merged = entries.pop(MERGE_KEY, None)
    if merged is None:
        return
    for base in _merged_maps(merged, report):
        for key, node in base.entries.items():
            if key not in entries:
                entries[key] = node
                value[key] = node.value
                keys[key] = base.key_marks[key]


def report_non_scalar_key(at: Mark, report: ParseReport) -> None:
    """Report a key that is not a scalar."""
    report.add(at, "ET103", "found a key that is a list, a map or an alias, expected text", "write the key as text")


def _report_braces(entries: dict[str, Node], key_at: Mark, at: Mark, report: ParseReport) -> None:
    if len(entries) == 1 and entries[TEMPLATE_KEY].value is None:
        message = "found '{{ … }}' without quotes, which is a map inside a map to YAML"
        report.add(at, "ET103", message, "quote the whole text that the '{{ … }}' is in")
    else:
        report_non_scalar_key(key_at, report)


def _merged_maps(merged: Node, report: ParseReport) -> tuple[MappingNode, ...]:
    items = merged.items if isinstance(merged, SequenceNode) else (merged,)
    for item in items:
        if not isinstance(item, MappingNode) and item.mark not in report.invalid_marks:
            _report_unmergeable(item, merged, report)
    return tuple(item for item in items if isinstance(item, MappingNode))


def _report_unmergeable(item: Node, merged: Node, report: ParseReport) -> None:
    """Report a value that cannot be merged at the merge; for an alias, the anchored value is a related location."""
    kind = "a list" if isinstance(item, SequenceNode) else "null" if item.value is None else "a single value"
    message, hint = f"found {kind} after '<<', expected a map", "merge a map, or a list of maps"
    reported_at = next((node.mark for node in (item, merged) if node.mark in report.aliases), item.mark)
    written_at = report.aliases.get(item.mark, item.mark)
    related = [(written_at, "what the alias stands for")] if written_at != reported_at else []
    report.add(reported_at, "ET113", message, hint, *related)
