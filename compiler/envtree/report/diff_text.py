"""A diff for people: the changes, their bundles, and the lines that caused them."""

from collections.abc import Iterator, Sequence

from envtree.diagnostics.findings import Finding
from envtree.queries.diff.diff_model import Cause, Diff, SecretsFileChange
from envtree.report.bundle_summary import list_agents, summarize_bundles
from envtree.report.diff_phrases import (
    CauseGroup,
    cause_locations,
    describe_rule_change,
    group_bundles_by_cause,
    group_by_causes,
    secrets_file_notes,
    sort_findings,
    summary_clauses,
)
from envtree.report.terminal_lines import BOLD, StyledLine, render_lines, truncate_items
from envtree.report.value_changes import join_pieces, plain_change

_SIGNS = {"added": "+", "removed": "-", "changed": "~"}
_STYLES = {"added": "32", "removed": "31", "changed": "33"}
_MAX_AGENTS = 10


def render_diff_text(diff: Diff, *, color: bool, verbose: bool) -> str:
    """Return a diff as text; with `verbose` every bundle is named."""
    blocks = [
        ("", [line for group in group_by_causes(diff) for line in _group_lines(group, diff, verbose)]),
        ("bundles", [line for group in group_bundles_by_cause(diff) for line in _bundle_lines(*group, diff, verbose)]),
        ("secrets files", [line for file in diff.secrets for line in _secrets_file_lines(file)]),
        (
            "the rules changed in this change",
            [
                _signed_line(rule.kind, f"{join_pieces(describe_rule_change(rule))}, {rule.path}:{rule.line}")
                for rule in diff.rules
            ],
        ),
        ("findings that are new", [_finding_line(finding) for finding in sort_findings(diff.new_findings)]),
        ("findings that are gone", [_finding_line(finding) for finding in sort_findings(diff.removed_findings)]),
        ("not compared, for errors in either tree", [StyledLine(f"  {id}") for id in diff.not_compared]),
    ]
    lines: list[StyledLine] = []
    for title, block in blocks:
        if block:
            lines += [*([StyledLine("")] if lines else []), *([StyledLine(title, BOLD)] if title else []), *block]
    return render_lines(lines, color=color)


def diff_summary(diff: Diff) -> str:
    """Return the summary of a diff as one sentence."""
    return "; ".join(summary_clauses(diff))


def _signed_line(kind: str, text: str, indent: str = "") -> StyledLine:
    return StyledLine(f"{indent}{_SIGNS[kind]} {text}", _STYLES[kind])


def _group_lines(group: CauseGroup, diff: Diff, verbose: bool) -> Iterator[StyledLine]:
    yield from (StyledLine(location, BOLD) for location in cause_locations(group.causes))
    for change in group.changes:
        yield _signed_line(change.kind, plain_change(change), "  ")
        if not group.has_same_bundles or change is group.changes[-1]:
            bundles_text = (
                ", ".join(change.bundles) if verbose else summarize_bundles(change.bundles, diff.environments)
            )
            yield StyledLine(f"    {'' if group.has_same_bundles else 'in '}{bundles_text}")


def _bundle_lines(
    kind: str, causes: Sequence[Cause], ids: Sequence[str], diff: Diff, verbose: bool
) -> Iterator[StyledLine]:
    descriptions = list_agents(ids, diff.environments)
    yield from (
        _signed_line(kind, line)
        for line in (descriptions if verbose else truncate_items(descriptions, _MAX_AGENTS, "agents"))
    )
    yield from (StyledLine(f"    {location}") for location in cause_locations(causes))


def _secrets_file_lines(file: SecretsFileChange) -> Iterator[StyledLine]:
    yield _signed_line(file.kind, file.path)
    yield from (StyledLine(f"    {join_pieces(note)}") for note in secrets_file_notes(file))


def _finding_line(finding: Finding) -> StyledLine:
    return StyledLine(
        f"{finding.diagnostic.span}: {finding.severity} {finding.diagnostic.code}: {finding.diagnostic.message}"
    )
