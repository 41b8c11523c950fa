"""A plan for people: what happens to which object, why, and what the server makes of it."""

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
    """The whole plan."""
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
    """What somebody wants to know first."""
    counts = Counter(one.action for one in plan.changes if prune or one.action != "delete")
    told = [f"{counts[action]} {words}" for action, words in _ACTION_PHRASES.items() if counts[action]]
    told += [f"{plural(len(plan.conflicts), 'name')} taken"] if plan.conflicts else []
    return ", ".join(told) or "nothing: the control plane is as it should be"


def _change_lines(change: ResourceChange) -> Iterator[StyledLine]:
    where = f" ({change.path})" if change.path else ""
    yield StyledLine(
        f"{ACTION_SIGNS[change.action]} {change.ref}: {change.reason}{where}", _ACTION_STYLES[change.action]
    )
    if change.action != "create":
        yield from (StyledLine(f"    {words}") for each in change.differences for words in describe_difference(each))
    yield from (
        StyledLine(f"    {describe_link_change(joint)}") for joint in change.link_changes if change.action != "create"
    )


def describe_difference(difference: FieldDifference) -> Iterator[str]:
    """A field that differs, down to the values that do."""
    if difference.before is WRITE_ONLY:
        yield f"{difference.field} (the control plane does not show it)"
        return
    moved = " (changed at the control plane)" if difference.has_drifted else ""
    for path, before, after in changed_leaves(difference.field, difference.before, difference.after):
        yield f"{path}: {_value_text(before)} → {_value_text(after)}{moved}"


def describe_link_change(link_change: LinkChange) -> str:
    """An association that is made or undone."""
    return f"{'+' if link_change.is_addition else '-'} {link_change.relation} {link_change.member}"


def changed_leaves(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """The values that differ inside of two; what is on one side only is whole."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield path, before, after
        return
    for key in sorted({*before, *after}):
        one, other = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if one != other:
            yield from changed_leaves(f"{path}.{key}", one, other)


def _value_text(value: Any) -> str:
    return "(none)" if value is _ABSENT or value is None else shorten_value(value)
