"""Compare one live object with its desired resource, field by field and link by link."""

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
    """A stand-in for a value that the server never returns."""

    def __repr__(self) -> str:
        return "unread"


WRITE_ONLY = WriteOnlyValue()


class FieldDifference(NamedTuple):
    """A field that is not as desired; `has_drifted` says that it is not as last sent, None if unknown."""

    field: str
    before: Any
    after: Any
    has_drifted: bool | None


class LinkChange(NamedTuple):
    """An association to create or delete; `id` is the member's, None until it exists."""

    relation: str
    member: ResourceRef | str
    id: str | None
    body: Mapping[str, Any]
    is_addition: bool


class ComparisonContext(NamedTuple):
    """The data about other objects that a comparison needs."""

    live: LiveState
    ids: Mapping[ResourceRef, str]
    managed_ids: ManagedIds
    skills: Mapping[str, ApiObject]
    # All live objects by id.
    objects_by_id: Mapping[str, ApiObject]
    owned_ids: frozenset[str]
    # The ids of environments that the plan changes.
    changing_environments: frozenset[str] = frozenset()

    def id_of(self, ref: ResourceRef) -> str:
        """Return the id of an object; for one that does not exist yet, a text that equals no id."""
        return self.ids.get(ref, f"$ref:{ref}")


def desired_fields(resource: DesiredResource, context: ComparisonContext) -> dict[str, Any]:
    """Return the desired fields of an object, normalized for comparison."""
    state = substitute_refs(resource.state, context.id_of)
    fields = normalize_fields(resource.kind, state)
    if resource.kind == "agent":
        fields = _without_disabled_skills(fields, context.skills)
    if "skill_configurations" in fields:
        fields["skill_configurations"] = _effective_overrides(fields["skill_configurations"], context.skills)
    # The server gives a skill to an agent without any, and no request removes its last one.
    return {
        field: value for field, value in fields.items() if field != "skill_ids" or value or resource.kind != "agent"
    }


def _without_disabled_skills(fields: dict[str, Any], skills: Mapping[str, ApiObject]) -> dict[str, Any]:
    """Return an agent's fields without disabled skills, which the server does not return."""
    disabled = {id for id in skills if is_skill_disabled(id, skills)}
    ids = [id for id in fields.get("skill_ids", ()) if id not in disabled]
    overrides = {id: override for id, override in fields.get("skill_configurations", {}).items() if id not in disabled}
    return fields | {
        name: value for name, value in (("skill_ids", ids), ("skill_configurations", overrides)) if name in fields
    }


def is_skill_disabled(id: str, skills: Mapping[str, ApiObject]) -> bool:
    """Report whether a skill is disabled."""
    return skills.get(id, {}).get("enabled") is False


def _effective_overrides(overrides: Mapping[str, Any], skills: Mapping[str, ApiObject]) -> dict[str, Any]:
    defaults = {id: skills.get(id, {}).get("configuration") or {} for id in overrides}
    effective = {
        id: {k: v for k, v in override.items() if defaults[id].get(k) != v} for id, override in overrides.items()
    }
    return {id: override for id, override in effective.items() if override}


def diff_fields(
    resource: DesiredResource, live_object: ApiObject, context: ComparisonContext
) -> tuple[FieldDifference, ...]:
    """Return the fields that differ, sorted by name, including those that the tree no longer sets."""
    current, marker, desired = (
        normalize_object(resource.kind, live_object, context.skills),
        read_marker(resource.kind, live_object),
        desired_fields(resource, context),
    )
    if resource.kind == "agent":
        current["skill_ids"] = _own_skills(current["skill_ids"], live_object, desired, context)
    abandoned = _abandoned_fields(resource, marker, current) if marker else ()
    fields = {**{field: _default_value(resource, field) for field in abandoned}, **desired}
    differences = tuple(
        filter(None, (_field_difference(resource, field, fields[field], current, marker) for field in sorted(fields)))
    )
    # An imported object, which has no marker, stays unchanged as long as its environment is equivalent.
    return (
        differences
        if marker
        or not all(_is_equivalent_environment(resource, difference, live_object, context) for difference in differences)
        else ()
    )


def _own_skills(
    skills: Iterable[str], live_object: ApiObject, desired: Mapping[str, Any], context: ComparisonContext
) -> list[str]:
    """Return an agent's skills without those of its team and environments, which the server includes."""
    holders = {live_object.get("team_id"), *(owner["id"] for owner in live_object.get("environments") or ())}
    owners = (context.objects_by_id.get(holder, {}) for holder in holders)
    inherited = {id for owner in owners for id in owner.get("skill_ids") or ()} - set(desired.get("skill_ids", ()))
    return [id for id in skills if id not in inherited]


def _is_equivalent_environment(
    resource: DesiredResource, difference: FieldDifference, live_object: ApiObject, context: ComparisonContext
) -> bool:
    """Report whether a handwritten environment, with fewer or more entries, gives agents the same values."""
    if difference.field != "execution_environment" or not difference.before:
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
    resource: DesiredResource, field: str, after: Any, current: Mapping[str, Any], marker: Marker | None
) -> FieldDifference | None:
    if field in RESOURCE_SCHEMAS[resource.kind].write_only:
        # Without a digest there is nothing to compare with.
        has_changed = marker is not None and not marker.combined and marker.digests.get(field) != value_digest(after)
        return FieldDifference(field, WRITE_ONLY, after, has_drifted=False) if has_changed else None
    before = current.get(field)
    if before == after:
        return None
    return FieldDifference(field, before, after, marker.has_drifted(field, current) if marker else None)


def _abandoned_fields(resource: DesiredResource, marker: Marker, current: Mapping[str, Any]) -> Iterator[str]:
    """Yield the fields that were sent and that the tree no longer sets."""
    schema = RESOURCE_SCHEMAS[resource.kind]
    abandoned = marker.fields - resource.state.keys() - {"name", "skill_ids"}
    return (field for field in abandoned if field in schema.fields and (field in current or field in schema.write_only))


def _default_value(resource: DesiredResource, field: str) -> Any:
    return normalize_field(resource.kind, field, RESOURCE_SCHEMAS[resource.kind].fields[field], resource.body)


def links_digest(resource: DesiredResource, live_object: ApiObject, context: ComparisonContext) -> str:
    """Return the digest of an object's associations; of a project, only those with owned objects."""
    current = _current_links(resource.ref, live_object, context)
    compared = {
        key: override for key, override in current.items() if resource.kind != "project" or key[1] in context.owned_ids
    }
    return value_digest(sorted([relation, id, override] for (relation, id), override in compared.items()))


def diff_links(
    resource: DesiredResource, live_object: ApiObject | None, context: ComparisonContext
) -> tuple[LinkChange, ...]:
    """Return the associations to delete and to create."""
    current = _current_links(resource.ref, live_object, context) if live_object else {}
    if resource.kind == "policy" and live_object and _has_unrecorded_bindings(resource, live_object, context):
        return ()
    desired = {}
    for link in resource.links:
        id = context.ids.get(link.member) if isinstance(link.member, ResourceRef) else link.member
        desired[link.relation, id or str(link.member)] = LinkChange(
            link.relation, link.member, id, link.body, is_addition=True
        )
    added = {
        key: link_change
        for key, link_change in desired.items()
        if not _is_link_present(link_change, current.get(key), context)
    }
    if live_object and resource.kind == "team":
        added = {
            key: link_change for key, link_change in added.items() if not is_skill_disabled(key[1], context.skills)
        }
    # No request changes an association: one with another configuration is deleted and created again.
    removed = [
        LinkChange(relation, _ref_or_id(id, context), id, {}, is_addition=False)
        for relation, id in current
        if (relation, id) in added
        or ((relation, id) not in desired and (resource.kind != "project" or id in context.owned_ids))
    ]
    return (*removed, *added.values())


def _is_link_present(link_change: LinkChange, override_state: Any, context: ComparisonContext) -> bool:
    override = link_change.body.get("configuration_override")
    if override_state is None or link_change.id is None:
        return False
    return (
        override is None
        or _effective_overrides({link_change.id: override}, context.skills).get(link_change.id, {}) == override_state
    )


def _current_links(ref: ResourceRef, live_object: ApiObject, context: ComparisonContext) -> dict[tuple[str, str], Any]:
    """Return the associations of an object by relation and id, each with its configuration override."""
    if ref.kind == "environment":
        return {("skill", id): {} for id in live_object.get("skill_ids") or ()}
    if ref.kind == "team":
        return {
            ("skill", used["id"]): _skill_override(used, context.skills) for used in live_object.get("skills") or ()
        }
    if ref.kind == "policy":
        bindings = context.managed_ids.bindings.get(str(ref), {})
        return {_split_member(member): {} for member in bindings}
    if ref.kind == "project":
        return {
            (member.kind, candidate["id"]): {}
            for member, candidate in context.live.objects.items()
            if member.kind in ("agent", "team")
            and any(project["id"] == live_object["id"] for project in candidate.get("projects") or ())
        }
    return {}


def _has_unrecorded_bindings(resource: DesiredResource, live_object: ApiObject, context: ComparisonContext) -> bool:
    """Report whether a policy has the desired number of bindings, none of which is in the file of ids."""
    return str(resource.ref) not in context.managed_ids.bindings and live_object.get("association_count") == len(
        resource.links
    )


def _skill_override(used: ApiObject, skills: Mapping[str, ApiObject]) -> dict[str, Any]:
    overrides = _effective_overrides({used["id"]: used.get("configuration") or {}}, skills)
    return dict(overrides.get(used["id"], {}))


def _split_member(member: str) -> tuple[str, str]:
    kind, _, id = member.partition("/")
    return kind, id


def _ref_or_id(id: str, context: ComparisonContext) -> ResourceRef | str:
    return next((ref for ref, known_id in context.ids.items() if known_id == id), id)


def normalize_override(link: DesiredLink, skill: str, skills: Mapping[str, ApiObject]) -> dict[str, Any]:
    """Return the configuration override of an association, normalized for comparison."""
    override = link.body.get("configuration_override")
    return dict(_effective_overrides({skill: override}, skills).get(skill, {})) if override else {}


def normalize_fields(kind: ResourceKind, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields whose references are substituted, normalized for comparison."""
    return {field: normalize_field(kind, field, value, state) for field, value in state.items()}
