"""A diff for a comment on a pull request: what a manager reads first, then what a reviewer needs, inside a limit.

Words of the tree stand in code spans only: no link, picture, mention or HTML comes of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from shlex import quote
from typing import NamedTuple, TypeVar

from envtree.diagnostics.findings import Finding
from envtree.queries.diff.model import Cause, Diff, RuleChange, SecretsFileChange
from envtree.report import plural
from envtree.report.change_values import name_of, phrase, what
from envtree.report.change_words import (
    Caused,
    by_cause_of_bundles,
    by_causes,
    by_file,
    clauses,
    findings,
    rule_sentence,
    secrets_notes,
)
from envtree.report.changed_graph import DRAWN, changed_graph
from envtree.report.code_span import code
from envtree.report.gist import by_agent, by_environment, environment_of
from envtree.report.graph import Graph
from envtree.report.mermaid import mermaid

# GitHub takes 65,536 characters; GitLab takes more.
LIMIT = 60_000
_ROWS, _COLUMNS = 12, 8
# With so few nodes a drawing shows nothing new.
_PLAIN = 3
# As many items of a list are told without being asked for.
_OPEN = 12
_CAUSES, _VALUES, _AGENTS, _FEW = 5, 20, 10, 2
# As many items of a list as somebody may want to look through.
_MOST = 100
_SIGNS = {"added": "+", "removed": "−", "changed": "~"}
_MARKS = {"error": "❌", "warning": "⚠️", "info": "💬"}
_LEGEND = {"~": "changed", "+": "new", "−": "gone", "?": "could not be compared"}
_FOLD = ("<details><summary>{}</summary>\n\n", "\n</details>\n")
_NO_FOLD = ("**{}**\n\n", "")

_T = TypeVar("_T")


class _Section(NamedTuple):
    """A part of the comment; `share` of the room is the most that it takes, and what is not taken is left over."""

    title: str
    number: int
    items: Iterator[str]
    share: float
    folded: bool


def markdown(diff: Diff, protected: Sequence[str] = (), limit: int = LIMIT) -> str:
    """All that differs, in less than `limit` bytes of UTF-8."""
    text = "".join(f"{part}\n" for part in _head(diff, protected)).rstrip("\n") + "\n"
    footer = f"\n{_footer(diff)}\n"
    room = limit - len((text + footer).encode())
    for section in _sections(diff, protected):
        if section.number:
            added = _fitted(section, int(room * section.share))
            text, room = text + added, room - len(added.encode())
    return text + footer


def _head(diff: Diff, protected: Sequence[str]) -> Iterator[str]:
    first, *others = map(_capitalized, clauses(diff, code))
    yield f"### {first}\n"
    yield f"{'. '.join(others)}.\n"
    if protected:
        yield f"⛔ **{plural(len(protected), 'protected bundle')} would change**{_spread(protected, diff)}.\n"
    if diff.errors:
        yield "❌ **There are errors: nothing can be compiled from this.**\n"
    if diff.rules:
        yield f"⚖️ **The rules change with it**: {plural(len(diff.rules), 'rule')}, see below.\n"
    yield from _table(diff)


def _capitalized(words: str) -> str:
    return words[0].upper() + words[1:]


def _spread(ids: Sequence[str], diff: Diff) -> str:
    """Where bundles are, behind their number."""
    counts = by_environment(ids, diff.environments)
    if len(counts) == 1:
        return f", {'all ' if len(ids) > 1 else ''}in {code(counts[0][0])}"
    listed = ", ".join(f"{count} in {code(name)}" for name, count in counts[:_COLUMNS])
    return f": {listed}{', …' if len(counts) > _COLUMNS else ''}"


def _table(diff: Diff) -> Iterator[str]:
    """How many bundles differ, by project and environment; one cell alone says nothing new."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    kinds = {**dict.fromkeys(diff.changed, "~"), **{one.id: _SIGNS[one.kind] for one in diff.bundles}}
    for id in diff.touched:
        counts.setdefault((id.partition("/")[0], environment_of(id)), Counter())[kinds.get(id, "?")] += 1
    if len(counts) < 2:
        return
    environments = [name for name, _ in by_environment(diff.touched, diff.environments)]
    projects = Counter(id.partition("/")[0] for id in diff.touched)
    columns, rows = environments[:_COLUMNS], sorted(name for name, _ in projects.most_common(_ROWS))
    yield f"| bundles | {' | '.join(map(code, columns))} |"
    yield f"|---|{'---:|' * len(columns)}"
    for row in rows:
        yield f"| {code(row)} | {' | '.join(_cell(counts.get((row, column), {})) for column in columns)} |"
    used = {sign for cell in counts.values() for sign in cell}
    legend = [f"`{sign}` {words}" for sign, words in _LEGEND.items() if sign in used]
    for left, noun in ((len(projects) - len(rows), "project"), (len(environments) - len(columns), "environment")):
        legend += [f"{plural(left, f'more {noun}')} not shown"] * (left > 0)
    yield f"\n<sub>{', '.join(legend)}</sub>"


def _cell(counts: Mapping[str, int]) -> str:
    return " ".join(f"{sign}{counts[sign]}" for sign in _LEGEND if sign in counts) or "·"


def _sections(diff: Diff, protected: Sequence[str]) -> Iterator[_Section]:
    caused, graph = by_file(by_causes(diff)), changed_graph(diff)
    drawn = [graph] if len(graph.nodes) > _PLAIN else []
    new = findings(diff.new)
    remarks = [one for one in new if one.severity == "info"]
    yield _section("What changes, by cause", caused[:_OPEN], lambda group: _caused(group, diff), 0.5)
    yield _section("New and gone", by_cause_of_bundles(diff), lambda group: _bundles(*group, diff), 0.3)
    yield _section("Secrets", diff.secrets, _secrets_file, 0.4)
    yield _section("The rules that change", diff.rules, _rule, 0.4)
    yield _section("Findings that are new", new[: len(new) - len(remarks)], _finding, 0.5)
    yield _section("More changes", caused[_OPEN:], lambda group: _caused(group, diff), 0.5, folded=True)
    yield _section("Remarks that are new", remarks, _finding, 0.3, folded=True)
    yield _section("Findings that are gone", findings(diff.gone), _finding, 0.3, folded=True)
    yield _section("Protected bundles", _agents(protected, diff), _agent, 0.4, folded=True)
    yield _section("Not compared, for errors on either side", _agents(diff.spoiled, diff), _agent, 0.4, folded=True)
    yield _section("What leads where", drawn, _drawing, 0.9, folded=True)
    yield _section("All that change", _agents(diff.changed, diff), _agent, 0.95, folded=True)


def _section(
    title: str, items: Sequence[_T], told: Callable[[_T], str], share: float, *, folded: bool = False
) -> _Section:
    # Of thousands of items only those are put into words that there is room for.
    return _Section(title, len(items), map(told, items), share, folded)


def _finding(one: Finding) -> str:
    found = one.diagnostic
    place = code(str(found.span)) if found.span.path else "in no file"
    return f"- {_MARKS[one.severity]} {code(found.code)} {place}: {code(found.message)}\n"


def _drawing(graph: Graph) -> str:
    return f"```mermaid\n{mermaid(graph, DRAWN)}```\n"


def _fitted(section: _Section, room: int) -> str:
    """As much of a section as there is room for."""
    opening, closing = _FOLD if section.folded else _NO_FOLD
    text = "\n" + opening.format(section.title)
    room -= len((text + _more(section.number) + closing).encode())
    shown = 0
    for item in islice(section.items, _MOST):
        room -= len(item.encode())
        if room < 0:
            break
        text, shown = text + item, shown + 1
    left = section.number - shown
    return f"{text}{_more(left) if left else ''}{closing}" if shown else ""


def _more(count: int) -> str:
    return f"- … and {count} more\n"


def _caused(group: Sequence[Caused], diff: Diff) -> str:
    """One item of the list; what it tells is limited, so that one line cannot fill the comment."""
    first = group[0]
    place = code(first.causes[0].path) if len(group) > 1 else _places(first.causes)
    lines = [f"- {place}{_where(first.bundles, diff) if first.alike else ''}\n"]
    told = [(one, change) for one in group for change in one.changes]
    for one, change in told[:_VALUES]:
        line = f" (line {one.causes[0].line} {one.causes[0].action})" if len(group) > 1 else ""
        where = "" if one.alike else _where(change.bundles, diff)
        said = phrase(what(change), code)
        lines.append(f"  - {_sign(change.kind)} {code(name_of(change))}: {said}{line}{where}\n")
    if len(told) > _VALUES:
        lines.append(f"  - … and {plural(len(told) - _VALUES, 'more value')}\n")
    return "".join(lines)


def _sign(kind: str) -> str:
    # In bold, because a list would begin with the sign by itself.
    return f"**{_SIGNS[kind]}**"


def _where(ids: Sequence[str], diff: Diff) -> str:
    if len(ids) <= _FEW:
        return f", in {' and '.join(map(code, ids))}"
    return f", in {plural(len(ids), 'bundle')}{_spread(ids, diff)}"


def _places(causes: Sequence[Cause]) -> str:
    listed = ", ".join(f"{code(f'{cause.path}:{cause.line}')} {cause.action}" for cause in causes[:_CAUSES])
    return listed + (f" and {plural(len(causes) - _CAUSES, 'more line')}" if len(causes) > _CAUSES else "")


def _bundles(kind: str, causes: Sequence[Cause], ids: Sequence[str], diff: Diff) -> str:
    agents = _agents(ids, diff)
    listed = "; ".join(_in_environments(*one) for one in agents[:_AGENTS])
    more = f" and {plural(len(agents) - _AGENTS, 'more agent')}" if len(agents) > _AGENTS else ""
    return f"- {_sign(kind)} {listed}{more}{': ' if causes else ''}{_places(causes)}\n"


def _secrets_file(file: SecretsFileChange) -> str:
    notes = [f"  - {phrase(note, code)}\n" for note in secrets_notes(file)]
    if len(notes) > _VALUES:
        notes[_VALUES:] = [f"  - … and {len(notes) - _VALUES} more\n"]
    return "".join([f"- {_sign(file.kind)} {code(file.path)}\n", *notes])


def _rule(rule: RuleChange) -> str:
    return f"- {_sign(rule.kind)} {phrase(rule_sentence(rule), code)}, {code(f'{rule.path}:{rule.line}')}\n"


def _agents(ids: Iterable[str], diff: Diff) -> list[tuple[str, list[str]]]:
    return list(by_agent(ids, diff.environments).items())


def _agent(one: tuple[str, Sequence[str]]) -> str:
    return f"- {_in_environments(*one)}\n"


def _in_environments(agent: str, environments: Sequence[str]) -> str:
    return f"{code(agent)} in {', '.join(map(code, environments))}"


def _footer(diff: Diff) -> str:
    base, head = (
        code(name) + (f" at {code(commit[:12])}" if commit and not commit.startswith(name) else "")
        for name, commit in ((diff.base, diff.base_commit), (diff.head, diff.head_commit))
    )
    words = f"Compared {base} with {head}, without a key"
    if diff.base_commit:
        command = " ".join(["envtree diff", *(quote(one[:12]) for one in (diff.base_commit, diff.head_commit) if one)])
        words += f"; {code(command)} shows the same on your machine"
    return f"<sub>{words}.</sub>"
