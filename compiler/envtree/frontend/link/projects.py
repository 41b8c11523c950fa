"""Projects, their teams and agents, with the environments each of them is compiled for."""

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
    """One project; `environments` are all that it can see."""
    document = resources.document(Kind.PROJECT, "", name)
    targets = narrow_targets(document, default_targets(environments), environments, f"project '{name}'", diags)
    teams = [_link_team(team, name, resources, environments, targets, diags) for team in ("", *resources.teams(name))]
    key = (get_text(get_field(document, "key")) or "default").upper()
    return Project(
        name,
        document,
        environments,
        targets.names,
        file_overlays(resources, environments, targets, name, "", diags),
        tuple(team for team in teams if team.name or team.agents),
        tuple(resources.documents(Kind.WORKFLOW, name)),
        read_contracts(document, diags),
        scalar_fields(document, name=name, key=key),
        resources.secrets_file(Kind.PROJECT, "", name),
    )


def check_project_keys(projects: Iterable[Project], diags: Diagnostics) -> None:
    """Report every project whose key an earlier one has: the control plane knows projects by their keys."""
    first: dict[str, Span] = {}
    for project in projects:
        declared = get_field(project.document, "key")
        if project.document is None or declared is None:
            continue
        key, place = project.fields["key"], project.document.span(declared)
        if first.setdefault(key, place) != place:
            message = f"project '{project.name}' has the key '{key}' of another project"
            related = (RelatedSpan(first[key], "the other project"),)
            diags.add(Diagnostic(place, "ET307", message, "give each project a key of its own", related, "key"))


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
        name,
        document,
        targets.names,
        file_overlays(resources, environments, targets, project, name, diags) if name else {},
        tuple(_link_agent(document, resources, environments, targets, diags) for document in agents.values()),
        read_contracts(document, diags),
        scalar_fields(document, name=name) if name else None,
        resources.secrets_file(Kind.TEAM, "", project, name) if name else None,
    )


def _link_agent(
    document: Document, resources: Resources, environments: Environments, parent_targets: Targets, diags: Diagnostics
) -> Agent:
    _, project, team, name = document.location[:4]
    targets = narrow_targets(document, parent_targets, environments, f"agent '{name}'", diags)
    return Agent(
        name,
        document,
        targets.names,
        agent_overlays(document, resources, environments, targets, diags),
        scalar_fields(document, name=name),
        resources.secrets_file(Kind.AGENT, name, project, team),
    )
