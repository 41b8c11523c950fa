"""Link projects, teams and agents, with the environments that each is compiled for."""

from collections.abc import Iterable

from envtree.frontend.link.mixins import MixinUses
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


def link_project(
    name: str, resources: Resources, environments: Environments, uses: MixinUses, diags: Diagnostics
) -> Project:
    """Link one project; `environments` are all that are visible to it."""
    document = resources.document(Kind.PROJECT, "", name)
    targets = narrow_targets(document, default_targets(environments), environments, f"project '{name}'", diags)
    linker = _TeamLinker(name, resources, environments, uses, diags)
    teams = [linker.link_team(team, targets) for team in ("", *resources.teams(name))]
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
        mixins=uses.find(document, f"project '{name}'", diags),
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


class _TeamLinker:
    """Links the teams of a project, and their agents."""

    def __init__(
        self, project: str, resources: Resources, environments: Environments, uses: MixinUses, diags: Diagnostics
    ) -> None:
        self._project, self._resources, self._environments = project, resources, environments
        self._uses, self._diags = uses, diags

    def link_team(self, name: str, parent_targets: Targets) -> Team:
        """Link a team; the one with an empty name has the agents without a team."""
        project, resources, environments, diags = self._project, self._resources, self._environments, self._diags
        document = resources.document(Kind.TEAM, "", project, name) if name else None
        owner = f"team '{project}/{name}'"
        targets = narrow_targets(document, parent_targets, environments, owner, diags)
        agents = resources.documents(Kind.AGENT, project, name)
        return Team(
            name=name,
            document=document,
            targets=targets.names,
            overlays=file_overlays(resources, environments, targets, project, name, diags) if name else {},
            agents=tuple(self._link_agent(document, targets) for document in agents.values()),
            contracts=read_contracts(document, diags),
            fields=scalar_fields(document, name=name) if name else None,
            secrets=resources.secrets_file(Kind.TEAM, "", project, name) if name else None,
            mixins=self._uses.find(document, owner, diags),
        )

    def _link_agent(self, document: Document, parent_targets: Targets) -> Agent:
        _, project, team, name = document.location[:4]
        owner = f"agent '{name}'"
        targets = narrow_targets(document, parent_targets, self._environments, owner, self._diags)
        return Agent(
            name=name,
            document=document,
            targets=targets.names,
            overlays=agent_overlays(document, self._resources, self._environments, targets, self._diags),
            fields=scalar_fields(document, name=name),
            secrets=self._resources.secrets_file(Kind.AGENT, name, project, team),
            mixins=self._uses.find(document, owner, self._diags),
        )
