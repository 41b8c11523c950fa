"""The desired resources as requests can make them: what the server keeps in another place than the tree says it."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredLink, DesiredResource, ResourceRef
from envtree.controlplane.sync.compare_resource import LinkChange
from envtree.controlplane.sync.managed_ids import ManagedIds

_UNIQUE_VIOLATION = "UniqueViolation"


def apply_link_change(
    holder: ResourceRef,
    link_change: LinkChange,
    member: str | None,
    ids: Mapping[ResourceRef, str],
    managed_ids: ManagedIds,
    client: Client,
) -> ManagedIds:
    """Make an association, or undo it; the ids afterwards, for those of bindings are nowhere else."""
    if member is None or holder not in ids:
        return managed_ids
    if holder.kind == "policy":
        return _apply_binding_change(holder, link_change, member, ids[holder], managed_ids, client)
    if link_change.relation == "skill":
        path = f"/skills/associations/{holder.kind}/{ids[holder]}/skills"
        _send_association(
            client, path, {"skill_id": member, **link_change.body}, member, is_addition=link_change.is_addition
        )
    else:
        path = f"/projects/{ids[holder]}/{link_change.relation}s"
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
    except ApiError as refused:
        is_already_so = _UNIQUE_VIOLATION in refused.reason if is_addition else refused.status == 404
        if not is_already_so:
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
    """It is bound already, and the server does not say by which id."""


def _create_binding(client: Client, body: Mapping[str, object]) -> str:
    try:
        return str(client.send("POST", "/policies/associations", body)["id"])
    except ApiError as refused:
        if _UNIQUE_VIOLATION in refused.reason:
            raise _AlreadyBoundError from None
        raise


_SKILL_FIELDS = ("skill_ids", "skill_configurations")


def with_associations(desired: Iterable[DesiredResource], live: LiveState) -> tuple[DesiredResource, ...]:
    """The same resources: teams with their skills as associations, policies with all that they are bound to."""
    resources = tuple(desired)
    bound = _environment_bindings(resources, live)
    return tuple(_with_binding_links(_with_skill_links(one), bound.get(one.ref, ())) for one in resources)


def _with_skill_links(resource: DesiredResource) -> DesiredResource:
    """A team without skills in its body: the server would keep them, and answer with an error all the same."""
    if resource.kind != "team" or not any(field in resource.state for field in _SKILL_FIELDS):
        return resource
    said = resource.state.get("skill_configurations") or {}
    links = (
        DesiredLink("skill", skill, {"configuration_override": said[skill]} if skill in said else {})
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
    """What environments say of policies: the association is the policy's."""
    called = {id: ref for ref, id in live.ids_by_ref().items() if ref.kind == "policy"}
    found: dict[ResourceRef, tuple[DesiredLink, ...]] = {}
    for one in resources:
        for link in one.links:
            policy = link.member if isinstance(link.member, ResourceRef) else called.get(link.member)
            if (one.kind, link.relation) == ("environment", "policy") and policy:
                binding = DesiredLink("environment", one.ref, {"entity_type": "environment"})
                found[policy] = (*found.get(policy, ()), binding)
    return found


def _with_binding_links(resource: DesiredResource, bindings: tuple[DesiredLink, ...]) -> DesiredResource:
    links = tuple(link for link in resource.links if (resource.kind, link.relation) != ("environment", "policy"))
    return resource._replace(links=(*links, *bindings))
