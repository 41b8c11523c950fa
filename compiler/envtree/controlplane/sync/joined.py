"""The desired resources as requests can make them: what the server keeps in another place than the tree says it."""

from collections.abc import Iterable, Mapping
from typing import Any

from envtree.controlplane.api.reading import Live
from envtree.controlplane.desired import Desired, Link, Ref

_SKILLS = ("skill_ids", "skill_configurations")


def joined(desired: Iterable[Desired], live: Live) -> tuple[Desired, ...]:
    """The same resources: teams with their skills as associations, policies with all that they are bound to."""
    resources = tuple(desired)
    bound = _bound(resources, live)
    return tuple(_with_bindings(_with_skills(one), bound.get(one.ref, ())) for one in resources)


def _with_skills(one: Desired) -> Desired:
    """A team without skills in its body: the server would keep them, and answer with an error all the same."""
    if one.kind != "team" or not any(field in one.state for field in _SKILLS):
        return one
    said = one.state.get("skill_configurations") or {}
    links = (
        Link("skill", skill, {"configuration_override": said[skill]} if skill in said else {})
        for skill in one.state.get("skill_ids") or ()
    )
    return one._replace(body=_without(one.body), late=_without(one.late), links=(*one.links, *links))


def _without(part: Mapping[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in part.items() if field not in _SKILLS}


def _bound(resources: Iterable[Desired], live: Live) -> dict[Ref, tuple[Link, ...]]:
    """What environments say of policies: the association is the policy's."""
    called = {id: ref for ref, id in live.ids().items() if ref.kind == "policy"}
    found: dict[Ref, tuple[Link, ...]] = {}
    for one in resources:
        for link in one.links:
            policy = link.member if isinstance(link.member, Ref) else called.get(link.member)
            if (one.kind, link.relation) == ("environment", "policy") and policy:
                binding = Link("environment", one.ref, {"entity_type": "environment"})
                found[policy] = (*found.get(policy, ()), binding)
    return found


def _with_bindings(one: Desired, bound: tuple[Link, ...]) -> Desired:
    links = tuple(link for link in one.links if (one.kind, link.relation) != ("environment", "policy"))
    return one._replace(links=(*links, *bound))
