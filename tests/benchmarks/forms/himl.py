"""himl's form: it merges the files on the path to a leaf, so each layer is above every leaf that uses it."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.forms.text import write_yaml
from tests.benchmarks.model import ENVIRONMENTS, Bundle, Size, layer, names


def write_himl(size: Size, root: Path) -> None:
    """Write the tree."""
    _write(root / "organization.yaml", "org", "acme")
    for project in names("p", size.projects):
        project_folder = root / f"project={project}"
        _write(project_folder / "project.yaml", "project", project)
        for name in ENVIRONMENTS[: size.environments]:
            _write_environment(project_folder / f"environment={name}", size, project, name)


def himl_leaf(bundle: Bundle) -> str:
    """Return the folder of a bundle's leaf."""
    project, team, agent, environment = bundle
    return f"project={project}/environment={environment}/team={team}/agent={agent}"


def _write_environment(environment_folder: Path, size: Size, project: str, name: str) -> None:
    _write(environment_folder / "0-base.yaml", "base", "base")
    _write(environment_folder / "1-environment.yaml", "env", name)
    _write(environment_folder / "2-project.yaml", "project_env", project, name)
    for team in names("t", size.teams):
        team_folder = environment_folder / f"team={team}"
        _write(team_folder / "0-team.yaml", "team", project, team)
        _write(team_folder / "1-environment.yaml", "team_env", project, team, name)
        for agent in names("a", size.agents):
            leaf = team_folder / f"agent={agent}"
            _write(leaf / "0-agent.yaml", "agent", project, team, agent)
            _write(leaf / "1-environment.yaml", "agent_env", project, team, agent, name)


def _write(path: Path, kind: str, *owner: str) -> None:
    write_yaml(path, layer(kind, *owner), "{{{{{}}}}}".format)
