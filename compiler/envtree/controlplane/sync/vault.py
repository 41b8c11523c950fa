"""Kubiya's vault, which has one value for each name in an organization. Here values are in memory only."""

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from envtree.controlplane.api.client import Client, RefusedError
from envtree.controlplane.api.reading import Live
from envtree.controlplane.desired import Desired
from envtree.model.diagnostic import Failure, Refusal

_SECRETS = "/api/v2/secrets"
# A name becomes a variable of the same name.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Who put a secret there, as its description.
_OURS = "Kept by envtree for {}."


class Values:
    """Secrets by name, from all bundles: it shows none of them, and a name with two values is refused."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, str]] = {}

    def add(self, bundle: str, values: Mapping[str, str]) -> None:
        """Take the secrets of one bundle."""
        for name, value in values.items():
            known, first = self._found.setdefault(name, (value, bundle))
            if known != value:
                message = f"secret '{name}' has one value in '{first}' and another in '{bundle}'"
                raise Refusal("ET910", message, "the vault has one for all: give each a name of its own")

    def __getitem__(self, name: str) -> str:
        return self._found[name][0]

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __repr__(self) -> str:
        return f"Values({len(self._found)})"


def names(desired: Iterable[Desired]) -> list[str]:
    """The names of the secrets that resources use."""
    sections = (one.state.get("execution_environment") or {} for one in desired)
    return sorted({name for section in sections for name in section.get("secrets") or ()})


def push(client: Client, wanted: Iterable[str], values: Values, organization: str, tell: Callable[[str], None]) -> None:
    """Put secrets into the vault; none that somebody else has put there is overwritten, and none is before all fit."""
    ours, wanted = _OURS.format(organization), list(wanted)
    found = {one["name"]: one.get("description") for one in client.get(_SECRETS)}
    for name in wanted:
        if not _NAME.fullmatch(name):
            raise Refusal("ET910", f"'{name}' is no name of a variable, and the vault's are", "rename it")
        if name not in values:
            message = f"no agent has a value for secret '{name}', which a team uses"
            raise Refusal("ET910", message, "give the team an agent that has it, or put it into the vault by hand")
        if name in found and found[name] != ours:
            message = f"secret '{name}' is in the vault, and not from here"
            raise Refusal("ET906", message, "remove it there, or give the one here another name")
    for name in wanted:
        if name in found:
            client.send("PUT", f"{_SECRETS}/{name}", {"value": values[name], "description": ours})
        else:
            client.send("POST", _SECRETS, {"name": name, "value": values[name], "description": ours})
        tell(f"put secret {name} into the vault")


def used(live: Live) -> frozenset[str]:
    """The names of secrets that objects of the control plane use."""
    sections = (one.get("execution_environment") or {} for one in live.objects.values())
    return frozenset(name for section in sections for name in section.get("secrets") or ())


def fetched(client: Client, live: Live) -> dict[str, str]:
    """The values of the secrets in use, as far as the vault has them."""
    found: dict[str, str] = {}
    for name in sorted(used(live)):
        with suppress(RefusedError, Failure):
            said: Any = client.get(f"/secrets/value/{name}")
            if isinstance(said, Mapping) and isinstance(said.get("value"), str):
                found[name] = said["value"]
    return found
