"""Keys that do not stay: `<<` is replaced by what it merges, and a refused key goes with its value."""

from typing import Any

from envtree.frontend.parse.report import Report
from envtree.model.nodes import Mapping, Node, Sequence
from envtree.model.span import Mark

# Stand-ins that no file can hold, for NUL is refused raw, and in a key `compose` replaces it.
MERGE = "\0<<"
DROPPED = "\0"
# A map as the first key of a map in braces: it may be a template without quotes.
TEMPLATE = "\0{{"


def settle(value: dict[str, Any], entries: dict[str, Node], keys: dict[str, Mark], at: Mark, report: Report) -> None:
    """Resolve the stand-ins of a map that is complete: its own keys win, then the maps in order."""
    if TEMPLATE in entries:
        _refuse_braces(entries, keys[TEMPLATE], at, report)
    for stand_in in (DROPPED, MERGE, TEMPLATE):
        value.pop(stand_in, None)
        keys.pop(stand_in, None)
    entries.pop(DROPPED, None)
    entries.pop(TEMPLATE, None)
    merged = entries.pop(MERGE, None)
    if merged is None:
        return
    for base in _bases(merged, report):
        for key, node in base.entries.items():
            if key not in entries:
                entries[key] = node
                value[key] = node.value
                keys[key] = base.keys[key]


def refuse_key(at: Mark, report: Report) -> None:
    """Report a key that is not a scalar."""
    report.add(at, "ET103", "found a key that is a list, a map or an alias, expected text", "write the key as text")


def _refuse_braces(entries: dict[str, Node], key_at: Mark, at: Mark, report: Report) -> None:
    if len(entries) == 1 and entries[TEMPLATE].value is None:
        message = "found '{{ … }}' without quotes, which is a map inside a map to YAML"
        report.add(at, "ET103", message, "quote the whole text that the '{{ … }}' is in")
    else:
        refuse_key(key_at, report)


def _bases(merged: Node, report: Report) -> tuple[Mapping, ...]:
    items = merged.items if isinstance(merged, Sequence) else (merged,)
    for item in items:
        if not isinstance(item, Mapping) and item.at not in report.holes:
            _refuse(item, merged, report)
    return tuple(item for item in items if isinstance(item, Mapping))


def _refuse(item: Node, merged: Node, report: Report) -> None:
    """Report what cannot be merged where it is merged: an alias has what it repeats as the second place."""
    found = "a list" if isinstance(item, Sequence) else "null" if item.value is None else "a single value"
    message, hint = f"found {found} after '<<', expected a map", "merge a map, or a list of maps"
    place = next((node.at for node in (item, merged) if node.at in report.aliases), item.at)
    origin = report.aliases.get(item.at, item.at)
    report.add(place, "ET113", message, hint, *([(origin, "what the alias stands for")] if origin != place else []))
