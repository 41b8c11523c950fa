"""A plan for people: the change of each object, its reason, and the effects on the server."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from envtree.controlplane.sync.compare_resource import WRITE_ONLY, FieldDifference, LinkChange
from envtree.controlplane.sync.plan_model import ChangeAction, ResourceChange, SyncPlan
from envtree.diagnostics.summary import plural
from envtree.report.terminal_lines import BOLD, StyledLine, render_lines, shorten_value, truncate_items

ACTION_SIGNS: dict[ChangeAction, str] = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
_ACTION_STYLES: dict[ChangeAction, str] = {"create": "32", "update": "33", "replace": "35", "delete": "31"}
_ACTION_PHRASES: dict[ChangeAction, str] = {
    "create": "to create",
    "update": "to update",
    "replace": "to make anew",
    "delete": "to remove",
}
_MAX_UNMANAGED = 10
_ABSENT = object()


def render_plan_text(plan: SyncPlan, *, color: bool) -> str:
    """Return the whole plan as text."""
    blocks = [
        ("", [line for change in plan.changes for line in _change_lines(change)]),
        ("taken: these names are in use, and not by us", [StyledLine(f"  {ref}") for ref in plan.conflicts]),
        ("note", [StyledLine(f"  {warning}") for warning in plan.warnings]),
        (
            "not ours, and left alone",
            [
                StyledLine(f"  {name}")
                for name in truncate_items(list(map(str, plan.unmanaged)), _MAX_UNMANAGED, "object")
            ],
        ),
    ]
    lines: list[StyledLine] = []
    for title, block in blocks:
        if block:
            lines += [*([StyledLine("")] if lines else []), *([StyledLine(title, BOLD)] if title else []), *block]
    return render_lines(lines, color=color)


def plan_summary(plan: SyncPlan, *, prune: bool = True) -> str:
    """Return the summary of a plan as one sentence; without `prune` deletions do not count."""
    counts = Counter(change.action for change in plan.changes if prune or change.action != "delete")
    parts = [f"{counts[action]} {phrase}" for action, phrase in _ACTION_PHRASES.items() if counts[action]]
    parts += [f"{plural(len(plan.conflicts), 'name')} taken"] if plan.conflicts else []
    return ", ".join(parts) or "nothing: the control plane is as it should be"


def _change_lines(change: ResourceChange) -> Iterator[StyledLine]:
    source = f" ({change.path})" if change.path else ""
    yield StyledLine(
        f"{ACTION_SIGNS[change.action]} {change.ref}: {change.reason}{source}", _ACTION_STYLES[change.action]
    )
    if change.action != "create":
        yield from (
            StyledLine(f"    {text}") for difference in change.differences for text in describe_difference(difference)
        )
    yield from (
        StyledLine(f"    {describe_link_change(link_change)}")
        for link_change in change.link_changes
        if change.action != "create"
    )


def describe_difference(difference: FieldDifference) -> Iterator[str]:
    """Yield the values that differ in a field."""
    if difference.before is WRITE_ONLY:
        yield f"{difference.field} (the control plane does not show it)"
        return
    drift_note = " (changed at the control plane)" if difference.has_drifted else ""
    for path, before, after in changed_leaves(difference.field, difference.before, difference.after):
        yield f"{path}: {_value_text(before)} → {_value_text(after)}{drift_note}"


def describe_link_change(link_change: LinkChange) -> str:
    """Return the description of an association that is added or removed."""
    return f"{'+' if link_change.is_addition else '-'} {link_change.relation} {link_change.member}"


def changed_leaves(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the innermost values that differ; a value that only one side has is yielded whole."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield path, before, after
        return
    for key in sorted({*before, *after}):
        before_value, after_value = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if before_value != after_value:
            yield from changed_leaves(f"{path}.{key}", before_value, after_value)


def _value_text(value: Any) -> str:
    return "(none)" if value is _ABSENT or value is None else shorten_value(value)
