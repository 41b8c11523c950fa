"""A plan for people: what happens to which object, why, and what the server makes of it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from envtree.controlplane.sync.compare import UNREAD, Difference, Joint
from envtree.controlplane.sync.model import Action, Change, Plan
from envtree.report import plural
from envtree.report.lines import BOLD, Line, painted_lines, shortened, some

SIGNS: dict[Action, str] = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
_HUES: dict[Action, str] = {"create": "32", "update": "33", "replace": "35", "delete": "31"}
_DONE: dict[Action, str] = {
    "create": "to create",
    "update": "to update",
    "replace": "to make anew",
    "delete": "to remove",
}
_MOST = 10
_ABSENT = object()


def planned_text(plan: Plan, *, color: bool) -> str:
    """The whole plan."""
    blocks = [
        ("", [line for change in plan.changes for line in _change(change)]),
        ("taken: these names are in use, and not by us", [Line(f"  {ref}") for ref in plan.taken]),
        ("note", [Line(f"  {warning}") for warning in plan.warnings]),
        (
            "not ours, and left alone",
            [Line(f"  {name}") for name in some(list(map(str, plan.unmanaged)), _MOST, "object")],
        ),
    ]
    lines: list[Line] = []
    for title, block in blocks:
        if block:
            lines += [*([Line("")] if lines else []), *([Line(title, BOLD)] if title else []), *block]
    return painted_lines(lines, color=color)


def sentence(plan: Plan, *, prune: bool = True) -> str:
    """What somebody wants to know first."""
    counts = Counter(one.action for one in plan.changes if prune or one.action != "delete")
    told = [f"{counts[action]} {words}" for action, words in _DONE.items() if counts[action]]
    told += [f"{plural(len(plan.taken), 'name')} taken"] if plan.taken else []
    return ", ".join(told) or "nothing: the control plane is as it should be"


def _change(change: Change) -> Iterator[Line]:
    where = f" ({change.path})" if change.path else ""
    yield Line(f"{SIGNS[change.action]} {change.ref}: {change.reason}{where}", _HUES[change.action])
    if change.action != "create":
        yield from (Line(f"    {words}") for each in change.differences for words in difference_words(each))
    yield from (Line(f"    {joint_words(joint)}") for joint in change.joints if change.action != "create")


def difference_words(each: Difference) -> Iterator[str]:
    """A field that differs, down to the values that do."""
    if each.before is UNREAD:
        yield f"{each.field} (the control plane does not show it)"
        return
    moved = " (changed at the control plane)" if each.moved else ""
    for path, before, after in leaves(each.field, each.before, each.after):
        yield f"{path}: {_value(before)} → {_value(after)}{moved}"


def joint_words(joint: Joint) -> str:
    """An association that is made or undone."""
    return f"{'+' if joint.made else '-'} {joint.relation} {joint.member}"


def leaves(path: str, before: Any, after: Any) -> Iterator[tuple[str, Any, Any]]:
    """The values that differ inside of two; what is on one side only is whole."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        yield path, before, after
        return
    for key in sorted({*before, *after}):
        one, other = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if one != other:
            yield from leaves(f"{path}.{key}", one, other)


def _value(value: Any) -> str:
    return "(none)" if value is _ABSENT or value is None else shortened(value)
