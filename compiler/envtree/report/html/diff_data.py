"""The differences from another tree in words, for a view of its own: the matrix only shows values."""

from collections.abc import Iterable, Sequence
from typing import Any

from envtree.diagnostics.findings import Finding
from envtree.queries.diff.diff_model import ChangeKind, Diff
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
from envtree.report.html.tables import replace_surrogates
from envtree.report.value_changes import join_pieces, plain_change

# The most entries of a group; the page shows the number of the others.
_MAX_ENTRIES = 300

DiffEntry = dict[str, Any]


def diff_to_page_data(diff: Diff) -> dict[str, Any]:
    """Return the summary of a diff, and its entries in groups."""
    bundles = [_bundle_group_entry(*group, diff) for group in group_bundles_by_cause(diff)]
    rules = [
        _diff_entry(rule.kind, join_pieces(describe_rule_change(rule)), [f"{rule.path}:{rule.line}"])
        for rule in diff.rules
    ]
    secrets = [
        _diff_entry(file.kind, file.path, notes=map(join_pieces, secrets_file_notes(file))) for file in diff.secrets
    ]
    groups = (
        ("Values, by cause", [_change_group_entry(group, diff) for group in group_by_causes(diff)]),
        ("Bundles that are new or gone", bundles),
        ("Secrets files", secrets),
        ("Rules", rules),
        ("Findings that are new", [_finding_entry(finding) for finding in sort_findings(diff.new_findings)]),
        ("Findings that are gone", [_finding_entry(finding) for finding in sort_findings(diff.removed_findings)]),
        ("Not compared, for errors in either tree", [_diff_entry("", id) for id in diff.not_compared]),
    )
    return {
        "sentence": replace_surrogates("; ".join(summary_clauses(diff))),
        "groups": [_entry_group(title, entries) for title, entries in groups if entries],
    }


def _entry_group(title: str, entries: Sequence[DiffEntry]) -> dict[str, Any]:
    return {"title": title, "count": len(entries), "entries": list(entries[:_MAX_ENTRIES])}


def _diff_entry(
    kind: ChangeKind | str, head: str, locations: Iterable[str] = (), notes: Iterable[str] = ()
) -> DiffEntry:
    """Return an entry; `kind` is the kind of change, empty if it is evident, and `locations` are its places."""
    return {
        "kind": kind,
        "head": replace_surrogates(head),
        "where": [*map(replace_surrogates, locations)],
        "notes": [*map(replace_surrogates, notes)],
    }


def _change_group_entry(group: CauseGroup, diff: Diff) -> DiffEntry:
    descriptions = [plain_change(change) for change in group.changes]
    locations = [f"in {summarize_bundles(group.bundles, diff.environments)}"] if group.has_same_bundles else []
    if not group.has_same_bundles:
        pairs = zip(descriptions, group.changes, strict=True)
        descriptions = [f"{text}, in {summarize_bundles(change.bundles, diff.environments)}" for text, change in pairs]
    return _diff_entry("", ", ".join(cause_locations(group.causes)), locations, descriptions)


def _bundle_group_entry(kind: ChangeKind, causes: Sequence[Any], ids: list[str], diff: Diff) -> DiffEntry:
    first, *rest = list_agents(ids, diff.environments)
    return _diff_entry(kind, first, cause_locations(causes), rest)


def _finding_entry(finding: Finding) -> DiffEntry:
    span, code, message = finding.diagnostic[:3]
    return _diff_entry("", f"{finding.severity} {code}: {message}", [str(span)])
