"""The data of the page as JSON, which contains no secret."""

from typing import Any

from envtree import __version__
from envtree.compile.layer import layer
from envtree.diagnostics.findings import Finding
from envtree.engine.run import Run
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.span import Span
from envtree.model.workspace import Environment, Project, Team, Workspace
from envtree.queries.diff.diff_model import Cause, Diff, HiddenReason, ValueChange
from envtree.queries.explain.merge_replay import replay_merges
from envtree.report.html.bundle_table import BundleTable
from envtree.report.html.diff_data import diff_to_page_data
from envtree.report.html.tables import NO_ENTRY, Tables, replace_surrogates


def organization_outline(workspace: Workspace) -> dict[str, Any]:
    """Return the organization with its environments, projects, teams and agents."""
    return {
        "name": str(workspace.organization.fields.get("name", "")),
        "environments": [_environment_outline(environment) for environment in workspace.environments.values()],
        "projects": [_project_outline(project, workspace) for project in workspace.projects],
    }


def _environment_outline(environment: Environment) -> dict[str, Any]:
    return {"name": environment.name, "note": "abstract" if environment.abstract else environment.type}


def _project_outline(project: Project, workspace: Workspace) -> dict[str, Any]:
    environments = (
        environment for name, environment in project.environments.items() if name not in workspace.environments
    )
    return {
        "name": project.name,
        "key": str(project.fields.get("key", "")),
        "environments": [_environment_outline(environment) for environment in environments],
        "agents": [name for team in project.teams if not team.name for name in _agent_names(team)],
        "teams": [{"name": team.name, "agents": _agent_names(team)} for team in project.teams if team.name],
    }


def _agent_names(team: Team) -> list[str]:
    return [agent.name for agent in team.agents]


def build_page_data(run: Run, difference: Diff | None = None) -> dict[str, Any]:
    """Return the data of a fresh run, which is finished afterwards."""
    tables = Tables()
    bundles = _bundle_entries(run, tables)
    difference_data = _difference_data(difference, bundles, tables) if difference else None
    new_findings = {*difference.new_findings} if difference else frozenset()
    findings = [_finding_data(finding, tables) | {"new": finding in new_findings} for finding in run.outcome().findings]
    return {
        "envtree": "1",
        "version": __version__,
        "all": len(run.ids),
        "tree": organization_outline(run.workspace) if run.workspace else None,
        "bundles": list(bundles.values()),
        "findings": findings,
        "difference": difference_data,
        "tables": tables.to_json(),
    }


def _bundle_entries(run: Run, tables: Tables) -> dict[str, dict[str, Any]]:
    """Return the selected bundles, by id."""
    workspace = run.workspace
    if workspace is None:
        return {}
    bundles = BundleTable(workspace, run, tables)
    for stack in layer(workspace, {*run.selected}.__contains__):
        bundles.add_stack(stack)
    for result, steps in replay_merges(run.results(), workspace.organization):
        bundles.add_result(result, steps)
    return bundles.entries


def _finding_data(finding: Finding, tables: Tables) -> dict[str, Any]:
    diagnostic = finding.diagnostic
    return {
        **_span_data(diagnostic.span),
        "code": diagnostic.code,
        "severity": str(finding.severity),
        "message": replace_surrogates(diagnostic.message),
        "hint": replace_surrogates(diagnostic.hint),
        "key": replace_surrogates(diagnostic.key),
        "related": [
            _span_data(related.span) | {"message": replace_surrogates(related.message)}
            for related in diagnostic.related
        ],
        # Many findings share their list of bundles.
        "bundles": tables.groups.intern(finding.bundles, finding.bundles),
    }


def _span_data(span: Span) -> dict[str, Any]:
    return {"path": replace_surrogates(span.path), "line": span.line, "column": span.column}


def _difference_data(difference: Diff, bundles: dict[str, dict[str, Any]], tables: Tables) -> dict[str, Any]:
    """Return the differences from another tree, and add each change to the bundles that show it."""
    for index, change in enumerate(difference.changes):
        row = tables.row(_change_path(change))
        change_number = tables.changes.intern(index, _change_data(change, tables))
        for id in change.bundles:
            if id in bundles:
                bundles[id].setdefault("changes", []).append([row, change_number])
    return {
        "base": replace_surrogates(difference.base),
        "head": replace_surrogates(difference.head),
        "added": list(difference.bundle_ids("added")),
        "removed": list(difference.bundle_ids("removed")),
        "spoiled": list(difference.not_compared),
        "told": diff_to_page_data(difference),
    }


def _change_path(change: ValueChange) -> KeyPath:
    return (change.section, *(parse_path(change.key) if change.key else ()))


def _change_data(change: ValueChange, tables: Tables) -> dict[str, Any]:
    old_kinds, new_kinds = ("removed", "changed"), ("added", "changed")
    return {
        "kind": change.kind,
        "old": _value_number(change.old, change.old_hidden, tables) if change.kind in old_kinds else NO_ENTRY,
        "new": _value_number(change.new, change.new_hidden, tables) if change.kind in new_kinds else NO_ENTRY,
        "reencrypted": change.reencrypted,
        "causes": [_cause_data(cause) for cause in change.causes],
    }


def _value_number(value: Any, hidden: HiddenReason, tables: Tables) -> int:
    if hidden:
        return tables.hidden("unknown" if hidden == "unknown" else "secret")
    return tables.value(value)


def _cause_data(cause: Cause) -> dict[str, Any]:
    return {"path": replace_surrogates(cause.path), "line": cause.line, "action": cause.action}
