"""A diff for a comment on a pull request: what a manager reads first, then what a reviewer needs, inside a limit."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from envtree.diff.model import Cause, Change, Diff, SecretsFileChange
from envtree.report import plural
from envtree.report.changed_graph import DRAWN, changed_graph
from envtree.report.changes import (
    by_causes,
    findings,
    leaf_sentence,
    name_of,
    rule_sentence,
    secrets_notes,
    sentence,
    what,
)
from envtree.report.code_span import code
from envtree.report.gist import by_environment
from envtree.report.mermaid import mermaid

# GitHub takes 65,536 characters; GitLab takes more.
LIMIT = 60_000
_ROWS, _COLUMNS = 30, 8
_SIGNS = {"added": "+", "removed": "−", "changed": "~"}
_FOLD = ("<details><summary>{}</summary>\n\n", "\n</details>\n")
_NO_FOLD = ("**{}**\n\n", "")


class _Section(NamedTuple):
    """A part of the comment; `share` of the room is the most that it takes, and what is not taken is left over."""

    title: str
    lines: Sequence[str]
    share: float
    folded: bool = False


def markdown(diff: Diff, protected: Sequence[str] = (), limit: int = LIMIT) -> str:
    """All that differs, in less than `limit` bytes of UTF-8."""
    first = sentence(diff)
    text = f"### {first[0].upper()}{first[1:]}\n\n{_verdict(diff, protected)}{_table(diff)}"
    footer = f"\n<sub>Compared {code(diff.base)} with {code(diff.head)}, without a key.</sub>\n"
    room = limit - len((text + footer).encode())
    for section in _sections(diff, protected):
        if section.lines:
            added = _fitted(section, int(room * section.share))
            text, room = text + added, room - len(added.encode())
    return text + footer


def _verdict(diff: Diff, protected: Sequence[str]) -> str:
    lines = []
    if protected:
        lines.append(f"⛔ **{plural(len(protected), 'protected bundle')} would change.**")
    if diff.errors:
        lines.append("❌ **There are errors: nothing can be compiled from this.**")
    if diff.rules:
        lines.append(f"⚖️ **The rules changed in this change**: {plural(len(diff.rules), 'rule')}, see below.")
    return "".join(f"{line}\n\n" for line in lines)


def _table(diff: Diff) -> str:
    """How many bundles change by project and environment; `+` and `−` are those that are new or gone."""
    if not diff.touched:
        return ""
    counts: dict[tuple[str, str], Counter[str]] = {}
    kinds = {**dict.fromkeys(diff.changed, "~"), **{one.id: _SIGNS[one.kind] for one in diff.bundles}}
    for id in diff.touched:
        project, environment = id.partition("/")[0], id.partition("@")[2]
        counts.setdefault((project, environment), Counter())[kinds.get(id, "?")] += 1
    environments = [name for name, _ in by_environment(diff.touched)]
    projects = sorted({project for project, _ in counts})
    columns, rows = environments[:_COLUMNS], projects[:_ROWS]
    head = f"| project | {' | '.join(map(code, columns))} |\n|---|{'---:|' * len(columns)}\n"
    body = "".join(
        f"| {code(row)} | {' | '.join(_cell(counts.get((row, column), Counter())) for column in columns)} |\n"
        for row in rows
    )
    left = [plural(len(projects) - len(rows), "more project")] * (len(projects) > len(rows))
    left += [plural(len(environments) - len(columns), "more environment")] * (len(environments) > len(columns))
    return f"{head}{body}" + (f"\n{' and '.join(left)} with changes.\n" if left else "")


def _cell(counts: Counter[str]) -> str:
    return " ".join(f"{sign}{count}" for sign, count in sorted(counts.items())) or "·"


def _sections(diff: Diff, protected: Sequence[str]) -> Iterator[_Section]:
    yield _Section("Protected bundles", [f"- {code(id)}\n" for id in protected], 0.15)
    yield _Section("Changes by cause", [_caused(*group) for group in by_causes(diff.changes)], 0.6)
    yield _Section("Bundles that are new or gone", list(_bundles(diff)), 0.3)
    yield _Section("Secrets", [_secrets_file(file) for file in diff.secrets], 0.4)
    yield _Section("The rules changed in this change", [_rule(diff, n) for n in range(len(diff.rules))], 0.4)
    yield _Section("Findings new in this change", [f"- {code(line)}\n" for line in findings(diff.new)], 0.5)
    yield _Section("Findings gone with it", [f"- {code(line)}\n" for line in findings(diff.gone)], 0.3, folded=True)
    yield _Section("Bundles that could not be compared", [f"- {code(id)}\n" for id in diff.spoiled], 0.3, folded=True)
    yield _Section("What leads where", list(_drawing(diff)), 0.9, folded=True)
    yield _Section("All bundles that change", [f"- {code(id)}\n" for id in diff.changed], 0.95, folded=True)


def _fitted(section: _Section, room: int) -> str:
    """As much of a section as there is room for."""
    opening, closing = _FOLD if section.folded else _NO_FOLD
    text = "\n" + opening.format(section.title)
    left = f"- … and {len(section.lines)} more\n"
    room -= len((text + left + closing).encode())
    for shown, line in enumerate(section.lines):
        room -= len(line.encode())
        if room < 0:
            more = f"- … and {len(section.lines) - shown} more\n"
            return text + more + closing if shown else ""
        text += line
    return text + closing


def _caused(causes: Sequence[Cause], changes: Sequence[Change]) -> str:
    """One item of the list; how many values are told below it is limited, so that one line cannot fill the comment."""
    places = ", ".join(f"{code(f'{cause.path}:{cause.line}')} {cause.action}" for cause in causes[:5])
    more = f" and {plural(len(causes) - 5, 'more line')}" if len(causes) > 5 else ""
    lines = [f"- {places}{more}\n"]
    for change in changes[:20]:
        lines.append(
            f"  - {_SIGNS[change.kind]} {code(name_of(change))}: {code(what(change))} {_where(change.bundles)}\n"
        )
    if len(changes) > 20:
        lines.append(f"  - … and {plural(len(changes) - 20, 'more value')}\n")
    return "".join(lines)


def _where(bundles: Sequence[str]) -> str:
    if len(bundles) == 1:
        return f"in {code(bundles[0])}"
    counts = by_environment(bundles)
    if len(counts) == 1:
        return f"in {plural(len(bundles), 'bundle')}, all in {code(counts[0][0])}"
    listed = ", ".join(f"{count} in {code(name)}" for name, count in counts[:_COLUMNS])
    return f"in {plural(len(bundles), 'bundle')}: {listed}{', …' if len(counts) > _COLUMNS else ''}"


def _bundles(diff: Diff) -> Iterator[str]:
    for one in diff.bundles:
        causes = ", ".join(f"{code(f'{cause.path}:{cause.line}')} {cause.action}" for cause in one.causes[:3])
        yield f"- {_SIGNS[one.kind]} {code(one.id)}{', ' if causes else ''}{causes}\n"


def _secrets_file(file: SecretsFileChange) -> str:
    lines = [f"- {_SIGNS[file.kind]} {code(file.path)}\n"]
    lines += [f"  - {code(note)}\n" for note in secrets_notes(file)]
    told = [leaf for leaf in file.leaves if leaf.kind != "reencrypted"]
    lines += [f"  - {code(leaf_sentence(leaf))}\n" for leaf in told[:20]]
    if len(told) > 20:
        lines.append(f"  - … and {plural(len(told) - 20, 'more value')}\n")
    return "".join(lines)


def _rule(diff: Diff, number: int) -> str:
    rule = diff.rules[number]
    return f"- {_SIGNS[rule.kind]} {code(rule_sentence(rule))} {code(f'{rule.path}:{rule.line}')}\n"


def _drawing(diff: Diff) -> Iterable[str]:
    graph = changed_graph(diff)
    return [f"```mermaid\n{mermaid(graph, DRAWN)}```\n"] if graph.nodes else []
