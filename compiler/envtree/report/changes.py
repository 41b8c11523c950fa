"""A diff for people: what changes, in which bundles, and the lines that are the cause."""

from collections.abc import Iterator, Sequence

from envtree.diagnostics.findings import Finding
from envtree.queries.diff.model import Cause, Diff, SecretsFileChange
from envtree.report.change_values import name_of, phrase, what
from envtree.report.change_words import (
    Caused,
    by_cause_of_bundles,
    by_causes,
    clauses,
    findings,
    places,
    rule_sentence,
    secrets_notes,
)
from envtree.report.gist import by_agent, gist
from envtree.report.lines import BOLD, Line, painted_lines, some

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_HUES = {"added": "32", "removed": "31", "changed": "33"}
_MOST_AGENTS = 10


def changes_text(diff: Diff, *, color: bool, whole: bool) -> str:
    """All that differs; with `whole` every bundle is named."""
    blocks = [
        ("", [line for caused in by_causes(diff) for line in _caused(caused, diff, whole)]),
        ("bundles", [line for group in by_cause_of_bundles(diff) for line in _bundles(*group, diff, whole)]),
        ("secrets files", [line for file in diff.secrets for line in _secrets_file(file)]),
        (
            "the rules changed in this change",
            [_signed(one.kind, f"{phrase(rule_sentence(one))}, {one.path}:{one.line}") for one in diff.rules],
        ),
        ("findings that are new", [_finding(one) for one in findings(diff.new)]),
        ("findings that are gone", [_finding(one) for one in findings(diff.gone)]),
        ("not compared, for errors in either tree", [Line(f"  {id}") for id in diff.spoiled]),
    ]
    lines: list[Line] = []
    for title, block in blocks:
        if block:
            lines += [*([Line("")] if lines else []), *([Line(title, BOLD)] if title else []), *block]
    return painted_lines(lines, color=color)


def sentence(diff: Diff) -> str:
    """What somebody wants to know first, in a sentence."""
    return "; ".join(clauses(diff))


def _signed(kind: str, words: str, indent: str = "") -> Line:
    return Line(f"{indent}{_SIGNS[kind]} {words}", _HUES[kind])


def _caused(caused: Caused, diff: Diff, whole: bool) -> Iterator[Line]:
    yield from (Line(place, BOLD) for place in places(caused.causes))
    for change in caused.changes:
        yield _signed(change.kind, f"{name_of(change)}: {phrase(what(change))}", "  ")
        if not caused.alike or change is caused.changes[-1]:
            where = ", ".join(change.bundles) if whole else gist(change.bundles, diff.environments)
            yield Line(f"    {'' if caused.alike else 'in '}{where}")


def _bundles(kind: str, causes: Sequence[Cause], ids: Sequence[str], diff: Diff, whole: bool) -> Iterator[Line]:
    agents = by_agent(ids, diff.environments).items()
    told = [f"{agent} in {', '.join(environments)}" for agent, environments in agents]
    yield from (_signed(kind, line) for line in (told if whole else some(told, _MOST_AGENTS, "agents")))
    yield from (Line(f"    {place}") for place in places(causes))


def _secrets_file(file: SecretsFileChange) -> Iterator[Line]:
    yield _signed(file.kind, file.path)
    yield from (Line(f"    {phrase(note)}") for note in secrets_notes(file))


def _finding(one: Finding) -> Line:
    return Line(f"{one.diagnostic.span}: {one.severity} {one.diagnostic.code}: {one.diagnostic.message}")
