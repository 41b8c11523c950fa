"""The live state: what the control plane holds, as it tells it. Reading comes first in any work with it.

The first two requests make the default environment and the default project, once, and one after the other: teams that
are created at the same time in an empty organization would each make that project, and most would miss it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.api.client import Client, RefusedError
from envtree.controlplane.desired import Ref
from envtree.controlplane.desired.desired import Kind
from envtree.model.diagnostic import Failure, Refusal

Object = Mapping[str, Any]

# The key of the project that is the lock of whoever changes things, and nothing else.
LOCK = "ENVTREE-LOCK"

# Lists that are whole, and those that come in pages.
_LISTS: Mapping[Kind, str] = {"skill": "/skills", "worker_queue": "/worker-queues", "job": "/jobs"}
_PAGED: Mapping[Kind, str] = {"team": "/teams", "agent": "/agents"}
_POLICIES_PER_PAGE = 100


class Live(NamedTuple):
    """The objects of an organization by what they are called; of `doubles` there is more than one under one name."""

    organization: str
    objects: Mapping[Ref, Object]
    doubles: frozenset[Ref]
    secrets: frozenset[str] | None

    def ids(self) -> dict[Ref, str]:
        """The id of each object."""
        return {ref: str(found["id"]) for ref, found in self.objects.items() if "id" in found}


def read(client: Client, organization: str) -> Live:
    """All that there is in the organization that the key belongs to, which has to be the one named."""
    try:
        _check_owner(client, organization)
        found = list(_all(client, organization))
        secrets = _secret_names(client)
    except RefusedError as refused:
        raise refused.failure() from None
    objects: dict[Ref, Object] = {}
    doubles = set()
    for ref, one in found:
        if ref in objects:
            doubles.add(ref)
        objects.setdefault(ref, one)
    return Live(organization, objects, frozenset(doubles), secrets)


def owner(client: Client) -> str:
    """The organization of the key."""
    said = client.get("/auth/validate")
    slug = said.get("slug") or said.get("id") if isinstance(said, Mapping) else None
    if not isinstance(slug, str):
        raise Failure("ET902", "what answers is no control plane: it does not say whose key it got")
    return slug


def _check_owner(client: Client, organization: str) -> None:
    slug = owner(client)
    if slug != organization:
        message = f"the key belongs to the organization '{slug}', and this tree is '{organization}'"
        raise Refusal("ET909", message, "use the key of the organization, or correct 'name' in organization.yaml")


def _all(client: Client, organization: str) -> Iterator[tuple[Ref, Object]]:
    environments = client.get("/environments")
    client.get("/projects/default")
    yield from _named("environment", environments)
    yield Ref("organization", organization), client.get("/organization/settings")
    yield from ((Ref("project", one["key"]), one) for one in client.get("/projects") if one["key"] != LOCK)
    names = {one["id"]: one["name"] for one in environments}
    for kind, path in _LISTS.items():
        for one in client.get(path):
            if kind == "worker_queue":
                yield queue_ref(names.get(one["environment_id"], one["environment_id"]), one["name"]), one
            else:
                yield Ref(kind, one["name"]), one
    for kind, path in _PAGED.items():
        yield from _named(kind, client.pages(path))
    yield from _policies(client)


def queue_ref(environment: str, queue: str) -> Ref:
    """What a worker queue is called, which has its name in its environment only."""
    return Ref("worker_queue", f"{environment}/{queue}")


def _named(kind: Kind, found: Iterable[Object]) -> Iterator[tuple[Ref, Object]]:
    return ((Ref(kind, one["name"]), one) for one in found)


def _policies(client: Client) -> Iterator[tuple[Ref, Object]]:
    """Policies are another service's; what it does not hold, or is not there to hold, nobody has put there."""
    page = 1
    while True:
        try:
            found = client.get(f"/policies?page={page}&limit={_POLICIES_PER_PAGE}")["policies"]
        except RefusedError as refused:
            if refused.status >= 500:
                return
            raise
        for one in found:
            # The list leaves out the content.
            yield Ref("policy", one["name"]), client.get(f"/policies/{one['id']}")
        if len(found) < _POLICIES_PER_PAGE:
            return
        page += 1


def _secret_names(client: Client) -> frozenset[str] | None:
    """The names in the vault; None where it does not answer."""
    try:
        found = client.get("/secrets")
    except RefusedError:
        return None
    listed = found if isinstance(found, list) else found.get("secrets", []) if isinstance(found, Mapping) else []
    return frozenset(one["name"] for one in listed)
