"""The facts that expressions may read beside values: the entities of a bundle, and the declared inputs."""

from collections.abc import Mapping
from typing import Any

from envtree.stack import Target
from envtree.workspace import Fields, Workspace

Facts = Mapping[str, Fields | None]


class Scope:
    """The scalar fields of every entity, found by target."""

    def __init__(self, workspace: Workspace, inputs: Mapping[str, Any]) -> None:
        self.inputs = inputs
        self._organization = workspace.organization.fields
        self._projects = {project.name: project for project in workspace.projects}
        self._teams = {(p.name, t.name): t.fields for p in workspace.projects for t in p.teams}
        self._agents = {
            (p.name, t.name, a.name): a.fields for p in workspace.projects for t in p.teams for a in t.agents
        }

    def facts(self, target: Target) -> Facts:
        """What `organization.…`, `project.…`, `environment.…`, `team.…`, `agent.…` and `inputs.…` mean in a bundle."""
        project = self._projects[target.project]
        return {
            "organization": self._organization,
            "project": project.fields,
            "environment": project.environments[target.environment].fields,
            "team": self._teams[target.project, target.team] if target.team else None,
            "agent": self._agents[target.project, target.team, target.agent],
            "inputs": self.inputs,
        }
