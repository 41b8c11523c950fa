"""Keys that do not stay: `<<` is replaced by what it merges, and a refused key goes with its value."""

from typing import Any

from envtree.node import Mapping, Node, Sequence
from envtree.parse.report import Report
from envtree.span import Mark

# Stand-ins that no file can hold, for NUL is refused everywhere.
MERGE = "\0<<"
DROPPED = "\0"


def settle(value: dict[str, Any], entries: dict[str, Node], keys: dict[str, Mark], report: Report) -> None:
    """Resolve the stand-ins of a map that is complete: its own keys win, then the maps in order."""
    for stand_in in (DROPPED, MERGE):
        value.pop(stand_in, None)
    entries.pop(DROPPED, None)
    keys.pop(DROPPED, None)
    keys.pop(MERGE, None)
    merged = entries.pop(MERGE, None)
    if merged is None:
        return
    for base in _bases(merged, report):
        for key, node in base.entries.items():
            if key not in entries:
                entries[key] = node
                value[key] = node.value
                keys[key] = base.keys[key]


def _bases(merged: Node, report: Report) -> tuple[Mapping, ...]:
    items = merged.items if isinstance(merged, Sequence) else (merged,)
    for item in items:
        if not isinstance(item, Mapping):
            report.add(item.at, "ET113", "found a value that is not a map after '<<'", "merge a map or a list of maps")
    return tuple(item for item in items if isinstance(item, Mapping))
