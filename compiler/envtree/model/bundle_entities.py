"""What a bundle is of: its entities, and what these declare together."""

from typing import NamedTuple

from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.model.workspace import Agent, Contract, Environment, Fields, Organization, Project, Team, Workspace


class BundleEntities(NamedTuple):
    """The entities of a bundle, by the names that expressions have for them; None for what the tree does not have."""

    organization: Organization | None = None
    project: Project | None = None
    environment: Environment | None = None
    team: Team | None = None
    agent: Agent | None = None

    @property
    def documents(self) -> dict[str, Document]:
        """Their files; an implicit project, and no team, have none."""
        return {name: one.document for name, one in self._asdict().items() if one and one.document}

    @property
    def fields(self) -> dict[str, Fields | None]:
        """Their scalar fields."""
        return {name: one and one.fields for name, one in self._asdict().items()}


class EntityIndex:
    """The entities of a tree, found by bundle; that of no tree is empty."""

    def __init__(self, workspace: Workspace | None) -> None:
        self._workspace = workspace
        projects = workspace.projects if workspace else ()
        self._projects = {project.name: project for project in projects}
        self._teams = {(project.name, team.name): team for project in projects for team in project.teams}
        self._agents = {(*names, agent.name): agent for names, team in self._teams.items() for agent in team.agents}

    def entities_of(self, target: Target) -> BundleEntities:
        """The entities of a bundle, whether the tree has the bundle or not."""
        if self._workspace is None:
            return BundleEntities()
        project, team, agent, environment = target
        found = self._projects.get(project)
        return BundleEntities(
            self._workspace.organization,
            found,
            (found or self._workspace).environments.get(environment),
            self._teams.get((project, team)),
            self._agents.get((project, team, agent)),
        )


def contracts_by_team(workspace: Workspace) -> dict[tuple[str, str], dict[str, Contract]]:
    """The contracts that hold in each team, by project and team; the later declaration of a name wins whole."""
    return {
        (project.name, team.name): {**workspace.organization.contracts, **project.contracts, **team.contracts}
        for project in workspace.projects
        for team in project.teams
    }
