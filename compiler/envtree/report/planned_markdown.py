"""A plan for a comment on a pull request. Words of the tree, and of the server, stand in code spans only."""

from collections.abc import Iterable, Iterator

from envtree.controlplane.sync.model import Change, Plan
from envtree.report.code_span import code
from envtree.report.planned import SIGNS, difference_words, joint_words, sentence

LIMIT = 60_000
_FOLD = ("<details><summary>{}</summary>\n\n", "\n</details>\n")
_FOOTER = "\n<sub>`envtree apply` does this; what is to be removed, only with `--prune`.</sub>\n"


def planned_markdown(plan: Plan, limit: int = LIMIT) -> str:
    """The whole plan, or as much of it as fits into `limit` bytes."""
    head = f"### Control plane of {code(plan.organization)}: {sentence(plan)}\n"
    parts = [
        *(f"\n⛔ {code(str(ref))} is there already, and not ours.\n" for ref in plan.taken),
        *_section("What changes", [line for change in plan.changes for line in _change(change)]),
        *_section("What the server makes of it", [f"* {code(warning)}" for warning in plan.warnings]),
        *_section("Not ours, and left alone", [f"* {code(str(ref))}" for ref in plan.unmanaged]),
    ]
    text, room = head, limit - len((head + _FOOTER).encode()) - 100
    for part in parts:
        size = len(part.encode())
        if size > room:
            return f"{text}\n…and more, which does not fit here.\n{_FOOTER}"
        text, room = text + part, room - size
    return text + _FOOTER


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    found = list(lines)
    if found:
        head, tail = _FOLD
        body = "\n".join(found[:500])
        yield f"\n{head.format(f'{title} ({len(found)})')}{body}\n{tail}"


def _change(change: Change) -> Iterator[str]:
    sign = SIGNS[change.action].replace("-", "−")
    yield f"* {sign} {code(str(change.ref))}: {change.reason}"
    if change.action == "create":
        return
    yield from (f"  * {code(words)}" for each in change.differences for words in difference_words(each))
    yield from (f"  * {code(joint_words(joint))}" for joint in change.joints)
