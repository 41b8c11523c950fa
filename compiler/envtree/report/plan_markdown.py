"""A plan as a comment on a pull request; text of the tree and of the server is put into code spans only."""

from collections.abc import Iterable, Iterator

from envtree.controlplane.sync.plan_model import ResourceChange, SyncPlan
from envtree.report.code_span import code_span
from envtree.report.plan_text import ACTION_SIGNS, describe_difference, describe_link_change, plan_summary

MAX_PLAN_BYTES = 60_000
_FOLD = ("<details><summary>{}</summary>\n\n", "\n</details>\n")
_FOOTER = "\n<sub>`envtree kubiya apply` does this; what is to be removed, only with `--prune`.</sub>\n"


def render_plan_markdown(plan: SyncPlan, limit: int = MAX_PLAN_BYTES) -> str:
    """Return the whole plan, or as much of it as fits into `limit` bytes."""
    head = f"### Control plane of {code_span(plan.organization)}: {plan_summary(plan)}\n"
    parts = [
        *(f"\n⛔ {code_span(str(ref))} is there already, and not ours.\n" for ref in plan.conflicts),
        *_section_parts("What changes", [line for change in plan.changes for line in _change_items(change)]),
        *_section_parts("What the server makes of it", [f"* {code_span(warning)}" for warning in plan.warnings]),
        *_section_parts("Not ours, and left alone", [f"* {code_span(str(ref))}" for ref in plan.unmanaged]),
    ]
    text, room = head, limit - len((head + _FOOTER).encode()) - 100
    for part in parts:
        size = len(part.encode())
        if size > room:
            return f"{text}\n…and more, which does not fit here.\n{_FOOTER}"
        text, room = text + part, room - size
    return text + _FOOTER


def _section_parts(title: str, lines: Iterable[str]) -> Iterator[str]:
    items = list(lines)
    if items:
        head, tail = _FOLD
        body = "\n".join(items[:500])
        yield f"\n{head.format(f'{title} ({len(items)})')}{body}\n{tail}"


def _change_items(change: ResourceChange) -> Iterator[str]:
    sign = ACTION_SIGNS[change.action].replace("-", "−")
    yield f"* {sign} {code_span(str(change.ref))}: {change.reason}"
    if change.action == "create":
        return
    yield from (
        f"  * {code_span(text)}" for difference in change.differences for text in describe_difference(difference)
    )
    yield from (f"  * {code_span(describe_link_change(link_change))}" for link_change in change.link_changes)
