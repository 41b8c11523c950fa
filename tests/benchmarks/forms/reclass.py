"""reclass's form: a class per layer, and a node per bundle that lists its classes and is the last layer."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.forms.text import write_yaml
from tests.benchmarks.model import Bundle, Layer, Size, bundles, layer


def write_reclass(size: Size, root: Path) -> None:
    """Write the inventory."""
    written: set[str] = set()
    for bundle in bundles(size):
        classes = _classes(bundle)
        for name, (kind, *owner) in classes.items():
            if name not in written:
                path = root / "classes" / f"{name.replace('.', '/')}.yml"
                _write(path, ["environments.base"] if kind == "env" else [], layer(kind, *owner))
                written.add(name)
        listed = [name for name in classes if name != "environments.base"]
        path = root / "nodes" / bundle.project / bundle.team / f"{reclass_node(bundle)}.yml"
        _write(path, listed, layer("agent_env", *bundle))


def reclass_node(bundle: Bundle) -> str:
    """Return the name of a bundle's node."""
    return "-".join(bundle)


def _classes(bundle: Bundle) -> dict[str, tuple[str, ...]]:
    """Return the classes of a node in order, each with its layer; the environment's class includes `base`."""
    project, team, agent, environment = bundle
    prefix = f"projects.{project}"
    return {
        "organization": ("org", "acme"),
        f"{prefix}.project": ("project", project),
        "environments.base": ("base", "base"),
        f"environments.{environment}": ("env", environment),
        f"{prefix}.{environment}": ("project_env", project, environment),
        f"{prefix}.{team}.team": ("team", project, team),
        f"{prefix}.{team}.{environment}": ("team_env", project, team, environment),
        f"{prefix}.{team}.{agent}": ("agent", project, team, agent),
    }


def _write(path: Path, classes: list[str], parameters: Layer) -> None:
    write_yaml(
        path, {"classes": classes, "parameters": parameters} if classes else {"parameters": parameters}, _notation
    )


def _notation(path: str) -> str:
    return f"${{{path.replace('.', ':')}}}"
