"""Make the control plane as a plan says, one kind after the other, each object read back and compared.

Whatever stops it, the next plan begins with what is there: what was created carries its marker from the first request
on, what is missing is made, what is half done is finished.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from threading import Lock
from typing import Any, NamedTuple

from envtree.controlplane.api.client import ApiError, Client
from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredResource, ResourceRef, substitute_refs
from envtree.controlplane.sync import request_bodies as sending
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
from envtree.controlplane.sync.resource_schemas import RESOURCE_SCHEMAS, ApiObject, normalize_object
from envtree.model.diagnostic import MachineError

_CREATING_ACTIONS = ("create", "replace")
# The server does one thing after the other, so more would only wait; the time that a request travels is saved.
_MAX_CONCURRENT = 4


class ApplyContext(NamedTuple):
    """What applying takes from outside: `keep` stores ids, `tell` hears of what is done, `prune` allows to remove."""

    client: Client
    store_ids: Callable[[ManagedIds], None]
    report_progress: Callable[[str], None]
    prune: bool = False


def apply_plan(plan: SyncPlan, live: LiveState, managed_ids: ManagedIds, context: ApplyContext) -> None:
    """Do all of a plan, in its order; what would be removed only where that is wanted."""
    try:
        _PlanApplication(plan, live, managed_ids, context).run()
    except ApiError as refused:
        raise refused.to_machine_error() from None


class _PlanApplication:
    def __init__(self, plan: SyncPlan, live: LiveState, managed_ids: ManagedIds, context: ApplyContext) -> None:
        self._plan, self._live, self._managed_ids, self._context = plan, live, managed_ids, context
        self._desired = {one.ref: one for one in plan.desired}
        self._ids = live.ids_by_ref()
        self._objects: dict[ResourceRef, ApiObject] = dict(live.objects)
        self._ids_lock = Lock()

    def run(self) -> None:
        changes = [one for one in self._plan.changes if one.action != "delete"]
        for _, alike in groupby(changes, lambda change: change.ref.kind):
            self._run_concurrently(self._create_or_update, list(alike))
        # What names others is said once all of them are there.
        late = (change for change in changes if self._desired[change.ref].late)
        for _, alike in groupby(late, lambda change: change.ref.kind):
            self._run_concurrently(self._update, list(alike))
        for change in changes:
            self._apply_link_changes(change)
        for change in self._plan.changes if self._context.prune else ():
            if change.action == "delete" and change.id:
                self._delete(change.ref, change.id)
                self._context.report_progress(f"removed {change.ref}")

    def _run_concurrently(self, function: Callable[[ResourceChange], None], changes: list[ResourceChange]) -> None:
        """Do the same to several of one kind, which know nothing of each other: a few at a time."""
        pool = ThreadPoolExecutor(_MAX_CONCURRENT)
        try:
            for done in [pool.submit(function, change) for change in changes]:
                done.result()
        finally:
            # After the first failure nothing more is begun.
            pool.shutdown(cancel_futures=True)

    def _create_or_update(self, change: ResourceChange) -> None:
        """Make an object, or change it, unless it waits for others."""
        if change.action in _CREATING_ACTIONS:
            self._create(change)
        elif not self._desired[change.ref].late:
            self._update(change)

    def _create(self, change: ResourceChange) -> None:
        one = self._desired[change.ref]
        if change.action == "replace" and change.id:
            self._delete(change.ref, change.id)
        if one.kind == "organization":
            self._update(change)
            return
        body = sending.create_body(one, self._id_of, self._build_marker(one, one.body))
        made = self._context.client.send("POST", sending.resource_path(one, self._id_of), body)
        self._record_id(one.ref, str(made["id"]))
        self._objects[one.ref] = made
        lost = self._verify_stored(one, one.body)
        if lost:
            raise lost
        self._context.report_progress(
            f"created {change.ref}" if change.action == "create" else f"made {change.ref} anew"
        )

    def _update(self, change: ResourceChange) -> None:
        """Send the fields that differ; of what was only now made, those that had to wait."""
        one = self._desired[change.ref]
        is_new = change.action in _CREATING_ACTIONS and one.kind != "organization"
        fields = self._late_fields(one) if is_new else self._changed_fields(change, one)
        is_joined = bool(change.link_changes) and bool(RESOURCE_SCHEMAS[one.kind].marker_path) and not is_new
        if not fields and not is_joined:
            return
        found = self._objects[one.ref]
        if not is_new and read_marker(one.kind, found) is None:
            # Of what the server never tells, nobody has sent anything that we know of.
            fields |= {
                field: self._substitute_ids(one.state[field])
                for field in RESOURCE_SCHEMAS[one.kind].write_only & one.state.keys()
            }
        body = sending.update_body(one, fields, found, self._build_marker(one, one.state), self._id_of)
        failed = self._send_update(one, body)
        if one.kind != "organization":
            self._record_id(one.ref, self._ids[one.ref])
        lost = self._verify_stored(one, {field: one.state[field] for field in fields if field in one.state})
        if lost:
            raise failed or lost
        if not is_new and fields:
            self._context.report_progress(f"updated {change.ref}")

    def _send_update(self, resource: DesiredResource, body: Mapping[str, Any]) -> ApiError | None:
        """Send a change; an error of the server's own may come after it has been stored, so reading it back decides."""
        place = sending.resource_path(resource, self._id_of, self._ids.get(resource.ref))
        try:
            self._context.client.send(RESOURCE_SCHEMAS[resource.kind].update_method, place, body)
        except ApiError as refused:
            if refused.status != 500:
                raise
            return refused
        return None

    def _late_fields(self, resource: DesiredResource) -> dict[str, Any]:
        return {field: self._substitute_ids(value) for field, value in resource.late.items()}

    def _changed_fields(self, change: ResourceChange, resource: DesiredResource) -> dict[str, Any]:
        return {each.field: self._new_value(resource, each) for each in change.differences}

    def _new_value(self, resource: DesiredResource, difference: FieldDifference) -> Any:
        return (
            self._substitute_ids(resource.state[difference.field])
            if difference.field in resource.state
            else difference.after
        )

    def _apply_link_changes(self, change: ResourceChange) -> None:
        """Make and undo associations; those of what was removed are gone with it."""
        for joint in change.link_changes:
            id = self._ids.get(joint.member) if isinstance(joint.member, ResourceRef) else joint.id
            if joint.is_addition or (id or joint.id):
                self._managed_ids = apply_link_change(
                    change.ref, joint, id or joint.id, self._ids, self._managed_ids, self._context.client
                )
                self._context.store_ids(self._managed_ids)
        if change.link_changes and change.action == "update":
            self._context.report_progress(f"updated what goes with {change.ref}")

    def _delete(self, ref: ResourceRef, id: str) -> None:
        try:
            self._context.client.send("DELETE", f"{RESOURCE_SCHEMAS[ref.kind].path}/{id}")
        except ApiError as refused:
            # It has gone with something else, or before.
            if refused.status != 404:
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
        said = normalize_fields(resource.kind, self._substitute_ids(fields))
        links = self._links_digest(resource) if RESOURCE_SCHEMAS[resource.kind].marker_path else None
        return build_marker(resource.kind, self._plan.organization, said, links)

    def _links_digest(self, resource: DesiredResource) -> str:
        """The digest of the associations that an object is to have; all members are there before their holder."""
        said = (
            [
                link.relation,
                self._substitute_ids(link.member),
                normalize_override(link, self._substitute_ids(link.member), self._skills_by_id()),
            ]
            for link in resource.links
        )
        return value_digest(sorted(said))

    def _verify_stored(self, resource: DesiredResource, sent: Mapping[str, Any]) -> MachineError | None:
        """Read an object back: the server answers that all is well, also where it has left something out."""
        id = self._ids.get(resource.ref)
        found = self._context.client.get(RESOURCE_SCHEMAS[resource.kind].path + (f"/{id}" if id else ""))
        self._objects[resource.ref] = found
        has, mark = normalize_object(resource.kind, found, self._skills_by_id()), read_marker(resource.kind, found)
        for field, value in normalize_fields(resource.kind, self._substitute_ids(sent)).items():
            is_there = (
                has[field] == value if field in has else not mark or mark.digests.get(field) == value_digest(value)
            )
            if not is_there and not _is_server_augmented(resource, field, value, has, self._skills_by_id()):
                message = f"the control plane did not keep '{field}' of {resource.ref} as it was sent"
                return MachineError("ET905", message, "run 'envtree plan' to see what is there now")
        return None

    def _skills_by_id(self) -> dict[str, ApiObject]:
        known = list(self._objects.items())
        return {self._ids[ref]: found for ref, found in known if ref in self._ids and ref.kind == "skill"}


def _is_server_augmented(
    resource: DesiredResource, field: str, value: Any, current: Mapping[str, Any], skills: Mapping[str, ApiObject]
) -> bool:
    """What the server shows merged with something else, or adds to by itself."""
    if resource.kind != "agent":
        return False
    shown = {id for id in value if not is_skill_disabled(id, skills)}
    return field == "skill_configurations" or (field == "skill_ids" and shown <= set(current[field]))


def planned_deletions(plan: SyncPlan) -> Iterator[ResourceRef]:
    """What a plan would remove."""
    return (change.ref for change in plan.changes if change.action == "delete")
