"""The organization in outline, also where its files are broken: names and what hangs below what."""

from typing import Any

from envtree.model.workspace import Environment, Project, Team, Workspace


def outline(workspace: Workspace) -> dict[str, Any]:
    """The organization with its environments, projects, teams and agents."""
    return {
        "name": str(workspace.organization.fields.get("name", "")),
        "environments": [_environment(one) for one in workspace.environments.values()],
        "projects": [_project(project, workspace) for project in workspace.projects],
    }


def _environment(environment: Environment) -> dict[str, Any]:
    return {"name": environment.name, "note": "abstract" if environment.abstract else environment.type}


def _project(project: Project, workspace: Workspace) -> dict[str, Any]:
    own = (one for name, one in project.environments.items() if name not in workspace.environments)
    return {
        "name": project.name,
        "key": str(project.fields.get("key", "")),
        "environments": [_environment(one) for one in own],
        "agents": [name for team in project.teams if not team.name for name in _agents(team)],
        "teams": [{"name": team.name, "agents": _agents(team)} for team in project.teams if team.name],
    }


def _agents(team: Team) -> list[str]:
    return [agent.name for agent in team.agents]
