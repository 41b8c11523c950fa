"""Associations: those that differ from the tree's form, and the requests that create and delete them."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.api.object_shapes import created_id
from envtree.controlplane.desired import DesiredLink, DesiredResource, ResourceRef
from envtree.controlplane.sync.compare_resource import LinkChange
from envtree.controlplane.sync.managed_ids import ManagedIds

_UNIQUE_VIOLATION = "UniqueViolation"


def apply_link_change(
    owner: ResourceRef,
    link_change: LinkChange,
    member: str | None,
    ids: Mapping[ResourceRef, str],
    managed_ids: ManagedIds,
    client: Client,
) -> ManagedIds:
    """Create or delete an association; return the ids afterwards, the only record of a binding's id."""
    if member is None or owner not in ids:
        return managed_ids
    if owner.kind == "policy":
        return _apply_binding_change(owner, link_change, member, ids[owner], managed_ids, client)
    if link_change.relation == "skill":
        path = f"/skills/associations/{owner.kind}/{ids[owner]}/skills"
        _send_association(
            client, path, {"skill_id": member, **link_change.body}, member, is_addition=link_change.is_addition
        )
    else:
        path = f"/projects/{ids[owner]}/{link_change.relation}s"
        _send_association(
            client, path, {f"{link_change.relation}_id": member}, member, is_addition=link_change.is_addition
        )
    return managed_ids


def _send_association(client: Client, path: str, body: Mapping[str, object], member: str, *, is_addition: bool) -> None:
    try:
        if is_addition:
            client.send("POST", path, body)
        else:
            client.send("DELETE", f"{path}/{member}")
    except ApiError as error:
        is_no_op = _UNIQUE_VIOLATION in error.reason if is_addition else error.status == 404
        if not is_no_op:
            raise


def _apply_binding_change(
    policy: ResourceRef, link_change: LinkChange, member: str, id: str, managed_ids: ManagedIds, client: Client
) -> ManagedIds:
    name = f"{link_change.relation}/{member}"
    if link_change.is_addition:
        entity = {"entity_type": link_change.relation, "entity_id": member}
        body = {"policy_id": id, "policy_name": policy.name, **link_change.body, **entity}
        with suppress(_AlreadyBoundError):
            return managed_ids.with_binding(policy, name, _create_binding(client, body))
        return managed_ids
    binding = managed_ids.bindings.get(str(policy), {}).get(name)
    if binding:
        _send_association(client, "/policies/associations", {}, binding, is_addition=False)
    return managed_ids.with_binding(policy, name, None)


class _AlreadyBoundError(Exception):
    """The binding exists already, and the server does not return its id."""


def _create_binding(client: Client, body: Mapping[str, object]) -> str:
    try:
        return created_id(client.send("POST", "/policies/associations", body), "the new association of a policy")
    except ApiError as error:
        if _UNIQUE_VIOLATION in error.reason:
            raise _AlreadyBoundError from None
        raise


_SKILL_FIELDS = ("skill_ids", "skill_configurations")


def with_associations(desired: Iterable[DesiredResource], live: LiveState) -> tuple[DesiredResource, ...]:
    """Return the resources with teams' skills as links, and all bindings as links of their policies."""
    resources = tuple(desired)
    bindings = _environment_bindings(resources, live)
    return tuple(
        _with_binding_links(_with_skill_links(resource), bindings.get(resource.ref, ())) for resource in resources
    )


def _with_skill_links(resource: DesiredResource) -> DesiredResource:
    """Return a team with links instead of skill fields: the server stores such fields but answers with an error."""
    if resource.kind != "team" or not any(field in resource.state for field in _SKILL_FIELDS):
        return resource
    overrides = resource.state.get("skill_configurations") or {}
    links = (
        DesiredLink("skill", skill, {"configuration_override": overrides[skill]} if skill in overrides else {})
        for skill in resource.state.get("skill_ids") or ()
    )
    return resource._replace(
        body=_without_skill_fields(resource.body),
        late=_without_skill_fields(resource.late),
        links=(*resource.links, *links),
    )


def _without_skill_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in fields.items() if field not in _SKILL_FIELDS}


def _environment_bindings(
    resources: Iterable[DesiredResource], live: LiveState
) -> dict[ResourceRef, tuple[DesiredLink, ...]]:
    """Return the policies' links that environments declare: the association belongs to the policy."""
    refs_by_id = {id: ref for ref, id in live.ids_by_ref().items() if ref.kind == "policy"}
    bindings: dict[ResourceRef, tuple[DesiredLink, ...]] = {}
    for resource in resources:
        for link in resource.links:
            policy = link.member if isinstance(link.member, ResourceRef) else refs_by_id.get(link.member)
            if (resource.kind, link.relation) == ("environment", "policy") and policy:
                binding = DesiredLink("environment", resource.ref, {"entity_type": "environment"})
                bindings[policy] = (*bindings.get(policy, ()), binding)
    return bindings


def _with_binding_links(resource: DesiredResource, bindings: tuple[DesiredLink, ...]) -> DesiredResource:
    links = tuple(link for link in resource.links if (resource.kind, link.relation) != ("environment", "policy"))
    return resource._replace(links=(*links, *bindings))
