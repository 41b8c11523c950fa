"""What had better not be shown though it is plain text in the tree: it looks like a credential."""

from typing import Any

from envtree.credential import form_of, is_named
from envtree.keypath import KeyPath
from envtree.stack import Target
from envtree.workspace import Workspace

# Where the name of a value tells, too, what it is.
_NAMED = ("env_vars", "inputs")


def veiled(data: Any, path: KeyPath) -> Any:
    """The JSON data at a path, with null for each text that looks like a credential."""
    if isinstance(data, dict):
        return {key: veiled(child, path if key.startswith("$") else (*path, key)) for key, child in data.items()}
    if isinstance(data, list):
        return [veiled(item, path) for item in data]
    return None if isinstance(data, str) and _is_suspect(data, path) else data


def _is_suspect(text: str, path: KeyPath) -> bool:
    return bool(form_of(text)) or (path[0] in _NAMED and is_named(path[-1], text))


def secretive(workspace: Workspace, target: Target) -> frozenset[str]:
    """The variables of a bundle that a contract declares as secrets."""
    project = next(one for one in workspace.projects if one.name == target.project)
    team = next(one for one in project.teams if one.name == target.team)
    contracts = {**workspace.organization.contracts, **project.contracts, **team.contracts}
    return frozenset(name for name, contract in contracts.items() if contract.rules.get("secret") is True)
