"""The live state: the objects of an organization as the control plane returns them.

The first two requests make the server create the default environment and the default project, once and in sequence:
teams that are created concurrently in an empty organization would each create that project, and most would not get it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.api.api_config import ADDRESS_VARIABLES
from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.api.object_shapes import check_list, check_object, check_secret_list
from envtree.controlplane.desired import ResourceRef
from envtree.controlplane.desired.desired_resource import ResourceKind
from envtree.model.diagnostic import MachineError, RefusedError

LiveObject = Mapping[str, Any]

# The key of the project that serves as the lock of a run that changes the control plane.
LOCK_PROJECT_KEY = "ENVTREE-LOCK"

# The other kinds have lists that are returned complete.
_PAGED_KINDS: tuple[ResourceKind, ...] = ("team", "agent")
_POLICIES_PER_PAGE = 100
_MAX_SLUG_LENGTH = 200


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
        require_organization(client, organization)
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


def read_object(client: Client, kind: ResourceKind, path: str) -> LiveObject:
    """Return one live object; raise MachineError (ET902) if it has not the form of its kind."""
    live_object: LiveObject = client.get(path)
    check_object(kind, live_object)
    return live_object


def _read_list(client: Client, kind: ResourceKind, path: str) -> Iterator[LiveObject]:
    for live_object in client.iter_pages(path) if kind in _PAGED_KINDS else client.get_list(path):
        check_object(kind, live_object)
        yield live_object


def read_key_organization(client: Client) -> str:
    """Return the slug of the organization that the key belongs to."""
    identity = client.get("/auth/validate")
    slug = identity.get("slug") or identity.get("id") if isinstance(identity, Mapping) else None
    if not isinstance(slug, str) or len(slug) > _MAX_SLUG_LENGTH:
        message = "what answers is no control plane: it does not say whose key it got"
        raise MachineError("ET902", message, f"look at {ADDRESS_VARIABLES[0]}")
    return slug


def require_organization(client: Client, organization: str) -> None:
    """Raise RefusedError (ET909) if the key belongs to another organization."""
    slug = read_key_organization(client)
    if slug != organization:
        message = f"the key belongs to the organization '{slug}', and this tree is '{organization}'"
        raise RefusedError("ET909", message, "use the key of the organization, or correct 'name' in organization.yaml")


def _read_objects(client: Client, organization: str) -> Iterator[tuple[ResourceRef, LiveObject]]:
    environments = list(_read_list(client, "environment", "/environments"))
    client.get("/projects/default")
    yield from _with_refs("environment", environments)
    settings = read_object(client, "organization", "/organization/settings")
    yield ResourceRef("organization", organization), settings
    yield from (
        (ResourceRef("project", project["key"]), project)
        for project in _read_list(client, "project", "/projects")
        if project["key"] != LOCK_PROJECT_KEY
    )
    yield from _with_refs("skill", _read_list(client, "skill", "/skills"))
    environment_names = {environment["id"]: environment["name"] for environment in environments}
    for queue in _read_list(client, "worker_queue", "/worker-queues"):
        id = str(queue["environment_id"])
        yield queue_ref(environment_names.get(id, id), queue["name"]), queue
    yield from _with_refs("job", _read_list(client, "job", "/jobs"))
    for kind in _PAGED_KINDS:
        yield from _with_refs(kind, _read_list(client, kind, f"/{kind}s"))
    yield from _read_policies(client)


def queue_ref(environment: str, queue: str) -> ResourceRef:
    """Return the reference of a worker queue, whose name is unique in its environment only."""
    return ResourceRef("worker_queue", f"{environment}/{queue}")


def _with_refs(kind: ResourceKind, objects: Iterable[LiveObject]) -> Iterator[tuple[ResourceRef, LiveObject]]:
    return ((ResourceRef(kind, live_object["name"]), live_object) for live_object in objects)


def _read_policies(client: Client) -> Iterator[tuple[ResourceRef, LiveObject]]:
    """Yield the policies. They come from another service: if it fails with a 5xx, there are none."""
    for number in client.page_numbers("/policies"):
        try:
            answer = client.get(f"/policies?page={number + 1}&limit={_POLICIES_PER_PAGE}")
        except ApiError as error:
            if error.status >= 500:
                return
            raise
        policies = answer.get("policies") if isinstance(answer, Mapping) else None
        check_list("policy", policies)
        for policy in policies or ():
            # The list omits the content.
            yield ResourceRef("policy", policy["name"]), read_object(client, "policy", f"/policies/{policy['id']}")
        if len(policies or ()) < _POLICIES_PER_PAGE:
            return


def _read_secret_names(client: Client) -> frozenset[str] | None:
    """Return the names in the vault; None if it does not answer."""
    try:
        answer = client.get("/secrets")
    except ApiError:
        return None
    secrets = answer if isinstance(answer, list) else answer.get("secrets", []) if isinstance(answer, Mapping) else []
    check_secret_list(secrets)
    return frozenset(secret["name"] for secret in secrets)
