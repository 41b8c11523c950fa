"""The live state: the objects of an organization as the control plane returns them.

The first two requests make the server create the default environment and the default project, once and in sequence:
teams that are created concurrently in an empty organization would each create that project, and most would not get it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.desired import ResourceRef
from envtree.controlplane.desired.desired_resource import ResourceKind
from envtree.model.diagnostic import MachineError, RefusedError

LiveObject = Mapping[str, Any]

# The key of the project that serves as the lock of a run that changes the control plane.
LOCK_PROJECT_KEY = "ENVTREE-LOCK"

# Lists that are returned complete, and lists that are paged.
_UNPAGED_PATHS: Mapping[ResourceKind, str] = {"skill": "/skills", "worker_queue": "/worker-queues", "job": "/jobs"}
_PAGED_PATHS: Mapping[ResourceKind, str] = {"team": "/teams", "agent": "/agents"}
_POLICIES_PER_PAGE = 100


class LiveState(NamedTuple):
    """The objects of an organization by reference.

    `duplicates` are the references that more than one object has. `secret_names` is None if the vault did not answer.
    """

    organization: str
    objects: Mapping[ResourceRef, LiveObject]
    duplicates: frozenset[ResourceRef]
    secret_names: frozenset[str] | None

    def ids_by_ref(self) -> dict[ResourceRef, str]:
        """Return the id of each object that has one."""
        return {ref: str(live_object["id"]) for ref, live_object in self.objects.items() if "id" in live_object}


def read_live_state(client: Client, organization: str) -> LiveState:
    """Read all objects; raise RefusedError (ET909) if the key belongs to another organization."""
    try:
        _require_organization(client, organization)
        entries = list(_read_objects(client, organization))
        secret_names = _read_secret_names(client)
    except ApiError as error:
        raise error.to_machine_error() from None
    objects: dict[ResourceRef, LiveObject] = {}
    duplicates: set[ResourceRef] = set()
    for ref, live_object in entries:
        if ref in objects:
            duplicates.add(ref)
        objects.setdefault(ref, live_object)
    return LiveState(organization, objects, frozenset(duplicates), secret_names)


def read_key_organization(client: Client) -> str:
    """Return the slug of the organization that the key belongs to."""
    identity = client.get("/auth/validate")
    slug = identity.get("slug") or identity.get("id") if isinstance(identity, Mapping) else None
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
        (ResourceRef("project", project["key"]), project)
        for project in client.get("/projects")
        if project["key"] != LOCK_PROJECT_KEY
    )
    environment_names = {environment["id"]: environment["name"] for environment in environments}
    for kind, path in _UNPAGED_PATHS.items():
        for live_object in client.get(path):
            if kind == "worker_queue":
                yield (
                    queue_ref(
                        environment_names.get(live_object["environment_id"], live_object["environment_id"]),
                        live_object["name"],
                    ),
                    live_object,
                )
            else:
                yield ResourceRef(kind, live_object["name"]), live_object
    for kind, path in _PAGED_PATHS.items():
        yield from _with_refs(kind, client.iter_pages(path))
    yield from _read_policies(client)


def queue_ref(environment: str, queue: str) -> ResourceRef:
    """Return the reference of a worker queue, whose name is unique in its environment only."""
    return ResourceRef("worker_queue", f"{environment}/{queue}")


def _with_refs(kind: ResourceKind, objects: Iterable[LiveObject]) -> Iterator[tuple[ResourceRef, LiveObject]]:
    return ((ResourceRef(kind, live_object["name"]), live_object) for live_object in objects)


def _read_policies(client: Client) -> Iterator[tuple[ResourceRef, LiveObject]]:
    """Yield the policies. They come from another service: if it fails with a 5xx, there are none."""
    page = 1
    while True:
        try:
            policies = client.get(f"/policies?page={page}&limit={_POLICIES_PER_PAGE}")["policies"]
        except ApiError as error:
            if error.status >= 500:
                return
            raise
        for policy in policies:
            # The list omits the content.
            yield ResourceRef("policy", policy["name"]), client.get(f"/policies/{policy['id']}")
        if len(policies) < _POLICIES_PER_PAGE:
            return
        page += 1


def _read_secret_names(client: Client) -> frozenset[str] | None:
    """Return the names in the vault; None if it does not answer."""
    try:
        answer = client.get("/secrets")
    except ApiError:
        return None
    secrets = answer if isinstance(answer, list) else answer.get("secrets", []) if isinstance(answer, Mapping) else []
    return frozenset(secret["name"] for secret in secrets)
