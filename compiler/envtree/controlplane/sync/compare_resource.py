"""One object held against what the tree says of it, field by field and link by link."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredLink, DesiredResource, ResourceRef, substitute_refs
from envtree.controlplane.desired.desired_resource import ResourceKind
from envtree.controlplane.desired.server_view import merge_sections
from envtree.controlplane.sync.managed_ids import ManagedIds
from envtree.controlplane.sync.marker import Marker, read_marker, value_digest
from envtree.controlplane.sync.resource_schemas import RESOURCE_SCHEMAS, ApiObject, normalize_field, normalize_object


class WriteOnlyValue:
    """Stands for what the server does not tell."""

    def __repr__(self) -> str:
        return "unread"


WRITE_ONLY = WriteOnlyValue()


class FieldDifference(NamedTuple):
    """A field that is not as it should be; `moved` says that it is not what was sent last, None if nobody knows."""

    field: str
    before: Any
    after: Any
    has_drifted: bool | None


class LinkChange(NamedTuple):
    """An association that should be made, or undone; `id` is the member's, None as long as it does not exist."""

    relation: str
    member: ResourceRef | str
    id: str | None
    body: Mapping[str, Any]
    is_addition: bool


class ComparisonContext(NamedTuple):
    """What comparing one object takes of the others."""

    live: LiveState
    ids: Mapping[ResourceRef, str]
    managed_ids: ManagedIds
    skills: Mapping[str, ApiObject]
    # All of the live objects, by their ids.
    objects_by_id: Mapping[str, ApiObject]
    owned_ids: frozenset[str]
    # Environments that are about to change.
    changing_environments: frozenset[str] = frozenset()

    def id_of(self, ref: ResourceRef) -> str:
        """The id of an object; what does not exist yet is like no id."""
        return self.ids.get(ref, f"$ref:{ref}")


def desired_fields(resource: DesiredResource, context: ComparisonContext) -> dict[str, Any]:
    """The fields that an object should have, in the shape in which they are compared."""
    state = substitute_refs(resource.state, context.id_of)
    said = normalize_fields(resource.kind, state)
    if resource.kind == "agent":
        said = _without_disabled_skills(said, context.skills)
    if "skill_configurations" in said:
        said["skill_configurations"] = _effective_overrides(said["skill_configurations"], context.skills)
    # To an agent without skills the server gives one, and it takes none away.
    return {field: value for field, value in said.items() if field != "skill_ids" or value or resource.kind != "agent"}


def _without_disabled_skills(fields: dict[str, Any], skills: Mapping[str, ApiObject]) -> dict[str, Any]:
    """What an agent says of skills that are enabled; others it may have, and the server shows none of them."""
    hidden = {id for id in skills if is_skill_disabled(id, skills)}
    ids = [id for id in fields.get("skill_ids", ()) if id not in hidden]
    told = {id: one for id, one in fields.get("skill_configurations", {}).items() if id not in hidden}
    return fields | {
        name: value for name, value in (("skill_ids", ids), ("skill_configurations", told)) if name in fields
    }


def is_skill_disabled(id: str, skills: Mapping[str, ApiObject]) -> bool:
    """Whether a skill is switched off."""
    return skills.get(id, {}).get("enabled") is False


def _effective_overrides(overrides: Mapping[str, Any], skills: Mapping[str, ApiObject]) -> dict[str, Any]:
    plain = {id: skills.get(id, {}).get("configuration") or {} for id in overrides}
    found = {id: {k: v for k, v in one.items() if plain[id].get(k) != v} for id, one in overrides.items()}
    return {id: one for id, one in found.items() if one}


def diff_fields(
    resource: DesiredResource, live_object: ApiObject, context: ComparisonContext
) -> tuple[FieldDifference, ...]:
    """The fields that differ, in the order of their names; among them those that the tree no longer says."""
    has, mark, said = (
        normalize_object(resource.kind, live_object, context.skills),
        read_marker(resource.kind, live_object),
        desired_fields(resource, context),
    )
    if resource.kind == "agent":
        has["skill_ids"] = _own_skills(has["skill_ids"], live_object, said, context)
    given_up = _abandoned_fields(resource, mark, has) if mark else ()
    fields = {**{field: _default_value(resource, field) for field in given_up}, **said}
    told = tuple(
        filter(None, (_field_difference(resource, field, fields[field], has, mark) for field in sorted(fields)))
    )
    # What was imported stays as it is as long as what it says comes to the same.
    return (
        told
        if mark or not all(_is_equivalent_environment(resource, each, live_object, context) for each in told)
        else ()
    )


def _own_skills(
    skills: Iterable[str], live_object: ApiObject, desired: Mapping[str, Any], context: ComparisonContext
) -> list[str]:
    """The skills of an agent without those of its team and its environments, which are shown as its own."""
    holders = {live_object.get("team_id"), *(one["id"] for one in live_object.get("environments") or ())}
    above = (context.objects_by_id.get(holder, {}) for holder in holders)
    given = {id for one in above for id in one.get("skill_ids") or ()} - set(desired.get("skill_ids", ()))
    return [id for id in skills if id not in given]


def _is_equivalent_environment(
    resource: DesiredResource, difference: FieldDifference, live_object: ApiObject, context: ComparisonContext
) -> bool:
    """Whether an environment that was written by hand gives agents what ours would: it may say less, or more."""
    if difference.field != "execution_environment":
        return False
    if resource.kind == "environment":
        return _is_subset(difference.after, difference.before)
    attached = [str(env["id"]) for env in live_object.get("environments") or ()]
    if resource.kind != "agent" or not context.changing_environments.isdisjoint(attached):
        return False
    below = [context.objects_by_id.get(id, {}).get("execution_environment") or {} for id in attached]
    merged = merge_sections(below, difference.before)
    merged["env_vars"] = {key: text for key, text in merged["env_vars"].items() if key not in merged["secrets"]}
    return bool(
        normalize_field("agent", difference.field, {**merged, "working_dir": difference.before["working_dir"]}, {})
        == difference.after
    )


def _is_subset(part: Mapping[str, Any], superset: Mapping[str, Any]) -> bool:
    maps = all(
        superset[name].get(key) == value for name in ("env_vars", "mcp_servers") for key, value in part[name].items()
    )
    return maps and all(set(part[name]) <= set(superset[name]) for name in ("secrets", "integration_ids"))


def _field_difference(
    resource: DesiredResource, field: str, after: Any, current: Mapping[str, Any], marker_value: Marker | None
) -> FieldDifference | None:
    if field in RESOURCE_SCHEMAS[resource.kind].write_only:
        # Without a digest there is nothing to compare with.
        told = (
            marker_value is not None
            and not marker_value.combined
            and marker_value.digests.get(field) != value_digest(after)
        )
        return FieldDifference(field, WRITE_ONLY, after, has_drifted=False) if told else None
    before = current.get(field)
    if before == after:
        return None
    return FieldDifference(field, before, after, marker_value.has_drifted(field, current) if marker_value else None)


def _abandoned_fields(resource: DesiredResource, marker_value: Marker, current: Mapping[str, Any]) -> Iterator[str]:
    """The fields that were sent, and of which the tree says nothing any more."""
    shape = RESOURCE_SCHEMAS[resource.kind]
    given = marker_value.fields - resource.state.keys() - {"name", "skill_ids"}
    return (field for field in given if field in shape.fields and (field in current or field in shape.write_only))


def _default_value(resource: DesiredResource, field: str) -> Any:
    return normalize_field(resource.kind, field, RESOURCE_SCHEMAS[resource.kind].fields[field], resource.body)


def links_digest(resource: DesiredResource, live_object: ApiObject, context: ComparisonContext) -> str:
    """What stands for the associations that an object has; of a project, those with what is ours."""
    has = _current_links(resource.ref, live_object, context)
    kept = {place: said for place, said in has.items() if resource.kind != "project" or place[1] in context.owned_ids}
    return value_digest(sorted([relation, id, said] for (relation, id), said in kept.items()))


def diff_links(
    resource: DesiredResource, live_object: ApiObject | None, context: ComparisonContext
) -> tuple[LinkChange, ...]:
    """The associations that are missing, or there and not wanted."""
    has = _current_links(resource.ref, live_object, context) if live_object else {}
    if resource.kind == "policy" and live_object and _has_unrecorded_bindings(resource, live_object, context):
        return ()
    should = {}
    for link in resource.links:
        id = context.ids.get(link.member) if isinstance(link.member, ResourceRef) else link.member
        should[link.relation, id or str(link.member)] = LinkChange(
            link.relation, link.member, id, link.body, is_addition=True
        )
    made = {place: joint for place, joint in should.items() if not _is_link_present(joint, has.get(place), context)}
    if live_object and resource.kind == "team":
        made = {place: joint for place, joint in made.items() if not is_skill_disabled(place[1], context.skills)}
    # None is changed by a request: one with another configuration is undone first.
    undone = [
        LinkChange(relation, _ref_or_id(id, context), id, {}, is_addition=False)
        for relation, id in has
        if (relation, id) in made
        or ((relation, id) not in should and (resource.kind != "project" or id in context.owned_ids))
    ]
    return (*undone, *made.values())


def _is_link_present(link_change: LinkChange, override_state: Any, context: ComparisonContext) -> bool:
    override = link_change.body.get("configuration_override")
    if override_state is None or link_change.id is None:
        return False
    return (
        override is None
        or _effective_overrides({link_change.id: override}, context.skills).get(link_change.id, {}) == override_state
    )


def _current_links(ref: ResourceRef, live_object: ApiObject, context: ComparisonContext) -> dict[tuple[str, str], Any]:
    """The associations that an object has, each with what is said of it."""
    if ref.kind == "environment":
        return {("skill", id): {} for id in live_object.get("skill_ids") or ()}
    if ref.kind == "team":
        return {("skill", one["id"]): _skill_override(one, context.skills) for one in live_object.get("skills") or ()}
    if ref.kind == "policy":
        bound = context.managed_ids.bindings.get(str(ref), {})
        return {_split_member(member): {} for member in bound}
    if ref.kind == "project":
        return {
            (other.kind, one["id"]): {}
            for other, one in context.live.objects.items()
            if other.kind in ("agent", "team")
            and any(each["id"] == live_object["id"] for each in one.get("projects") or ())
        }
    return {}


def _has_unrecorded_bindings(resource: DesiredResource, live_object: ApiObject, context: ComparisonContext) -> bool:
    """Whether a policy has as many bindings as it should, and nobody here has made or noted them."""
    return str(resource.ref) not in context.managed_ids.bindings and live_object.get("association_count") == len(
        resource.links
    )


def _skill_override(used: ApiObject, skills: Mapping[str, ApiObject]) -> dict[str, Any]:
    found = _effective_overrides({used["id"]: used.get("configuration") or {}}, skills)
    return dict(found.get(used["id"], {}))


def _split_member(member: str) -> tuple[str, str]:
    kind, _, id = member.partition("/")
    return kind, id


def _ref_or_id(id: str, context: ComparisonContext) -> ResourceRef | str:
    return next((ref for ref, other in context.ids.items() if other == id), id)


def normalize_override(link: DesiredLink, skill: str, skills: Mapping[str, ApiObject]) -> dict[str, Any]:
    """What an association says of a skill, in the shape in which it is compared."""
    override = link.body.get("configuration_override")
    return dict(_effective_overrides({skill: override}, skills).get(skill, {})) if override else {}


def normalize_fields(kind: ResourceKind, state: Mapping[str, Any]) -> dict[str, Any]:
    """Fields, their references filled in, in the shape in which they are compared."""
    return {field: normalize_field(kind, field, value, state) for field, value in state.items()}
