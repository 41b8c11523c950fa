"""jsonnet's form: an object per layer, a bundle as their sum, and one file per project with all of its bundles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.benchmarks.forms.text import write_text
from tests.benchmarks.model import ENVIRONMENTS, Bundle, Expression, Layer, Size, layer, names


def write_jsonnet(size: Size, root: Path) -> None:
    """Write the objects."""
    _write(root / "organization.libsonnet", layer("org", "acme"))
    _write(root / "environments/base.libsonnet", layer("base", "base"))
    for name in ENVIRONMENTS[: size.environments]:
        _write(root / f"environments/{name}.libsonnet", layer("env", name), ["base.libsonnet"])
    for project in names("p", size.projects):
        _write_project(root / project, size, project)


def jsonnet_key(bundle: Bundle) -> str:
    """Return the folder of a bundle's project, and its key in the evaluated file, joined by `/`."""
    return "/".join(bundle)


def _write_project(folder: Path, size: Size, project: str) -> None:
    environments = ENVIRONMENTS[: size.environments]
    keys = []
    _write(folder / "project.libsonnet", layer("project", project))
    for name in environments:
        _write(folder / f"{name}.libsonnet", layer("project_env", project, name))
    for team in names("t", size.teams):
        _write(folder / team / "team.libsonnet", layer("team", project, team))
        for name in environments:
            _write(folder / team / f"{name}.libsonnet", layer("team_env", project, team, name))
        for agent in names("a", size.agents):
            _write(folder / team / f"{agent}.libsonnet", layer("agent", project, team, agent))
            for name in environments:
                _write_bundle(folder / team / f"{agent}-{name}.libsonnet", Bundle(project, team, agent, name))
                keys.append(f"  '{team}/{agent}/{name}': import '{team}/{agent}-{name}.libsonnet',\n")
    write_text(folder / "all.jsonnet", f"{{\n{''.join(keys)}}}\n")


def _write_bundle(path: Path, bundle: Bundle) -> None:
    bases = [
        "../../organization.libsonnet",
        "../project.libsonnet",
        f"../../environments/{bundle.environment}.libsonnet",
        f"../{bundle.environment}.libsonnet",
        "team.libsonnet",
        f"{bundle.environment}.libsonnet",
        f"{bundle.agent}.libsonnet",
    ]
    _write(path, layer("agent_env", *bundle), bases)


def _write(path: Path, own: Layer, bases: list[str] | None = None) -> None:
    imports = "".join(f"(import '{base}') +\n" for base in bases or [])
    write_text(path, f"{imports}{_object(own, '')}\n")


def _object(value: Layer, indent: str) -> str:
    fields = (
        f"{indent}  {key}{'+' if isinstance(item, dict) else ''}: {_value(item, indent + '  ')},\n"
        for key, item in value.items()
    )
    return f"{{\n{''.join(fields)}{indent}}}"


def _value(value: Any, indent: str) -> str:
    if isinstance(value, dict):
        return _object(value, indent)
    if isinstance(value, Expression):
        # `$` is the complete bundle, with the values of later layers.
        first, *rest = value.pattern.split("{}")
        pairs = zip(value.paths, rest, strict=True)
        return f"'{first}'" + "".join(f" + $.{path} + '{text}'" for path, text in pairs)
    return json.dumps(value)
