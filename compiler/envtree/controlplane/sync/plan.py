"""What it takes to make the control plane as the tree says: no request that changes anything, and no secret."""

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
    """The part of a plan that undoes what somebody has done."""
    changes = tuple(filter(None, (_drifted_change(change, managed_ids) for change in plan.changes)))
    return plan._replace(changes=changes, conflicts=(), unmanaged=(), warnings=())


def _drifted_change(change: ResourceChange, managed_ids: ManagedIds) -> ResourceChange | None:
    if change.action == "delete":
        return None
    if change.action == "create":
        # It was there once if we know its id; otherwise it has not been applied yet.
        gone = str(change.ref) in managed_ids.objects
        return change._replace(reason="it was removed at the control plane") if gone else None
    # Where there is no digest nobody can tell, and it is better to look.
    moved = tuple(each for each in change.differences if each.has_drifted is not False)
    joints = () if change.have_links_drifted is False else change.link_changes
    if not moved and not joints:
        return None
    return change._replace(differences=moved, link_changes=joints, reason="it was changed at the control plane")


def make_plan(desired: Iterable[DesiredResource], live: LiveState, managed_ids: ManagedIds) -> SyncPlan:
    """Compare the tree with the live state."""
    resources = with_associations(desired, live)
    owned = frozenset(ref for ref, found in live.objects.items() if is_managed(ref, found, live, managed_ids))
    claimed = owned | (SERVER_MANAGED & {one.ref for one in resources} & live.objects.keys())
    context = _build_context(resources, live, managed_ids, claimed)
    changes = [
        _resource_change(one, live, context) for one in resources if one.ref not in live.objects or one.ref in claimed
    ]
    gone = owned - {one.ref for one in resources}
    found = SyncPlan(
        live.organization,
        resources,
        tuple(_sort_changes([*filter(None, changes), *(_deletion(ref, live) for ref in gone)])),
        tuple(sorted(live.objects.keys() - claimed - {ResourceRef("organization", live.organization)})),
        tuple(one.ref for one in resources if one.ref in live.objects and one.ref not in claimed),
        (),
        live_fingerprint(live, managed_ids),
    )
    return found._replace(warnings=tuple(predict_side_effects(found, live)))


def is_managed(ref: ResourceRef, live_object: ApiObject, live: LiveState, managed_ids: ManagedIds) -> bool:
    """Whether an object belongs to the tree: by its marker, or by its id. Settings belong to whoever says them."""
    if ref.kind == "organization":
        return True
    mark = read_marker(ref.kind, live_object)
    return (mark is not None and mark.owner == live.organization) or managed_ids.owns(ref, str(live_object.get("id")))


def _build_context(
    resources: Iterable[DesiredResource], live: LiveState, managed_ids: ManagedIds, claimed: frozenset[ResourceRef]
) -> ComparisonContext:
    ids = live.ids_by_ref()
    skills = {str(found["id"]): found for ref, found in live.objects.items() if ref.kind == "skill"}
    owned = frozenset(ids[one.ref] for one in resources if one.ref in claimed and one.ref in ids)
    by_id = {str(found.get("id")): found for found in live.objects.values()}
    context = ComparisonContext(live, ids, managed_ids, skills, by_id, owned)
    # What is made anew has another id then.
    anew = {one.ref for one in resources if one.ref in claimed and _needs_replacement(one, live, context)}
    context = context._replace(ids={ref: id for ref, id in ids.items() if ref not in anew})
    sites = [one for one in resources if one.kind == "environment" and one.ref in claimed and one.ref in ids]
    changing = (ids[one.ref] for one in sites if diff_fields(one, live.objects[one.ref], context))
    return context._replace(changing_environments=frozenset(changing))


def _needs_replacement(resource: DesiredResource, live: LiveState, context: ComparisonContext) -> bool:
    found = diff_fields(resource, live.objects[resource.ref], context)
    return any(each.field in RESOURCE_SCHEMAS[resource.kind].immutable for each in found)


def _resource_change(resource: DesiredResource, live: LiveState, context: ComparisonContext) -> ResourceChange | None:
    found = live.objects.get(resource.ref)
    if found is None:
        said = tuple(
            FieldDifference(field, None, value, None)
            for field, value in sorted(desired_fields(resource, context).items())
        )
        return ResourceChange(
            "create",
            resource.ref,
            None,
            resource.origin.path,
            "it is not there",
            said,
            diff_links(resource, None, context),
        )
    differing = diff_fields(resource, found, context)
    fixed = [each.field for each in differing if each.field in RESOURCE_SCHEMAS[resource.kind].immutable]
    if fixed:
        reason = f"no request changes '{fixed[0]}'"
        made = diff_links(resource, None, context)
        return ResourceChange("replace", resource.ref, str(found["id"]), resource.origin.path, reason, differing, made)
    made = diff_links(resource, found, context)
    if not differing and not made:
        return None
    rejoined = _have_links_drifted(resource, found, context) if made else False
    reason = _change_reason({*(each.has_drifted for each in differing), *([rejoined] if made else [])})
    return ResourceChange(
        "update", resource.ref, found.get("id"), resource.origin.path, reason, differing, made, rejoined
    )


def _have_links_drifted(resource: DesiredResource, live_object: ApiObject, context: ComparisonContext) -> bool | None:
    mark = read_marker(resource.kind, live_object)
    sent = mark.digests.get(LINKS_KEY) if mark else None
    return None if sent is None else sent != links_digest(resource, live_object, context)


def _change_reason(moved: set[bool | None]) -> str:
    if moved == {True}:
        return "it was changed at the control plane"
    return "the tree has changed" if moved == {False} else "it differs from the tree"


def _deletion(ref: ResourceRef, live: LiveState) -> ResourceChange:
    found = live.objects[ref]
    return ResourceChange("delete", ref, found.get("id"), "", "the tree no longer has it")


def _sort_changes(changes: Iterable[ResourceChange]) -> list[ResourceChange]:
    """What is made, in the order of its kinds; then what is removed, the other way round."""

    def place(change: ResourceChange) -> tuple[Any, ...]:
        at = RESOURCE_KINDS.index(change.ref.kind)
        return (1, -at, change.ref.name) if change.action == "delete" else (0, at, change.ref.name)

    return sorted((one for one in changes if one.action != "delete" or one.id), key=place)


def live_fingerprint(live: LiveState, managed_ids: ManagedIds) -> str:
    """What stands for a live state: it differs if anything differs that a plan could depend on."""
    skills = {str(found["id"]): found for ref, found in live.objects.items() if ref.kind == "skill"}
    told = [
        [
            str(ref),
            found.get("id"),
            normalize_object(ref.kind, found, skills),
            _marker_data(ref, found),
            _related_ids(found),
        ]
        for ref, found in sorted(live.objects.items())
    ]
    held = [managed_ids.objects, managed_ids.bindings]
    return hashlib.sha256(
        encode_canonical([live.organization, told, sorted(map(str, live.duplicates)), held])
    ).hexdigest()


def _marker_data(ref: ResourceRef, live_object: ApiObject) -> list[Any]:
    mark = read_marker(ref.kind, live_object)
    if mark is None:
        return []
    fields, told = mark.combined or ((), "")
    return [mark.owner, mark.digests, sorted(fields), told]


def _related_ids(live_object: ApiObject) -> list[list[str]]:
    return [sorted(str(one["id"]) for one in live_object.get(name) or ()) for name in ("projects", "skills")]


def find_protected(changes: Iterable[ResourceChange], patterns: Iterable[str]) -> Iterator[ResourceRef]:
    """The objects that would be removed, or made anew, and must not be."""
    names = tuple(patterns)
    for change in changes:
        if change.action in ("delete", "replace") and (
            change.ref in SERVER_MANAGED
            or (change.ref.kind == "worker_queue" and change.ref.name.endswith("/default"))
            or any(fnmatchcase(str(change.ref), pattern) for pattern in names)
        ):
            yield change.ref
