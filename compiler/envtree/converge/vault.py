"""Kubiya's vault, which has one value for each name in an organization. Here values are in memory only."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from envtree.live.client import Client, RefusedError
from envtree.live.reading import Live


def used(live: Live) -> frozenset[str]:
    """The names of secrets that objects of the control plane use."""
    sections = (one.get("execution_environment") or {} for one in live.objects.values())
    return frozenset(name for section in sections for name in section.get("secrets") or ())


def fetched(client: Client, live: Live) -> dict[str, str]:
    """The values of the secrets in use, as far as the vault has them."""
    found: dict[str, str] = {}
    for name in sorted(used(live)):
        with suppress(RefusedError):
            said: Any = client.get(f"/secrets/value/{name}")
            if isinstance(said, Mapping) and isinstance(said.get("value"), str):
                found[name] = said["value"]
    return found
