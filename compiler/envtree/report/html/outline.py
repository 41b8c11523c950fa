"""The organization in outline, also where its files are broken: names and what hangs below what."""

from typing import Any

from envtree.model.workspace import Environment, Project, Team, Workspace


def organization_outline(workspace: Workspace) -> dict[str, Any]:
    """The organization with its environments, projects, teams and agents."""
    return {
        "name": str(workspace.organization.fields.get("name", "")),
        "environments": [_environment_outline(one) for one in workspace.environments.values()],
        "projects": [_project_outline(project, workspace) for project in workspace.projects],
    }


def _environment_outline(environment: Environment) -> dict[str, Any]:
    return {"name": environment.name, "note": "abstract" if environment.abstract else environment.type}


def _project_outline(project: Project, workspace: Workspace) -> dict[str, Any]:
    own = (one for name, one in project.environments.items() if name not in workspace.environments)
    return {
        "name": project.name,
        "key": str(project.fields.get("key", "")),
        "environments": [_environment_outline(one) for one in own],
        "agents": [name for team in project.teams if not team.name for name in _agent_names(team)],
        "teams": [{"name": team.name, "agents": _agent_names(team)} for team in project.teams if team.name],
    }


def _agent_names(team: Team) -> list[str]:
    return [agent.name for agent in team.agents]
