"""envtree's form: one file per entity, with the overlays of an agent inside its file."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.encryption import Keys, encrypt_all
from tests.benchmarks.forms.text import write_yaml
from tests.benchmarks.model import (
    ENVIRONMENTS,
    SECRET_EXPRESSIONS,
    SECRET_VARIABLES,
    Bundle,
    Layer,
    Size,
    layer,
    names,
    secrets,
)


def write_envtree(size: Size, root: Path, keys: Keys | None = None) -> None:
    """Write the tree; with keys, every team has secrets, encrypted for them."""
    environments = ENVIRONMENTS[: size.environments]
    # Generated values repeat in many places; reporting that is not part of the measured work.
    disabled_codes = {"ET354": "off", "ET452": "off"}
    organization: Layer = {"name": "acme", "edition": 2026, "default_model": "claude-sonnet-4", "lint": disabled_codes}
    organization |= _people(keys) if keys else {}
    _write(root / "organization.yaml", organization | _execution("org", "acme"))
    _write(root / "environments/base.yaml", {"abstract": True} | _execution("base", "base"))
    for name in environments:
        _write(root / f"environments/{name}.yaml", {"inherits": "base"} | _execution("env", name))
    for project in names("p", size.projects):
        _write_project(root / "projects" / project, size, project)
    if keys:
        _add_secrets(size, root, keys)


def envtree_folder(bundle: Bundle) -> str:
    """Return the folder of a bundle in the output."""
    project, team, agent, environment = bundle
    return f"{environment}/{project}/{team}/{agent}"


def _write_project(folder: Path, size: Size, project: str) -> None:
    environments = ENVIRONMENTS[: size.environments]
    _write(folder / "project.yaml", {"key": project} | _execution("project", project))
    for name in environments:
        _write(folder / f"environments/{name}.yaml", _execution("project_env", project, name))
    for team in names("t", size.teams):
        team_folder = folder / "teams" / team
        _write(team_folder / "team.yaml", _execution("team", project, team))
        for name in environments:
            _write(team_folder / f"environments/{name}.yaml", _execution("team_env", project, team, name))
        for agent in names("a", size.agents):
            path = (project, team, agent)
            overlays = {name: _execution("agent_env", *path, name) for name in environments}
            _write(team_folder / f"agents/{agent}.yaml", _execution("agent", *path) | {"environments": overlays})


def _people(keys: Keys) -> Layer:
    names = [f"person-{number}" for number, _ in enumerate(keys.recipients)]
    people = {name: {"age": recipient} for name, recipient in zip(names, keys.recipients, strict=True)}
    return {"people": people, "owners": names, "secret_readers": names}


def _add_secrets(size: Size, root: Path, keys: Keys) -> None:
    files = []
    for project in names("p", size.projects):
        for team in names("t", size.teams):
            team_folder = f"projects/{project}/teams/{team}"
            team_layer = layer("team", project, team)
            team_layer["env_vars"] |= SECRET_EXPRESSIONS
            _write(
                root / team_folder / "team.yaml", {"execution_environment": team_layer | {"secrets": SECRET_VARIABLES}}
            )
            write_yaml(
                root / team_folder / "team.secrets.yaml", {"_scope": f"{team_folder}/team"} | secrets(project, team)
            )
            files.append(f"{team_folder}/team.secrets.yaml")
    encrypt_all(root, files, keys)


def _execution(kind: str, *path: str) -> Layer:
    return {"execution_environment": layer(kind, *path)}


def _write(path: Path, document: Layer) -> None:
    write_yaml(path, document, "${{{{ {} }}}}".format)
