"""Link projects, teams and agents, with the environments that each is compiled for."""

from collections.abc import Iterable

from envtree.frontend.link.organization import read_contracts
from envtree.frontend.link.overlays import Environments, agent_overlays, file_overlays
from envtree.frontend.link.target_environments import Targets, default_targets, narrow_targets
from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import get_field, get_text, scalar_fields
from envtree.model.nodes import Document
from envtree.model.resource import Resources
from envtree.model.source import Kind
from envtree.model.span import Span
from envtree.model.workspace import Agent, Project, Team


def link_project(name: str, resources: Resources, environments: Environments, diags: Diagnostics) -> Project:
    """Link one project; `environments` are all that are visible to it."""
    document = resources.document(Kind.PROJECT, "", name)
    targets = narrow_targets(document, default_targets(environments), environments, f"project '{name}'", diags)
    teams = [_link_team(team, name, resources, environments, targets, diags) for team in ("", *resources.teams(name))]
    key = (get_text(get_field(document, "key")) or "default").upper()
    return Project(
        name=name,
        document=document,
        environments=environments,
        targets=targets.names,
        overlays=file_overlays(resources, environments, targets, name, "", diags),
        teams=tuple(team for team in teams if team.name or team.agents),
        workflows=tuple(resources.documents(Kind.WORKFLOW, name)),
        contracts=read_contracts(document, diags),
        fields=scalar_fields(document, name=name, key=key),
        secrets=resources.secrets_file(Kind.PROJECT, "", name),
    )


def check_project_keys(projects: Iterable[Project], diags: Diagnostics) -> None:
    """Report every project with the key of an earlier one, because the control plane identifies projects by key."""
    first_spans: dict[str, Span] = {}
    for project in projects:
        declared = get_field(project.document, "key")
        if project.document is None or declared is None:
            continue
        key, span = project.fields["key"], project.document.span(declared)
        if first_spans.setdefault(key, span) != span:
            message = f"project '{project.name}' has the key '{key}' of another project"
            related = (RelatedSpan(first_spans[key], "the other project"),)
            diags.add(
                Diagnostic(span, "ET307", message, "give each project a key of its own", related=related, key="key")
            )


def _link_team(
    name: str,
    project: str,
    resources: Resources,
    environments: Environments,
    parent_targets: Targets,
    diags: Diagnostics,
) -> Team:
    document = resources.document(Kind.TEAM, "", project, name) if name else None
    targets = narrow_targets(document, parent_targets, environments, f"team '{project}/{name}'", diags)
    agents = resources.documents(Kind.AGENT, project, name)
    return Team(
        name=name,
        document=document,
        targets=targets.names,
        overlays=file_overlays(resources, environments, targets, project, name, diags) if name else {},
        agents=tuple(_link_agent(document, resources, environments, targets, diags) for document in agents.values()),
        contracts=read_contracts(document, diags),
        fields=scalar_fields(document, name=name) if name else None,
        secrets=resources.secrets_file(Kind.TEAM, "", project, name) if name else None,
    )


def _link_agent(
    document: Document, resources: Resources, environments: Environments, parent_targets: Targets, diags: Diagnostics
) -> Agent:
    _, project, team, name = document.location[:4]
    targets = narrow_targets(document, parent_targets, environments, f"agent '{name}'", diags)
    return Agent(
        name=name,
        document=document,
        targets=targets.names,
        overlays=agent_overlays(document, resources, environments, targets, diags),
        fields=scalar_fields(document, name=name),
        secrets=resources.secrets_file(Kind.AGENT, name, project, team),
    )
