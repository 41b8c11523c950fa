"""All that the page shows, as JSON data in which no secret stands."""

from typing import Any

from envtree import __version__
from envtree.compile.layer import layer
from envtree.diagnostics.findings import Finding
from envtree.engine.run import Run
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.span import Span
from envtree.queries.diff.model import Cause, Change, Diff, Hidden
from envtree.queries.explain.replay import replayed
from envtree.report.html.bundles import Bundles
from envtree.report.html.changes import changes_data
from envtree.report.html.outline import outline
from envtree.report.html.tables import NONE, Tables, clean


def page_data(run: Run, difference: Diff | None = None) -> dict[str, Any]:
    """The data of a fresh run, which is finished afterwards."""
    tables = Tables()
    bundles = _bundles(run, tables)
    changed = _difference(difference, bundles, tables) if difference else None
    new = {*difference.new} if difference else frozenset()
    findings = [_finding(finding, tables) | {"new": finding in new} for finding in run.outcome().findings]
    return {
        "envtree": "1",
        "version": __version__,
        "all": len(run.ids),
        "tree": outline(run.workspace) if run.workspace else None,
        "bundles": list(bundles.values()),
        "findings": findings,
        "difference": changed,
        "tables": tables.data(),
    }


def _bundles(run: Run, tables: Tables) -> dict[str, dict[str, Any]]:
    """The selected bundles, by id."""
    workspace = run.workspace
    if workspace is None:
        return {}
    bundles = Bundles(workspace, run, tables)
    for stack in layer(workspace, {*run.selected}.__contains__):
        bundles.name(stack)
    for result, steps in replayed(run.results(), workspace.organization):
        bundles.add(result, steps)
    return bundles.known


def _finding(finding: Finding, tables: Tables) -> dict[str, Any]:
    diagnostic = finding.diagnostic
    return {
        **_place(diagnostic.span),
        "code": diagnostic.code,
        "severity": str(finding.severity),
        "message": clean(diagnostic.message),
        "hint": clean(diagnostic.hint),
        "key": clean(diagnostic.key),
        "related": [_place(one.span) | {"message": clean(one.message)} for one in diagnostic.related],
        # Many findings are those of the same bundles.
        "bundles": tables.groups.number(finding.bundles, finding.bundles),
    }


def _place(span: Span) -> dict[str, Any]:
    return {"path": clean(span.path), "line": span.line, "column": span.column}


def _difference(difference: Diff, bundles: dict[str, dict[str, Any]], tables: Tables) -> dict[str, Any]:
    """What differs from another tree; each change is noted with the bundles that show it."""
    for n, change in enumerate(difference.changes):
        row = tables.row(_path(change))
        number = tables.changes.number(n, _change(change, tables))
        for id in change.bundles:
            if id in bundles:
                bundles[id].setdefault("changes", []).append([row, number])
    return {
        "base": clean(difference.base),
        "head": clean(difference.head),
        "added": list(difference.ids("added")),
        "removed": list(difference.ids("removed")),
        "spoiled": list(difference.spoiled),
        "told": changes_data(difference),
    }


def _path(change: Change) -> KeyPath:
    return (change.section, *(parse_path(change.key) if change.key else ()))


def _change(change: Change, tables: Tables) -> dict[str, Any]:
    old, new = ("removed", "changed"), ("added", "changed")
    return {
        "kind": change.kind,
        "old": _value(change.old, change.old_hidden, tables) if change.kind in old else NONE,
        "new": _value(change.new, change.new_hidden, tables) if change.kind in new else NONE,
        "reencrypted": change.reencrypted,
        "causes": [_cause(cause) for cause in change.causes],
    }


def _value(value: Any, hidden: Hidden, tables: Tables) -> int:
    if hidden:
        return tables.hidden("unknown" if hidden == "unknown" else "secret")
    return tables.value(value)


def _cause(cause: Cause) -> dict[str, Any]:
    return {"path": clean(cause.path), "line": cause.line, "action": cause.action}
