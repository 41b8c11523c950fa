"""Apply a plan to the control plane, one kind of resource after the other; read each object back and compare it.

An interrupted run needs no cleanup, because the next plan starts from the live state: a created object carries its
marker from the first request on, missing objects are created, and half-updated ones are updated.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from threading import Lock
from typing import Any, NamedTuple

from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.api.live_state import LiveState, read_object
from envtree.controlplane.api.object_shapes import created_id
from envtree.controlplane.desired import DesiredResource, ResourceRef, substitute_refs
from envtree.controlplane.sync.associations import apply_link_change
from envtree.controlplane.sync.compare_resource import (
    FieldDifference,
    is_skill_disabled,
    normalize_fields,
    normalize_override,
)
from envtree.controlplane.sync.managed_ids import ManagedIds
from envtree.controlplane.sync.marker import Marker, build_marker, read_marker, value_digest
from envtree.controlplane.sync.plan_model import ResourceChange, SyncPlan
from envtree.controlplane.sync.request_bodies import create_body, resource_path, update_body
from envtree.controlplane.sync.resource_schemas import RESOURCE_SCHEMAS, ApiObject, normalize_object
from envtree.model.diagnostic import MachineError

_CREATING_ACTIONS = ("create", "replace")
# The server handles requests one after the other, so concurrency saves only the latency of the network.
_MAX_CONCURRENT = 4


class ApplyContext(NamedTuple):
    """The environment of an apply: `store_ids` saves the ids after each change, `prune` permits deletions."""

    client: Client
    store_ids: Callable[[ManagedIds], None]
    report_progress: Callable[[str], None]
    prune: bool = False


def apply_plan(plan: SyncPlan, live: LiveState, managed_ids: ManagedIds, context: ApplyContext) -> None:
    """Make all changes of a plan in its order; delete only with `context.prune`."""
    try:
        _PlanApplication(plan, live, managed_ids, context).run()
    except ApiError as error:
        raise error.to_machine_error() from None


class _PlanApplication:
    def __init__(self, plan: SyncPlan, live: LiveState, managed_ids: ManagedIds, context: ApplyContext) -> None:
        self._plan, self._live, self._managed_ids, self._context = plan, live, managed_ids, context
        self._desired = {resource.ref: resource for resource in plan.desired}
        self._ids = live.ids_by_ref()
        self._objects: dict[ResourceRef, ApiObject] = dict(live.objects)
        self._ids_lock = Lock()

    def run(self) -> None:
        changes = [change for change in self._plan.changes if change.action != "delete"]
        for _, group in groupby(changes, lambda change: change.ref.kind):
            self._run_concurrently(self._create_or_update, list(group))
        # Fields that refer to other resources are sent once all resources exist.
        late = (change for change in changes if self._desired[change.ref].late)
        for _, group in groupby(late, lambda change: change.ref.kind):
            self._run_concurrently(self._update, list(group))
        for change in changes:
            self._apply_link_changes(change)
        for change in self._plan.changes if self._context.prune else ():
            if change.action == "delete" and change.id:
                self._delete(change.ref, change.id)
                self._context.report_progress(f"removed {change.ref}")

    def _run_concurrently(self, function: Callable[[ResourceChange], None], changes: list[ResourceChange]) -> None:
        """Call the function for changes of one kind, which are independent of each other, a few at a time."""
        pool = ThreadPoolExecutor(_MAX_CONCURRENT)
        try:
            for future in [pool.submit(function, change) for change in changes]:
                future.result()
        finally:
            # After the first failure no further request starts.
            pool.shutdown(cancel_futures=True)

    def _create_or_update(self, change: ResourceChange) -> None:
        """Create or update an object; an update with late fields waits until all objects exist."""
        if change.action in _CREATING_ACTIONS:
            self._create(change)
        elif not self._desired[change.ref].late:
            self._update(change)

    def _create(self, change: ResourceChange) -> None:
        resource = self._desired[change.ref]
        if change.action == "replace" and change.id:
            self._delete(change.ref, change.id)
        if resource.kind == "organization":
            self._update(change)
            return
        body = create_body(resource, self._id_of, self._build_marker(resource, resource.body))
        created = self._context.client.send("POST", resource_path(resource, self._id_of), body)
        self._record_id(resource.ref, created_id(created, f"the new {resource.ref}"))
        error = self._verify_stored(resource, resource.body)
        if error:
            raise error
        self._context.report_progress(
            f"created {change.ref}" if change.action == "create" else f"made {change.ref} anew"
        )

    def _update(self, change: ResourceChange) -> None:
        """Send the fields that differ, or the late fields of an object that was created in this run."""
        resource = self._desired[change.ref]
        is_new = change.action in _CREATING_ACTIONS and resource.kind != "organization"
        fields = self._late_fields(resource) if is_new else self._changed_fields(change, resource)
        needs_marker_update = (
            bool(change.link_changes) and bool(RESOURCE_SCHEMAS[resource.kind].marker_path) and not is_new
        )
        if not fields and not needs_marker_update:
            return
        live_object = self._objects[resource.ref]
        if not is_new and read_marker(resource.kind, live_object) is None:
            # Without a marker the write-only fields cannot be compared, so they are always sent.
            fields |= {
                field: self._substitute_ids(resource.state[field])
                for field in RESOURCE_SCHEMAS[resource.kind].write_only & resource.state.keys()
            }
        body = update_body(resource, fields, live_object, self._build_marker(resource, resource.state), self._id_of)
        server_error = self._send_update(resource, body)
        if resource.kind != "organization":
            self._record_id(resource.ref, self._ids[resource.ref])
        error = self._verify_stored(
            resource, {field: resource.state[field] for field in fields if field in resource.state}
        )
        if error:
            raise server_error or error
        if not is_new and fields:
            self._context.report_progress(f"updated {change.ref}")

    def _send_update(self, resource: DesiredResource, body: Mapping[str, Any]) -> ApiError | None:
        """Send an update. Return a 500, which may come after the change has been stored: reading back decides."""
        path = resource_path(resource, self._id_of, self._ids.get(resource.ref))
        try:
            self._context.client.send(RESOURCE_SCHEMAS[resource.kind].update_method, path, body)
        except ApiError as error:
            if error.status != 500:
                raise
            return error
        return None

    def _late_fields(self, resource: DesiredResource) -> dict[str, Any]:
        return {field: self._substitute_ids(value) for field, value in resource.late.items()}

    def _changed_fields(self, change: ResourceChange, resource: DesiredResource) -> dict[str, Any]:
        return {difference.field: self._new_value(resource, difference) for difference in change.differences}

    def _new_value(self, resource: DesiredResource, difference: FieldDifference) -> Any:
        return (
            self._substitute_ids(resource.state[difference.field])
            if difference.field in resource.state
            else difference.after
        )

    def _apply_link_changes(self, change: ResourceChange) -> None:
        """Create and delete associations; those with a deleted member are already gone."""
        for link_change in change.link_changes:
            id = self._ids.get(link_change.member) if isinstance(link_change.member, ResourceRef) else link_change.id
            if link_change.is_addition or (id or link_change.id):
                self._managed_ids = apply_link_change(
                    change.ref, link_change, id or link_change.id, self._ids, self._managed_ids, self._context.client
                )
                self._context.store_ids(self._managed_ids)
        if change.link_changes and change.action == "update":
            self._context.report_progress(f"updated what goes with {change.ref}")

    def _delete(self, ref: ResourceRef, id: str) -> None:
        try:
            self._context.client.send("DELETE", f"{RESOURCE_SCHEMAS[ref.kind].path}/{id}")
        except ApiError as error:
            # It was deleted together with another object, or earlier.
            if error.status != 404:
                raise
        self._ids.pop(ref, None)
        self._store_id(ref, None)

    def _record_id(self, ref: ResourceRef, id: str) -> None:
        self._ids[ref] = id
        if not self._managed_ids.owns(ref, id):
            self._store_id(ref, id)

    def _store_id(self, ref: ResourceRef, id: str | None) -> None:
        with self._ids_lock:
            self._managed_ids = self._managed_ids.with_object(ref, id)
            self._context.store_ids(self._managed_ids)

    def _id_of(self, ref: ResourceRef) -> str:
        return self._ids[ref]

    def _substitute_ids(self, value: Any) -> Any:
        return substitute_refs(value, self._id_of)

    def _build_marker(self, resource: DesiredResource, fields: Mapping[str, Any]) -> Marker:
        normalized = normalize_fields(resource.kind, self._substitute_ids(fields))
        links = self._links_digest(resource) if RESOURCE_SCHEMAS[resource.kind].marker_path else None
        return build_marker(resource.kind, self._plan.organization, normalized, links)

    def _links_digest(self, resource: DesiredResource) -> str:
        """Return the digest of the desired associations; all members exist before their owner."""
        entries = (
            [
                link.relation,
                self._substitute_ids(link.member),
                normalize_override(link, self._substitute_ids(link.member), self._skills_by_id()),
            ]
            for link in resource.links
        )
        return value_digest(sorted(entries))

    def _verify_stored(self, resource: DesiredResource, sent: Mapping[str, Any]) -> MachineError | None:
        """Read an object back and compare the sent fields: a successful response does not mean that all were stored."""
        id = self._ids.get(resource.ref)
        path = RESOURCE_SCHEMAS[resource.kind].path + (f"/{id}" if id else "")
        live_object = read_object(self._context.client, resource.kind, path)
        self._objects[resource.ref] = live_object
        current, marker = (
            normalize_object(resource.kind, live_object, self._skills_by_id()),
            read_marker(resource.kind, live_object),
        )
        for field, value in normalize_fields(resource.kind, self._substitute_ids(sent)).items():
            is_stored = (
                current[field] == value
                if field in current
                else not marker or marker.digests.get(field) == value_digest(value)
            )
            if not is_stored and not _is_server_augmented(resource, field, value, current, self._skills_by_id()):
                message = f"the control plane did not keep '{field}' of {resource.ref} as it was sent"
                return MachineError("ET905", message, "run 'envtree kubiya plan' to see what is there now")
        return None

    def _skills_by_id(self) -> dict[str, ApiObject]:
        objects = list(self._objects.items())
        return {self._ids[ref]: live_object for ref, live_object in objects if ref in self._ids and ref.kind == "skill"}


def _is_server_augmented(
    resource: DesiredResource, field: str, value: Any, current: Mapping[str, Any], skills: Mapping[str, ApiObject]
) -> bool:
    """Report whether the server returns a field merged with other values, or adds to it."""
    if resource.kind != "agent":
        return False
    enabled = {id for id in value if not is_skill_disabled(id, skills)}
    return field == "skill_configurations" or (field == "skill_ids" and enabled <= set(current[field]))


def planned_deletions(plan: SyncPlan) -> Iterator[ResourceRef]:
    """Yield the objects that a plan would delete."""
    return (change.ref for change in plan.changes if change.action == "delete")
