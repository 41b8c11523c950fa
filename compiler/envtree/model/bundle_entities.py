"""The organization, project, environment, team and agent of a bundle, and the contracts of its team."""

from typing import NamedTuple

from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.model.workspace import Agent, Contract, Environment, Fields, Organization, Project, Team, Workspace


class BundleEntities(NamedTuple):
    """The entities of a bundle, named as in expressions; None for an entity that is not in the tree."""

    organization: Organization | None = None
    project: Project | None = None
    environment: Environment | None = None
    team: Team | None = None
    agent: Agent | None = None

    @property
    def documents(self) -> dict[str, Document]:
        """Their documents by entity name; an implicit project and the empty team have none."""
        return {name: entity.document for name, entity in self._asdict().items() if entity and entity.document}

    @property
    def fields(self) -> dict[str, Fields | None]:
        """Their scalar fields by entity name."""
        return {name: entity and entity.fields for name, entity in self._asdict().items()}


class EntityIndex:
    """The entities of a tree, indexed by bundle; empty without a workspace."""

    def __init__(self, workspace: Workspace | None) -> None:
        self._workspace = workspace
        projects = workspace.projects if workspace else ()
        self._projects = {project.name: project for project in projects}
        self._teams = {(project.name, team.name): team for project in projects for team in project.teams}
        self._agents = {(*names, agent.name): agent for names, team in self._teams.items() for agent in team.agents}

    def entities_of(self, target: Target) -> BundleEntities:
        """Return the entities of a bundle, which need not exist in the tree."""
        if self._workspace is None:
            return BundleEntities()
        project = self._projects.get(target.project)
        return BundleEntities(
            organization=self._workspace.organization,
            project=project,
            environment=(project or self._workspace).environments.get(target.environment),
            team=self._teams.get((target.project, target.team)),
            agent=self._agents.get((target.project, target.team, target.agent)),
        )


def contracts_by_team(workspace: Workspace) -> dict[tuple[str, str], dict[str, Contract]]:
    """Return the contracts that apply in each team, by project and team; the innermost declaration of a name wins."""
    return {
        (project.name, team.name): {**workspace.organization.contracts, **project.contracts, **team.contracts}
        for project in workspace.projects
        for team in project.teams
    }
