"""What differs from another tree, in words, for a view of its own: the matrix shows values, and no more than that."""

from collections.abc import Iterable, Sequence
from typing import Any

from envtree.diagnostics.findings import Finding
from envtree.queries.diff.model import Diff, Kind
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
from envtree.report.html.tables import clean

# As many entries as a view is made of; of the rest it tells the number.
_MOST = 300

Entry = dict[str, Any]


def changes_data(diff: Diff) -> dict[str, Any]:
    """A sentence, and the entries by what they are about."""
    bundles = [_bundles(*group, diff) for group in by_cause_of_bundles(diff)]
    rules = [_entry(one.kind, phrase(rule_sentence(one)), [f"{one.path}:{one.line}"]) for one in diff.rules]
    secrets = [_entry(one.kind, one.path, notes=map(phrase, secrets_notes(one))) for one in diff.secrets]
    groups = (
        ("Values, by cause", [_caused(caused, diff) for caused in by_causes(diff)]),
        ("Bundles that are new or gone", bundles),
        ("Secrets files", secrets),
        ("Rules", rules),
        ("Findings that are new", [_finding(one) for one in findings(diff.new)]),
        ("Findings that are gone", [_finding(one) for one in findings(diff.gone)]),
        ("Not compared, for errors in either tree", [_entry("", id) for id in diff.spoiled]),
    )
    return {
        "sentence": clean("; ".join(clauses(diff))),
        "groups": [_group(title, entries) for title, entries in groups if entries],
    }


def _group(title: str, entries: Sequence[Entry]) -> dict[str, Any]:
    return {"title": title, "count": len(entries), "entries": list(entries[:_MOST])}


def _entry(kind: Kind | str, head: str, where: Iterable[str] = (), notes: Iterable[str] = ()) -> Entry:
    """`kind` is what happened to it, empty where that goes without saying; `where` are places."""
    return {"kind": kind, "head": clean(head), "where": [*map(clean, where)], "notes": [*map(clean, notes)]}


def _caused(caused: Caused, diff: Diff) -> Entry:
    told = [f"{name_of(change)}: {phrase(what(change))}" for change in caused.changes]
    where = [f"in {gist(caused.bundles, diff.environments)}"] if caused.alike else []
    if not caused.alike:
        pairs = zip(told, caused.changes, strict=True)
        told = [f"{text}, in {gist(change.bundles, diff.environments)}" for text, change in pairs]
    return _entry("", ", ".join(places(caused.causes)), where, told)


def _bundles(kind: Kind, causes: Sequence[Any], ids: list[str], diff: Diff) -> Entry:
    agents = [f"{agent} in {', '.join(names)}" for agent, names in by_agent(ids, diff.environments).items()]
    first, *others = agents
    return _entry(kind, first, places(causes), others)


def _finding(finding: Finding) -> Entry:
    span, code, message = finding.diagnostic[:3]
    return _entry("", f"{finding.severity} {code}: {message}", [str(span)])
