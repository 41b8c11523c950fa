"""What differs from another tree, in words, for a view of its own: the matrix shows values, and no more than that."""

from collections.abc import Iterable, Sequence
from typing import Any

from envtree.diagnostics.findings import Finding
from envtree.queries.diff.diff_model import ChangeKind, Diff
from envtree.report.bundle_summary import environments_by_agent, summarize_bundles
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
from envtree.report.value_changes import change_name, describe_value_change, join_pieces

# As many entries as a view is made of; of the rest it tells the number.
_MAX_ENTRIES = 300

DiffEntry = dict[str, Any]


def diff_to_page_data(diff: Diff) -> dict[str, Any]:
    """A sentence, and the entries by what they are about."""
    bundles = [_bundle_group_entry(*group, diff) for group in group_bundles_by_cause(diff)]
    rules = [
        _diff_entry(one.kind, join_pieces(describe_rule_change(one)), [f"{one.path}:{one.line}"]) for one in diff.rules
    ]
    secrets = [_diff_entry(one.kind, one.path, notes=map(join_pieces, secrets_file_notes(one))) for one in diff.secrets]
    groups = (
        ("Values, by cause", [_change_group_entry(caused, diff) for caused in group_by_causes(diff)]),
        ("Bundles that are new or gone", bundles),
        ("Secrets files", secrets),
        ("Rules", rules),
        ("Findings that are new", [_finding_entry(one) for one in sort_findings(diff.new_findings)]),
        ("Findings that are gone", [_finding_entry(one) for one in sort_findings(diff.removed_findings)]),
        ("Not compared, for errors in either tree", [_diff_entry("", id) for id in diff.not_compared]),
    )
    return {
        "sentence": replace_surrogates("; ".join(summary_clauses(diff))),
        "groups": [_entry_group(title, entries) for title, entries in groups if entries],
    }


def _entry_group(title: str, entries: Sequence[DiffEntry]) -> dict[str, Any]:
    return {"title": title, "count": len(entries), "entries": list(entries[:_MAX_ENTRIES])}


def _diff_entry(kind: ChangeKind | str, head: str, where: Iterable[str] = (), notes: Iterable[str] = ()) -> DiffEntry:
    """`kind` is what happened to it, empty where that goes without saying; `where` are places."""
    return {
        "kind": kind,
        "head": replace_surrogates(head),
        "where": [*map(replace_surrogates, where)],
        "notes": [*map(replace_surrogates, notes)],
    }


def _change_group_entry(group: CauseGroup, diff: Diff) -> DiffEntry:
    told = [f"{change_name(change)}: {join_pieces(describe_value_change(change))}" for change in group.changes]
    where = [f"in {summarize_bundles(group.bundles, diff.environments)}"] if group.has_same_bundles else []
    if not group.has_same_bundles:
        pairs = zip(told, group.changes, strict=True)
        told = [f"{text}, in {summarize_bundles(change.bundles, diff.environments)}" for text, change in pairs]
    return _diff_entry("", ", ".join(cause_locations(group.causes)), where, told)


def _bundle_group_entry(kind: ChangeKind, causes: Sequence[Any], ids: list[str], diff: Diff) -> DiffEntry:
    agents = [
        f"{agent} in {', '.join(names)}" for agent, names in environments_by_agent(ids, diff.environments).items()
    ]
    first, *others = agents
    return _diff_entry(kind, first, cause_locations(causes), others)


def _finding_entry(finding: Finding) -> DiffEntry:
    span, code, message = finding.diagnostic[:3]
    return _diff_entry("", f"{finding.severity} {code}: {message}", [str(span)])
