"""The live state: what the control plane holds, as it tells it. Reading comes first in any work with it.

The first two requests make the default environment and the default project, once, and one after the other: teams that
are created at the same time in an empty organization would each make that project, and most would miss it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.desired import ResourceRef
from envtree.controlplane.desired.desired_resource import ResourceKind
from envtree.model.diagnostic import MachineError, RefusedError

LiveObject = Mapping[str, Any]

# The key of the project that is the lock of whoever changes things, and nothing else.
LOCK_PROJECT_KEY = "ENVTREE-LOCK"

# Lists that are whole, and those that come in pages.
_UNPAGED_PATHS: Mapping[ResourceKind, str] = {"skill": "/skills", "worker_queue": "/worker-queues", "job": "/jobs"}
_PAGED_PATHS: Mapping[ResourceKind, str] = {"team": "/teams", "agent": "/agents"}
_POLICIES_PER_PAGE = 100


class LiveState(NamedTuple):
    """The objects of an organization by what they are called; of `doubles` there is more than one under one name."""

    organization: str
    objects: Mapping[ResourceRef, LiveObject]
    duplicates: frozenset[ResourceRef]
    secret_names: frozenset[str] | None

    def ids_by_ref(self) -> dict[ResourceRef, str]:
        """The id of each object."""
        return {ref: str(found["id"]) for ref, found in self.objects.items() if "id" in found}


def read_live_state(client: Client, organization: str) -> LiveState:
    """All that there is in the organization that the key belongs to, which has to be the one named."""
    try:
        _require_organization(client, organization)
        found = list(_read_objects(client, organization))
        secrets = _read_secret_names(client)
    except ApiError as refused:
        raise refused.to_machine_error() from None
    objects: dict[ResourceRef, LiveObject] = {}
    doubles = set()
    for ref, one in found:
        if ref in objects:
            doubles.add(ref)
        objects.setdefault(ref, one)
    return LiveState(organization, objects, frozenset(doubles), secrets)


def read_key_organization(client: Client) -> str:
    """The organization of the key."""
    said = client.get("/auth/validate")
    slug = said.get("slug") or said.get("id") if isinstance(said, Mapping) else None
    if not isinstance(slug, str):
        raise MachineError("ET902", "what answers is no control plane: it does not say whose key it got")
    return slug


def _require_organization(client: Client, organization: str) -> None:
    slug = read_key_organization(client)
    if slug != organization:
        message = f"the key belongs to the organization '{slug}', and this tree is '{organization}'"
        raise RefusedError("ET909", message, "use the key of the organization, or correct 'name' in organization.yaml")


def _read_objects(client: Client, organization: str) -> Iterator[tuple[ResourceRef, LiveObject]]:
    environments = client.get("/environments")
    client.get("/projects/default")
    yield from _with_refs("environment", environments)
    yield ResourceRef("organization", organization), client.get("/organization/settings")
    yield from (
        (ResourceRef("project", one["key"]), one) for one in client.get("/projects") if one["key"] != LOCK_PROJECT_KEY
    )
    names = {one["id"]: one["name"] for one in environments}
    for kind, path in _UNPAGED_PATHS.items():
        for one in client.get(path):
            if kind == "worker_queue":
                yield queue_ref(names.get(one["environment_id"], one["environment_id"]), one["name"]), one
            else:
                yield ResourceRef(kind, one["name"]), one
    for kind, path in _PAGED_PATHS.items():
        yield from _with_refs(kind, client.iter_pages(path))
    yield from _read_policies(client)


def queue_ref(environment: str, queue: str) -> ResourceRef:
    """What a worker queue is called, which has its name in its environment only."""
    return ResourceRef("worker_queue", f"{environment}/{queue}")


def _with_refs(kind: ResourceKind, objects: Iterable[LiveObject]) -> Iterator[tuple[ResourceRef, LiveObject]]:
    return ((ResourceRef(kind, one["name"]), one) for one in objects)


def _read_policies(client: Client) -> Iterator[tuple[ResourceRef, LiveObject]]:
    """Policies are another service's; what it does not hold, or is not there to hold, nobody has put there."""
    page = 1
    while True:
        try:
            found = client.get(f"/policies?page={page}&limit={_POLICIES_PER_PAGE}")["policies"]
        except ApiError as refused:
            if refused.status >= 500:
                return
            raise
        for one in found:
            # The list leaves out the content.
            yield ResourceRef("policy", one["name"]), client.get(f"/policies/{one['id']}")
        if len(found) < _POLICIES_PER_PAGE:
            return
        page += 1


def _read_secret_names(client: Client) -> frozenset[str] | None:
    """The names in the vault; None where it does not answer."""
    try:
        found = client.get("/secrets")
    except ApiError:
        return None
    listed = found if isinstance(found, list) else found.get("secrets", []) if isinstance(found, Mapping) else []
    return frozenset(one["name"] for one in listed)
