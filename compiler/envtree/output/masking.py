"""Mask plain text of the tree that should not be shown because it looks like a credential."""

from typing import Any

from envtree.model.bundle_entities import contracts_by_team
from envtree.model.credential_patterns import detect_credential_form, is_credential_variable
from envtree.model.keypath import KeyPath
from envtree.model.layers import Target
from envtree.model.workspace import Workspace

# Sections in which the name of a value, too, can mark it as a credential.
_SECTIONS_WITH_NAMED_VALUES = ("env_vars", "inputs")


def masked(data: Any, path: KeyPath) -> Any:
    """Return the JSON data at a path, with null for each text that looks like a credential."""
    if isinstance(data, dict):
        return {key: masked(child, path if key.startswith("$") else (*path, key)) for key, child in data.items()}
    if isinstance(data, list):
        return [masked(item, path) for item in data]
    return None if isinstance(data, str) and _looks_like_credential(data, path) else data


def _looks_like_credential(text: str, path: KeyPath) -> bool:
    return bool(detect_credential_form(text)) or (
        path[0] in _SECTIONS_WITH_NAMED_VALUES and is_credential_variable(path[-1], text)
    )


class SecretNames:
    """The variables of each team that a contract declares as secrets, in any of several trees."""

    def __init__(self, *workspaces: Workspace) -> None:
        self._names_by_team: dict[tuple[str, str], frozenset[str]] = {}
        for workspace in workspaces:
            for team, declared in contracts_by_team(workspace).items():
                names = {name for name, contract in declared.items() if contract.rules.get("secret") is True}
                self._names_by_team[team] = self._names_by_team.get(team, frozenset()) | names

    def for_target(self, target: Target) -> frozenset[str]:
        """Return the names for a bundle."""
        return self._names_by_team[target.project, target.team]
