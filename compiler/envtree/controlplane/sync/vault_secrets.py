"""Kubiya's vault, which has one value for each name in an organization. Here values are in memory only."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredResource
from envtree.model.diagnostic import MachineError, RefusedError

_SECRETS_PATH = "/api/v2/secrets"
# A name becomes a variable of the same name.
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Who put a secret there, as its description.
_OWNER_DESCRIPTION = "Kept by envtree for {}."


class SecretValues:
    """Secrets by name, from all bundles: it shows none of them, and a name with two values is refused."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, str]] = {}

    def add(self, bundle: str, values: Mapping[str, str]) -> None:
        """Take the secrets of one bundle."""
        for name, value in values.items():
            known, first = self._values.setdefault(name, (value, bundle))
            if known != value:
                message = f"secret '{name}' has one value in '{first}' and another in '{bundle}'"
                raise RefusedError("ET910", message, "the vault has one for all: give each a name of its own")

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        return f"Values({len(self._values)})"


def secret_names(desired: Iterable[DesiredResource]) -> list[str]:
    """The names of the secrets that resources use."""
    sections = (one.state.get("execution_environment") or {} for one in desired)
    return sorted({name for section in sections for name in section.get("secrets") or ()})


def push_secrets(
    client: Client,
    names: Iterable[str],
    values: SecretValues,
    organization: str,
    report_progress: Callable[[str], None],
) -> None:
    """Put secrets into the vault; none that somebody else has put there is overwritten, and none is before all fit."""
    ours, names = _OWNER_DESCRIPTION.format(organization), list(names)
    found = {one["name"]: one.get("description") for one in client.get(_SECRETS_PATH)}
    for name in names:
        if not _SECRET_NAME.fullmatch(name):
            raise RefusedError("ET910", f"'{name}' is no name of a variable, and the vault's are", "rename it")
        if name not in values:
            message = f"no agent has a value for secret '{name}', which a team uses"
            raise RefusedError("ET910", message, "give the team an agent that has it, or put it into the vault by hand")
        if name in found and found[name] != ours:
            message = f"secret '{name}' is in the vault, and not from here"
            raise RefusedError("ET906", message, "remove it there, or give the one here another name")
    for name in names:
        if name in found:
            client.send("PUT", f"{_SECRETS_PATH}/{name}", {"value": values[name], "description": ours})
        else:
            client.send("POST", _SECRETS_PATH, {"name": name, "value": values[name], "description": ours})
        report_progress(f"put secret {name} into the vault")


def used_secret_names(live: LiveState) -> frozenset[str]:
    """The names of secrets that objects of the control plane use."""
    sections = (one.get("execution_environment") or {} for one in live.objects.values())
    return frozenset(name for section in sections for name in section.get("secrets") or ())


def fetch_secrets(client: Client, live: LiveState) -> dict[str, str]:
    """The values of the secrets in use, as far as the vault has them."""
    found: dict[str, str] = {}
    for name in sorted(used_secret_names(live)):
        with suppress(ApiError, MachineError):
            said: Any = client.get(f"/secrets/value/{name}")
            if isinstance(said, Mapping) and isinstance(said.get("value"), str):
                found[name] = said["value"]
    return found
