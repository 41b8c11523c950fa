"""Plan the changes that make the control plane match the tree. Sends no request and contains no secret."""

import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import RESOURCE_KINDS, DesiredResource, ResourceRef
from envtree.controlplane.sync.associations import with_associations
from envtree.controlplane.sync.compare_resource import (
    ComparisonContext,
    FieldDifference,
    desired_fields,
    diff_fields,
    diff_links,
    links_digest,
)
from envtree.controlplane.sync.managed_ids import ManagedIds
from envtree.controlplane.sync.marker import LINKS_KEY, read_marker
from envtree.controlplane.sync.plan_model import SERVER_MANAGED, ResourceChange, SyncPlan
from envtree.controlplane.sync.resource_schemas import RESOURCE_SCHEMAS, ApiObject, normalize_object
from envtree.controlplane.sync.side_effects import predict_side_effects
from envtree.model.canonical_json import encode_canonical


def select_drift(plan: SyncPlan, managed_ids: ManagedIds) -> SyncPlan:
    """Return the part of a plan that reverts changes made at the control plane."""
    changes = tuple(filter(None, (_drifted_change(change, managed_ids) for change in plan.changes)))
    return plan._replace(changes=changes, conflicts=(), unmanaged=(), warnings=())


def _drifted_change(change: ResourceChange, managed_ids: ManagedIds) -> ResourceChange | None:
    if change.action == "delete":
        return None
    if change.action == "create":
        # An object with a known id existed before; any other has not been applied yet.
        was_deleted = str(change.ref) in managed_ids.objects
        return change._replace(reason="it was removed at the control plane") if was_deleted else None
    # Without a digest it is unknown whether a field has drifted, so it is reported.
    differences = tuple(difference for difference in change.differences if difference.has_drifted is not False)
    link_changes = () if change.have_links_drifted is False else change.link_changes
    if not differences and not link_changes:
        return None
    return change._replace(
        differences=differences, link_changes=link_changes, reason="it was changed at the control plane"
    )


def make_plan(desired: Iterable[DesiredResource], live: LiveState, managed_ids: ManagedIds) -> SyncPlan:
    """Compare the tree with the live state."""
    resources = with_associations(desired, live)
    owned = frozenset(
        ref for ref, live_object in live.objects.items() if is_managed(ref, live_object, live, managed_ids)
    )
    claimed = owned | (SERVER_MANAGED & {resource.ref for resource in resources} & live.objects.keys())
    context = _build_context(resources, live, managed_ids, claimed)
    changes = [
        _resource_change(resource, live, context)
        for resource in resources
        if resource.ref not in live.objects or resource.ref in claimed
    ]
    removed = owned - {resource.ref for resource in resources}
    plan = SyncPlan(
        organization=live.organization,
        desired=resources,
        changes=tuple(_sort_changes([*filter(None, changes), *(_deletion(ref, live) for ref in removed)])),
        unmanaged=tuple(sorted(live.objects.keys() - claimed - {ResourceRef("organization", live.organization)})),
        conflicts=tuple(
            resource.ref for resource in resources if resource.ref in live.objects and resource.ref not in claimed
        ),
        warnings=(),
        fingerprint=live_fingerprint(live, managed_ids),
    )
    return plan._replace(warnings=tuple(predict_side_effects(plan, live)))


def is_managed(ref: ResourceRef, live_object: ApiObject, live: LiveState, managed_ids: ManagedIds) -> bool:
    """Report whether the tree owns an object, by marker or by id. It always owns the organization's settings."""
    if ref.kind == "organization":
        return True
    marker = read_marker(ref.kind, live_object)
    return (marker is not None and marker.owner == live.organization) or managed_ids.owns(
        ref, str(live_object.get("id"))
    )


def _build_context(
    resources: Iterable[DesiredResource], live: LiveState, managed_ids: ManagedIds, claimed: frozenset[ResourceRef]
) -> ComparisonContext:
    ids = live.ids_by_ref()
    skills = {str(live_object["id"]): live_object for ref, live_object in live.objects.items() if ref.kind == "skill"}
    owned = frozenset(ids[resource.ref] for resource in resources if resource.ref in claimed and resource.ref in ids)
    objects_by_id = {str(live_object.get("id")): live_object for live_object in live.objects.values()}
    context = ComparisonContext(live, ids, managed_ids, skills, objects_by_id, owned)
    # A replaced object gets another id.
    replaced = {
        resource.ref
        for resource in resources
        if resource.ref in claimed and _needs_replacement(resource, live, context)
    }
    context = context._replace(ids={ref: id for ref, id in ids.items() if ref not in replaced})
    environments = [
        resource
        for resource in resources
        if resource.kind == "environment" and resource.ref in claimed and resource.ref in ids
    ]
    changing = (
        ids[resource.ref] for resource in environments if diff_fields(resource, live.objects[resource.ref], context)
    )
    return context._replace(changing_environments=frozenset(changing))


def _needs_replacement(resource: DesiredResource, live: LiveState, context: ComparisonContext) -> bool:
    differences = diff_fields(resource, live.objects[resource.ref], context)
    return any(difference.field in RESOURCE_SCHEMAS[resource.kind].immutable for difference in differences)


def _creation(resource: DesiredResource, context: ComparisonContext) -> ResourceChange:
    fields = sorted(desired_fields(resource, context).items())
    return ResourceChange(
        action="create",
        ref=resource.ref,
        id=None,
        path=resource.origin.path,
        reason="it is not there",
        differences=tuple(FieldDifference(field, None, value, None) for field, value in fields),
        link_changes=diff_links(resource, None, context),
    )


def _resource_change(resource: DesiredResource, live: LiveState, context: ComparisonContext) -> ResourceChange | None:
    live_object = live.objects.get(resource.ref)
    if live_object is None:
        return _creation(resource, context)
    differences = diff_fields(resource, live_object, context)
    immutable = RESOURCE_SCHEMAS[resource.kind].immutable
    immutable_fields = [difference.field for difference in differences if difference.field in immutable]
    if immutable_fields:
        return ResourceChange(
            action="replace",
            ref=resource.ref,
            id=str(live_object["id"]),
            path=resource.origin.path,
            reason=f"no request changes '{immutable_fields[0]}'",
            differences=differences,
            link_changes=diff_links(resource, None, context),
        )
    link_changes = diff_links(resource, live_object, context)
    if not differences and not link_changes:
        return None
    have_links_drifted = _have_links_drifted(resource, live_object, context) if link_changes else False
    drift = {difference.has_drifted for difference in differences} | ({have_links_drifted} if link_changes else set())
    return ResourceChange(
        action="update",
        ref=resource.ref,
        id=live_object.get("id"),
        path=resource.origin.path,
        reason=_change_reason(drift),
        differences=differences,
        link_changes=link_changes,
        have_links_drifted=have_links_drifted,
    )


def _have_links_drifted(resource: DesiredResource, live_object: ApiObject, context: ComparisonContext) -> bool | None:
    marker = read_marker(resource.kind, live_object)
    sent = marker.digests.get(LINKS_KEY) if marker else None
    return None if sent is None else sent != links_digest(resource, live_object, context)


def _change_reason(drift: set[bool | None]) -> str:
    if drift == {True}:
        return "it was changed at the control plane"
    return "the tree has changed" if drift == {False} else "it differs from the tree"


def _deletion(ref: ResourceRef, live: LiveState) -> ResourceChange:
    id = live.objects[ref].get("id")
    return ResourceChange(action="delete", ref=ref, id=id, path="", reason="the tree no longer has it")


def _sort_changes(changes: Iterable[ResourceChange]) -> list[ResourceChange]:
    """Sort the changes: creations and updates in the order of kinds, then deletions in reverse."""

    def sort_key(change: ResourceChange) -> tuple[Any, ...]:
        kind_index = RESOURCE_KINDS.index(change.ref.kind)
        return (1, -kind_index, change.ref.name) if change.action == "delete" else (0, kind_index, change.ref.name)

    return sorted((change for change in changes if change.action != "delete" or change.id), key=sort_key)


def live_fingerprint(live: LiveState, managed_ids: ManagedIds) -> str:
    """Return a digest of a live state that changes with anything a plan could depend on."""
    skills = {str(live_object["id"]): live_object for ref, live_object in live.objects.items() if ref.kind == "skill"}
    entries = [
        [
            str(ref),
            live_object.get("id"),
            normalize_object(ref.kind, live_object, skills),
            _marker_data(ref, live_object),
            _related_ids(live_object),
        ]
        for ref, live_object in sorted(live.objects.items())
    ]
    managed = [managed_ids.objects, managed_ids.bindings]
    return hashlib.sha256(
        encode_canonical([live.organization, entries, sorted(map(str, live.duplicates)), managed])
    ).hexdigest()


def _marker_data(ref: ResourceRef, live_object: ApiObject) -> list[Any]:
    marker = read_marker(ref.kind, live_object)
    if marker is None:
        return []
    fields, digest = marker.combined or ((), "")
    return [marker.owner, marker.digests, sorted(fields), digest]


def _related_ids(live_object: ApiObject) -> list[list[str]]:
    return [sorted(str(related["id"]) for related in live_object.get(name) or ()) for name in ("projects", "skills")]


def find_protected(changes: Iterable[ResourceChange], patterns: Iterable[str]) -> Iterator[ResourceRef]:
    """Yield the objects that would be deleted or replaced and must not be."""
    names = tuple(patterns)
    for change in changes:
        if change.action in ("delete", "replace") and (
            change.ref in SERVER_MANAGED
            or (change.ref.kind == "worker_queue" and change.ref.name.endswith("/default"))
            or any(fnmatchcase(str(change.ref), pattern) for pattern in names)
        ):
            yield change.ref
