"""The desired resources as requests can make them: what the server keeps in another place than the tree says it."""

from collections.abc import Iterable, Mapping
from typing import Any

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredLink, DesiredResource, ResourceRef

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
