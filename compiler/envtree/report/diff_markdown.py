"""A diff as a comment on a pull request: a summary first, then the details, within a size limit.

Text of the tree is put into code spans only, so that it cannot make a link, picture, mention or HTML.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from shlex import quote
from typing import NamedTuple, TypeVar

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.summary import plural
from envtree.queries.diff.diff_model import Cause, Diff, RuleChange, SecretsFileChange
from envtree.report.bundle_summary import count_by_environment, environment_of, environments_by_agent
from envtree.report.code_span import code_span
from envtree.report.diff_graph import MAX_DRAWN_NODES, build_diff_graph
from envtree.report.diff_phrases import (
    CauseGroup,
    describe_rule_change,
    group_bundles_by_cause,
    group_by_causes,
    group_by_file,
    secrets_file_notes,
    sort_findings,
    summary_clauses,
)
from envtree.report.graph import Graph
from envtree.report.mermaid import render_mermaid
from envtree.report.value_changes import change_name, describe_value_change, join_pieces

# GitHub accepts 65,536 characters; GitLab accepts more.
MAX_BYTES = 60_000
_MAX_ROWS, _MAX_COLUMNS = 12, 8
# With fewer nodes a graph shows nothing new.
_MIN_GRAPH_NODES = 3
# The most items of a list that are shown unfolded.
_UNFOLDED_ITEMS = 12
_MAX_CAUSES, _MAX_VALUES, _MAX_AGENTS, _MAX_LISTED_BUNDLES = 5, 20, 10, 2
# The most items of a list that are shown at all.
_MAX_ITEMS = 100
_SIGNS = {"added": "+", "removed": "−", "changed": "~"}
_SEVERITY_ICONS = {"error": "❌", "warning": "⚠️", "info": "💬"}
_LEGEND = {"~": "changed", "+": "new", "−": "gone", "?": "could not be compared"}
_FOLD = ("<details><summary>{}</summary>\n\n", "\n</details>\n")
_NO_FOLD = ("**{}**\n\n", "")

_T = TypeVar("_T")


class _CommentSection(NamedTuple):
    """A section of the comment; `share` is the part of the remaining room that it may take."""

    title: str
    item_count: int
    items: Iterator[str]
    share: float
    is_folded: bool


def render_diff_markdown(diff: Diff, protected: Sequence[str] = (), limit: int = MAX_BYTES) -> str:
    """Return a diff as Markdown, in less than `limit` bytes of UTF-8."""
    text = "".join(f"{paragraph}\n" for paragraph in _head(diff, protected)).rstrip("\n") + "\n"
    footer = f"\n{_footer(diff)}\n"
    room = limit - len((text + footer).encode())
    for section in _comment_sections(diff, protected):
        if section.item_count:
            section_text = _fit_section(section, int(room * section.share))
            text, room = text + section_text, room - len(section_text.encode())
    return text + footer


def _head(diff: Diff, protected: Sequence[str]) -> Iterator[str]:
    first, *rest = map(_capitalize, summary_clauses(diff, code_span))
    yield f"### {first}\n"
    yield f"{'. '.join(rest)}.\n"
    if protected:
        count = plural(len(protected), "protected bundle")
        yield f"⛔ **{count} would change**{_distribution_phrase(protected, diff)}.\n"
    if diff.has_errors:
        yield "❌ **There are errors: nothing can be compiled from this.**\n"
    if diff.rules:
        yield f"⚖️ **The rules change with it**: {plural(len(diff.rules), 'rule')}, see below.\n"
    yield from _count_table(diff)


def _capitalize(text: str) -> str:
    return text[0].upper() + text[1:]


def _distribution_phrase(ids: Sequence[str], diff: Diff) -> str:
    """Return the environments of bundles, to follow their number."""
    counts = count_by_environment(ids, diff.environments)
    if len(counts) == 1:
        return f", {'all ' if len(ids) > 1 else ''}in {code_span(counts[0][0])}"
    listed = ", ".join(f"{count} in {code_span(name)}" for name, count in counts[:_MAX_COLUMNS])
    return f": {listed}{', …' if len(counts) > _MAX_COLUMNS else ''}"


def _count_table(diff: Diff) -> Iterator[str]:
    """Yield a table of the numbers of affected bundles, by project and environment, unless it has one cell."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    kinds = {**dict.fromkeys(diff.changed, "~"), **{bundle.id: _SIGNS[bundle.kind] for bundle in diff.bundles}}
    for id in diff.affected:
        counts.setdefault((id.partition("/")[0], environment_of(id)), Counter())[kinds.get(id, "?")] += 1
    if len(counts) < 2:
        return
    environments = [name for name, _ in count_by_environment(diff.affected, diff.environments)]
    projects = Counter(id.partition("/")[0] for id in diff.affected)
    columns, rows = environments[:_MAX_COLUMNS], sorted(name for name, _ in projects.most_common(_MAX_ROWS))
    yield f"| bundles | {' | '.join(map(code_span, columns))} |"
    yield f"|---|{'---:|' * len(columns)}"
    for row in rows:
        yield f"| {code_span(row)} | {' | '.join(_count_cell(counts.get((row, column), {})) for column in columns)} |"
    used = {sign for cell in counts.values() for sign in cell}
    legend = [f"`{sign}` {label}" for sign, label in _LEGEND.items() if sign in used]
    for hidden_count, noun in (
        (len(projects) - len(rows), "project"),
        (len(environments) - len(columns), "environment"),
    ):
        legend += [f"{plural(hidden_count, f'more {noun}')} not shown"] * (hidden_count > 0)
    yield f"\n<sub>{', '.join(legend)}</sub>"


def _count_cell(counts: Mapping[str, int]) -> str:
    return " ".join(f"{sign}{counts[sign]}" for sign in _LEGEND if sign in counts) or "·"


def _comment_sections(diff: Diff, protected: Sequence[str]) -> Iterator[_CommentSection]:
    groups, graph = group_by_file(group_by_causes(diff)), build_diff_graph(diff)
    graphs = [graph] if len(graph.nodes) > _MIN_GRAPH_NODES else []
    new_findings = sort_findings(diff.new_findings)
    info_findings = [finding for finding in new_findings if finding.severity == "info"]
    yield _build_section(
        "What changes, by cause", groups[:_UNFOLDED_ITEMS], lambda group: _change_group_item(group, diff), 0.5
    )
    yield _build_section(
        "New and gone", group_bundles_by_cause(diff), lambda group: _bundle_group_item(*group, diff), 0.3
    )
    yield _build_section("Secrets", diff.secrets, _secrets_file_item, 0.4)
    yield _build_section("The rules that change", diff.rules, _rule_item, 0.4)
    yield _build_section(
        "Findings that are new", new_findings[: len(new_findings) - len(info_findings)], _finding_item, 0.5
    )
    yield _build_section(
        "More changes", groups[_UNFOLDED_ITEMS:], lambda group: _change_group_item(group, diff), 0.5, is_folded=True
    )
    yield _build_section("Remarks that are new", info_findings, _finding_item, 0.3, is_folded=True)
    yield _build_section(
        "Findings that are gone", sort_findings(diff.removed_findings), _finding_item, 0.3, is_folded=True
    )
    yield _build_section("Protected bundles", _environments_by_agent(protected, diff), _agent_item, 0.4, is_folded=True)
    yield _build_section(
        "Not compared, for errors on either side",
        _environments_by_agent(diff.not_compared, diff),
        _agent_item,
        0.4,
        is_folded=True,
    )
    yield _build_section("What leads where", graphs, _graph_block, 0.9, is_folded=True)
    yield _build_section(
        "All that change", _environments_by_agent(diff.changed, diff), _agent_item, 0.95, is_folded=True
    )


def _build_section(
    title: str, items: Sequence[_T], render_item: Callable[[_T], str], share: float, *, is_folded: bool = False
) -> _CommentSection:
    # Items are rendered lazily: there may be thousands, and only some fit.
    return _CommentSection(title, len(items), map(render_item, items), share, is_folded)


def _finding_item(finding: Finding) -> str:
    diagnostic = finding.diagnostic
    location = code_span(str(diagnostic.span)) if diagnostic.span.path else "in no file"
    label = f"{_SEVERITY_ICONS[finding.severity]} {code_span(diagnostic.code)}"
    return f"- {label} {location}: {code_span(diagnostic.message)}\n"


def _graph_block(graph: Graph) -> str:
    return f"```mermaid\n{render_mermaid(graph, MAX_DRAWN_NODES)}```\n"


def _fit_section(section: _CommentSection, room: int) -> str:
    """Return as many items of a section as there is room for."""
    opening, closing = _FOLD if section.is_folded else _NO_FOLD
    text = "\n" + opening.format(section.title)
    room -= len((text + _more_item(section.item_count) + closing).encode())
    shown = 0
    for item in islice(section.items, _MAX_ITEMS):
        room -= len(item.encode())
        if room < 0:
            break
        text, shown = text + item, shown + 1
    hidden_count = section.item_count - shown
    return f"{text}{_more_item(hidden_count) if hidden_count else ''}{closing}" if shown else ""


def _more_item(count: int) -> str:
    return f"- … and {count} more\n"


def _change_group_item(group: Sequence[CauseGroup], diff: Diff) -> str:
    """Return one item of the list; its length is limited, so that a single cause cannot fill the comment."""
    first = group[0]
    location = code_span(first.causes[0].path) if len(group) > 1 else _cause_list(first.causes)
    lines = [f"- {location}{_bundles_phrase(first.bundles, diff) if first.has_same_bundles else ''}\n"]
    changes = [(caused, change) for caused in group for change in caused.changes]
    for caused, change in changes[:_MAX_VALUES]:
        line = f" (line {caused.causes[0].line} {caused.causes[0].action})" if len(group) > 1 else ""
        bundles = "" if caused.has_same_bundles else _bundles_phrase(change.bundles, diff)
        description = join_pieces(describe_value_change(change), code_span)
        lines.append(f"  - {_sign(change.kind)} {code_span(change_name(change))}: {description}{line}{bundles}\n")
    if len(changes) > _MAX_VALUES:
        lines.append(f"  - … and {plural(len(changes) - _MAX_VALUES, 'more value')}\n")
    return "".join(lines)


def _sign(kind: str) -> str:
    # Bold, because a plain sign would start a list.
    return f"**{_SIGNS[kind]}**"


def _bundles_phrase(ids: Sequence[str], diff: Diff) -> str:
    if len(ids) <= _MAX_LISTED_BUNDLES:
        return f", in {' and '.join(map(code_span, ids))}"
    return f", in {plural(len(ids), 'bundle')}{_distribution_phrase(ids, diff)}"


def _cause_list(causes: Sequence[Cause]) -> str:
    listed = ", ".join(f"{code_span(f'{cause.path}:{cause.line}')} {cause.action}" for cause in causes[:_MAX_CAUSES])
    return listed + (f" and {plural(len(causes) - _MAX_CAUSES, 'more line')}" if len(causes) > _MAX_CAUSES else "")


def _bundle_group_item(kind: str, causes: Sequence[Cause], ids: Sequence[str], diff: Diff) -> str:
    agents = _environments_by_agent(ids, diff)
    listed = "; ".join(_agent_environments(*agent) for agent in agents[:_MAX_AGENTS])
    rest = f" and {plural(len(agents) - _MAX_AGENTS, 'more agent')}" if len(agents) > _MAX_AGENTS else ""
    return f"- {_sign(kind)} {listed}{rest}{': ' if causes else ''}{_cause_list(causes)}\n"


def _secrets_file_item(file: SecretsFileChange) -> str:
    notes = [f"  - {join_pieces(note, code_span)}\n" for note in secrets_file_notes(file)]
    if len(notes) > _MAX_VALUES:
        notes[_MAX_VALUES:] = [f"  - … and {len(notes) - _MAX_VALUES} more\n"]
    return "".join([f"- {_sign(file.kind)} {code_span(file.path)}\n", *notes])


def _rule_item(rule: RuleChange) -> str:
    description = join_pieces(describe_rule_change(rule), code_span)
    return f"- {_sign(rule.kind)} {description}, {code_span(f'{rule.path}:{rule.line}')}\n"


def _environments_by_agent(ids: Iterable[str], diff: Diff) -> list[tuple[str, list[str]]]:
    return list(environments_by_agent(ids, diff.environments).items())


def _agent_item(agent: tuple[str, Sequence[str]]) -> str:
    return f"- {_agent_environments(*agent)}\n"


def _agent_environments(agent: str, environments: Sequence[str]) -> str:
    return f"{code_span(agent)} in {', '.join(map(code_span, environments))}"


def _footer(diff: Diff) -> str:
    base, head = (
        code_span(name) + (f" at {code_span(commit[:12])}" if commit and not commit.startswith(name) else "")
        for name, commit in ((diff.base, diff.base_commit), (diff.head, diff.head_commit))
    )
    text = f"Compared {base} with {head}, without a key"
    if diff.base_commit:
        command = " ".join(
            ["envtree diff", *(quote(commit[:12]) for commit in (diff.base_commit, diff.head_commit) if commit)]
        )
        text += f"; {code_span(command)} shows the same on your machine"
    return f"<sub>{text}.</sub>"
