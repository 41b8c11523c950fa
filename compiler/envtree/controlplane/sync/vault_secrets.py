"""Kubiya's vault, which has one value for each name in an organization. Values are kept in memory only."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.api.object_shapes import check_secret_list
from envtree.controlplane.desired import DesiredResource
from envtree.model.diagnostic import RefusedError

_SECRETS_PATH = "/api/v2/secrets"
# A name becomes a variable of the same name.
_SECRET_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The description of a secret that envtree put into the vault.
_OWNER_DESCRIPTION = "Kept by envtree for {}."


class SecretValues:
    """Secrets by name, from all bundles. `repr` shows no value; a name with two values is refused (ET910)."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, str]] = {}

    def add(self, bundle: str, values: Mapping[str, str]) -> None:
        """Add the secrets of one bundle."""
        for name, value in values.items():
            first_value, first_bundle = self._values.setdefault(name, (value, bundle))
            if first_value != value:
                message = f"secret '{name}' has one value in '{first_bundle}' and another in '{bundle}'"
                raise RefusedError("ET910", message, "the vault has one for all: give each a name of its own")

    def __getitem__(self, name: str) -> str:
        return self._values[name][0]

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __repr__(self) -> str:
        return f"Values({len(self._values)})"


def secret_names(desired: Iterable[DesiredResource]) -> list[str]:
    """Return the names of the secrets that resources use."""
    sections = (resource.state.get("execution_environment") or {} for resource in desired)
    return sorted({name for section in sections for name in section.get("secrets") or ()})


def push_secrets(
    client: Client,
    names: Iterable[str],
    values: SecretValues,
    organization: str,
    report_progress: Callable[[str], None],
) -> None:
    """Write secrets into the vault after checking all of them; a foreign secret is never overwritten."""
    description, names = _OWNER_DESCRIPTION.format(organization), list(names)
    secrets = client.get(_SECRETS_PATH)
    check_secret_list(secrets)
    descriptions = {secret["name"]: secret.get("description") for secret in secrets}
    for name in names:
        if not _SECRET_NAME.fullmatch(name):
            raise RefusedError("ET910", f"'{name}' is no name of a variable, and the vault's are", "rename it")
        if name not in values:
            message = f"no agent has a value for secret '{name}', which a team uses"
            raise RefusedError("ET910", message, "give the team an agent that has it, or put it into the vault by hand")
        if name in descriptions and descriptions[name] != description:
            message = f"secret '{name}' is in the vault, and not from here"
            raise RefusedError("ET906", message, "remove it there, or give the one here another name")
    for name in names:
        if name in descriptions:
            client.send("PUT", f"{_SECRETS_PATH}/{name}", {"value": values[name], "description": description})
        else:
            client.send("POST", _SECRETS_PATH, {"name": name, "value": values[name], "description": description})
        report_progress(f"put secret {name} into the vault")


def used_secret_names(live: LiveState) -> frozenset[str]:
    """Return the names of secrets that live objects use."""
    sections = (live_object.get("execution_environment") or {} for live_object in live.objects.values())
    return frozenset(name for section in sections for name in section.get("secrets") or ())


def fetch_secrets(client: Client, live: LiveState) -> dict[str, str]:
    """Return the values of the secrets in use, as far as the vault has them."""
    values: dict[str, str] = {}
    for name in filter(_SECRET_NAME.fullmatch, sorted(used_secret_names(live))):
        with suppress(ApiError):
            answer: Any = client.get(f"/secrets/value/{name}")
            if isinstance(answer, Mapping) and isinstance(answer.get("value"), str):
                values[name] = answer["value"]
    return values
