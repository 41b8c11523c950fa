"""The files that a bundle is about: those of its agent, environment, team and project, and the organization's."""

from typing import NamedTuple

from envtree.node import Document
from envtree.workspace import Agent, Environment, Fields, Project, Team, Workspace


class Entities(NamedTuple):
    """Those of a bundle that a tree has."""

    agent: Agent | None = None
    environment: Environment | None = None
    team: Team | None = None
    project: Project | None = None

    @property
    def documents(self) -> tuple[Document | None, ...]:
        """Their files, in the same order."""
        return tuple(one.document if one else None for one in self)

    def named(self, kind: str) -> tuple[Document | None, Fields]:
        """The file and the scalar fields of one of them."""
        one = getattr(self, kind)
        return (one.document, one.fields or {}) if one else (None, {})


def entities(workspace: Workspace | None, id: str) -> Entities:
    """The entities of a bundle in a tree, whether that has the bundle or not."""
    place, _, environment = id.partition("@")
    name, *team_name, agent_name = place.split("/")
    if workspace is None:
        return Entities()
    project = next((one for one in workspace.projects if one.name == name), None)
    if project is None:
        return Entities(environment=workspace.environments.get(environment))
    team = next((one for one in project.teams if one.name == "".join(team_name)), None)
    agent = next((one for one in team.agents if one.name == agent_name), None) if team else None
    return Entities(agent, project.environments.get(environment), team, project)
