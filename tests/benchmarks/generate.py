"""Write the logical organization of `model.py` as envtree's tree, as himl's, or as expected bundles."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .model import ENVIRONMENTS, SIZES, Bundle, Expression, Layer, Size, layer, names, sample

ENVTREE = "${{{{ env_vars.{} }}}}"
HIML = "{{{{env_vars.{}}}}}"
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_.@-]*")


def write_envtree(size: Size, root: Path) -> None:
    """Our form: one file an entity, the overlays of an agent inside its file."""
    environments = ENVIRONMENTS[: size.environments]
    # The generated values are alike in many places; what envtree would remark about that is no part of its work.
    quiet = {"ET354": "off", "ET452": "off"}
    head: Layer = {"name": "acme", "edition": 2026, "default_model": "claude-sonnet-4", "lint": quiet}
    _write(root / "organization.yaml", head | _execution("org", "acme"), ENVTREE)
    _write(root / "environments/base.yaml", {"abstract": True} | _execution("base", "base"), ENVTREE)
    for name in environments:
        document = {"inherits": "base"} | _execution("env", name)
        _write(root / f"environments/{name}.yaml", document, ENVTREE)
    for project in names("p", size.projects):
        _write_project(root / "projects" / project, size, project)


def _write_project(folder: Path, size: Size, project: str) -> None:
    environments = ENVIRONMENTS[: size.environments]
    _write(folder / "project.yaml", {"key": project} | _execution("project", project), ENVTREE)
    for name in environments:
        document = _execution("project_env", project, name)
        _write(folder / f"environments/{name}.yaml", document, ENVTREE)
    for team in names("t", size.teams):
        home = folder / "teams" / team
        _write(home / "team.yaml", _execution("team", project, team), ENVTREE)
        for name in environments:
            document = _execution("team_env", project, team, name)
            _write(home / f"environments/{name}.yaml", document, ENVTREE)
        for agent in names("a", size.agents):
            path = (project, team, agent)
            overlays = {name: _execution("agent_env", *path, name) for name in environments}
            document = _execution("agent", *path) | {"environments": overlays}
            _write(home / f"agents/{agent}.yaml", document, ENVTREE)


def _execution(kind: str, *path: str) -> Layer:
    return {"execution_environment": layer(kind, *path)}


def write_himl(size: Size, root: Path) -> None:
    """himl's form: it merges the files on the way to a leaf, so each layer lies above every leaf it serves."""
    _write(root / "organization.yaml", layer("org", "acme"), HIML)
    for project in names("p", size.projects):
        home = root / f"project={project}"
        _write(home / "project.yaml", layer("project", project), HIML)
        for name in ENVIRONMENTS[: size.environments]:
            _write_himl_environment(home / f"environment={name}", size, project, name)


def _write_himl_environment(home: Path, size: Size, project: str, name: str) -> None:
    _write(home / "0-base.yaml", layer("base", "base"), HIML)
    _write(home / "1-environment.yaml", layer("env", name), HIML)
    _write(home / "2-project.yaml", layer("project_env", project, name), HIML)
    for team in names("t", size.teams):
        folder = home / f"team={team}"
        _write(folder / "0-team.yaml", layer("team", project, team), HIML)
        _write(folder / "1-environment.yaml", layer("team_env", project, team, name), HIML)
        for agent in names("a", size.agents):
            leaf = folder / f"agent={agent}"
            _write(leaf / "0-agent.yaml", layer("agent", project, team, agent), HIML)
            _write(leaf / "1-environment.yaml", layer("agent_env", project, team, agent, name), HIML)


def himl_leaf(bundle: Bundle) -> str:
    """Where a bundle's leaf folder is in himl's form."""
    project, team, agent, environment = bundle
    return f"project={project}/environment={environment}/team={team}/agent={agent}"


def envtree_folder(bundle: Bundle) -> str:
    """Where a bundle is in envtree's output."""
    project, team, agent, environment = bundle
    return f"{environment}/{project}/{team}/{agent}"


def write_expected(size: Size, root: Path) -> None:
    """A sample of bundles as they must come out, by their folder in envtree's output."""
    root.mkdir(parents=True, exist_ok=True)
    expected = {envtree_folder(bundle): bundle.expected() for bundle in sample(size)}
    (root / "expected.json").write_text(json.dumps(expected, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _write(path: Path, document: Layer, reference: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(_lines(document, reference, "")) + "\n", encoding="utf-8")


def _lines(value: Layer, reference: str, indent: str) -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{key}:"
            yield from _lines(item, reference, indent + "  ")
        elif isinstance(item, list):
            yield f"{indent}{key}:"
            yield from (f"{indent}  - {_scalar(each, reference)}" for each in item)
        else:
            yield f"{indent}{key}: {_scalar(item, reference)}"


def _scalar(value: Any, reference: str) -> str:
    if isinstance(value, Expression):
        return f'"{value.text(reference.format)}"'
    return value if isinstance(value, str) and PLAIN.fullmatch(value) else json.dumps(value)


FORMS = {"envtree": write_envtree, "himl": write_himl, "expected": write_expected}


def main() -> None:
    """Write one form of one size into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", choices=SIZES, default="S")
    parser.add_argument("--form", choices=FORMS, default="envtree")
    options = parser.parse_args()
    FORMS[options.form](SIZES[options.size], options.folder)


if __name__ == "__main__":
    main()
