"""Our form: one file an entity, the overlays of an agent inside its file."""

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
    # The generated values are alike in many places; what envtree would remark about that is no part of its work.
    quiet = {"ET354": "off", "ET452": "off"}
    head: Layer = {"name": "acme", "edition": 2026, "default_model": "claude-sonnet-4", "lint": quiet}
    head |= _people(keys) if keys else {}
    _write(root / "organization.yaml", head | _execution("org", "acme"))
    _write(root / "environments/base.yaml", {"abstract": True} | _execution("base", "base"))
    for name in environments:
        _write(root / f"environments/{name}.yaml", {"inherits": "base"} | _execution("env", name))
    for project in names("p", size.projects):
        _write_project(root / "projects" / project, size, project)
    if keys:
        _add_secrets(size, root, keys)


def envtree_folder(bundle: Bundle) -> str:
    """Where a bundle is in the output."""
    project, team, agent, environment = bundle
    return f"{environment}/{project}/{team}/{agent}"


def _write_project(folder: Path, size: Size, project: str) -> None:
    environments = ENVIRONMENTS[: size.environments]
    _write(folder / "project.yaml", {"key": project} | _execution("project", project))
    for name in environments:
        _write(folder / f"environments/{name}.yaml", _execution("project_env", project, name))
    for team in names("t", size.teams):
        home = folder / "teams" / team
        _write(home / "team.yaml", _execution("team", project, team))
        for name in environments:
            _write(home / f"environments/{name}.yaml", _execution("team_env", project, team, name))
        for agent in names("a", size.agents):
            path = (project, team, agent)
            overlays = {name: _execution("agent_env", *path, name) for name in environments}
            _write(home / f"agents/{agent}.yaml", _execution("agent", *path) | {"environments": overlays})


def _people(keys: Keys) -> Layer:
    names = [f"person-{number}" for number, _ in enumerate(keys.recipients)]
    people = {name: {"age": recipient} for name, recipient in zip(names, keys.recipients, strict=True)}
    return {"people": people, "owners": names, "secret_readers": names}


def _add_secrets(size: Size, root: Path, keys: Keys) -> None:
    files = []
    for project in names("p", size.projects):
        for team in names("t", size.teams):
            home = f"projects/{project}/teams/{team}"
            own = layer("team", project, team)
            own["env_vars"] |= SECRET_EXPRESSIONS
            _write(root / home / "team.yaml", {"execution_environment": own | {"secrets": SECRET_VARIABLES}})
            write_yaml(root / home / "team.secrets.yaml", {"_scope": f"{home}/team"} | secrets(project, team))
            files.append(f"{home}/team.secrets.yaml")
    encrypt_all(root, files, keys)


def _execution(kind: str, *path: str) -> Layer:
    return {"execution_environment": layer(kind, *path)}


def _write(path: Path, document: Layer) -> None:
    write_yaml(path, document, "${{{{ {} }}}}".format)
