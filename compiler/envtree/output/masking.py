"""What had better not be shown though it is plain text in the tree: it looks like a credential."""

from typing import Any

from envtree.model.credential_patterns import form_of, is_named
from envtree.model.entities import contracts
from envtree.model.keypath import KeyPath
from envtree.model.layers import Target
from envtree.model.workspace import Workspace

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


class Unshown:
    """The variables of each team that a contract declares as secrets, in any of some trees."""

    def __init__(self, *workspaces: Workspace) -> None:
        self._names: dict[tuple[str, str], frozenset[str]] = {}
        for workspace in workspaces:
            for team, declared in contracts(workspace).items():
                names = {name for name, contract in declared.items() if contract.rules.get("secret") is True}
                self._names[team] = self._names.get(team, frozenset()) | names

    def names(self, target: Target) -> frozenset[str]:
        """Those of a bundle."""
        return self._names[target.project, target.team]
