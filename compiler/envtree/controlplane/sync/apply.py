"""Make the control plane as a plan says, one kind after the other, each object read back and compared.

Whatever stops it, the next plan begins with what is there: what was created carries its marker from the first request
on, what is missing is made, what is half done is finished.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from threading import Lock
from typing import Any, NamedTuple

from envtree.controlplane.api.client import Client, RefusedError
from envtree.controlplane.api.reading import Live
from envtree.controlplane.desired import Desired, Ref, substituted
from envtree.controlplane.sync import joining, sending
from envtree.controlplane.sync.compare import Difference, alike_fields, alike_override, is_disabled
from envtree.controlplane.sync.ids import Ids
from envtree.controlplane.sync.marker import Marker, digest, marker, new_marker
from envtree.controlplane.sync.model import Change, Plan
from envtree.controlplane.sync.shapes import SHAPES, Object, view
from envtree.model.diagnostic import Failure

_MADE = ("create", "replace")
# The server does one thing after the other, so more would only wait; the time that a request travels is saved.
_AT_ONCE = 4


class Work(NamedTuple):
    """What applying takes from outside: `keep` stores ids, `tell` hears of what is done, `prune` allows to remove."""

    client: Client
    keep: Callable[[Ids], None]
    tell: Callable[[str], None]
    prune: bool = False


def apply(plan: Plan, live: Live, known: Ids, work: Work) -> None:
    """Do all of a plan, in its order; what would be removed only where that is wanted."""
    try:
        _Application(plan, live, known, work).run()
    except RefusedError as refused:
        raise refused.failure() from None


class _Application:
    def __init__(self, plan: Plan, live: Live, known: Ids, work: Work) -> None:
        self._plan, self._live, self._known, self._work = plan, live, known, work
        self._desired = {one.ref: one for one in plan.desired}
        self._ids = live.ids()
        self._objects: dict[Ref, Object] = dict(live.objects)
        self._noting = Lock()

    def run(self) -> None:
        changes = [one for one in self._plan.changes if one.action != "delete"]
        for _, alike in groupby(changes, lambda change: change.ref.kind):
            self._together(self._first, list(alike))
        # What names others is said once all of them are there.
        late = (change for change in changes if self._desired[change.ref].late)
        for _, alike in groupby(late, lambda change: change.ref.kind):
            self._together(self._alter, list(alike))
        for change in changes:
            self._join(change)
        for change in self._plan.changes if self._work.prune else ():
            if change.action == "delete" and change.id:
                self._remove(change.ref, change.id)
                self._work.tell(f"removed {change.ref}")

    def _together(self, work: Callable[[Change], None], changes: list[Change]) -> None:
        """Do the same to several of one kind, which know nothing of each other: a few at a time."""
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            for done in [pool.submit(work, change) for change in changes]:
                done.result()
        finally:
            # After the first failure nothing more is begun.
            pool.shutdown(cancel_futures=True)

    def _first(self, change: Change) -> None:
        """Make an object, or change it, unless it waits for others."""
        if change.action in _MADE:
            self._make(change)
        elif not self._desired[change.ref].late:
            self._alter(change)

    def _make(self, change: Change) -> None:
        one = self._desired[change.ref]
        if change.action == "replace" and change.id:
            self._remove(change.ref, change.id)
        if one.kind == "organization":
            self._alter(change)
            return
        body = sending.first(one, self._named, self._mark(one, one.body))
        made = self._work.client.send("POST", sending.place(one, self._named), body)
        self._has(one.ref, str(made["id"]))
        self._objects[one.ref] = made
        lost = self._lost(one, one.body)
        if lost:
            raise lost
        self._work.tell(f"created {change.ref}" if change.action == "create" else f"made {change.ref} anew")

    def _alter(self, change: Change) -> None:
        """Send the fields that differ; of what was only now made, those that had to wait."""
        one = self._desired[change.ref]
        is_new = change.action in _MADE and one.kind != "organization"
        fields = self._late(one) if is_new else self._differing(change, one)
        is_joined = bool(change.joints) and bool(SHAPES[one.kind].marker) and not is_new
        if not fields and not is_joined:
            return
        found = self._objects[one.ref]
        if not is_new and marker(one.kind, found) is None:
            # Of what the server never tells, nobody has sent anything that we know of.
            fields |= {field: self._filled(one.state[field]) for field in SHAPES[one.kind].unread & one.state.keys()}
        body = sending.further(one, fields, found, self._mark(one, one.state), self._named)
        failed = self._sent(one, body)
        if one.kind != "organization":
            self._has(one.ref, self._ids[one.ref])
        lost = self._lost(one, {field: one.state[field] for field in fields if field in one.state})
        if lost:
            raise failed or lost
        if not is_new and fields:
            self._work.tell(f"updated {change.ref}")

    def _sent(self, one: Desired, body: Mapping[str, Any]) -> RefusedError | None:
        """Send a change; an error of the server's own may come after it has been stored, so reading it back decides."""
        place = sending.place(one, self._named, self._ids.get(one.ref))
        try:
            self._work.client.send(SHAPES[one.kind].update, place, body)
        except RefusedError as refused:
            if refused.status != 500:
                raise
            return refused
        return None

    def _late(self, one: Desired) -> dict[str, Any]:
        return {field: self._filled(value) for field, value in one.late.items()}

    def _differing(self, change: Change, one: Desired) -> dict[str, Any]:
        return {each.field: self._value(one, each) for each in change.differences}

    def _value(self, one: Desired, each: Difference) -> Any:
        return self._filled(one.state[each.field]) if each.field in one.state else each.after

    def _join(self, change: Change) -> None:
        """Make and undo associations; those of what was removed are gone with it."""
        for joint in change.joints:
            id = self._ids.get(joint.member) if isinstance(joint.member, Ref) else joint.id
            if joint.made or (id or joint.id):
                self._known = joining.join(change.ref, joint, id or joint.id, self._ids, self._known, self._work.client)
                self._work.keep(self._known)
        if change.joints and change.action == "update":
            self._work.tell(f"updated what goes with {change.ref}")

    def _remove(self, ref: Ref, id: str) -> None:
        try:
            self._work.client.send("DELETE", f"{SHAPES[ref.kind].path}/{id}")
        except RefusedError as refused:
            # It has gone with something else, or before.
            if refused.status != 404:
                raise
        self._ids.pop(ref, None)
        self._note(ref, None)

    def _has(self, ref: Ref, id: str) -> None:
        self._ids[ref] = id
        if not self._known.has(ref, id):
            self._note(ref, id)

    def _note(self, ref: Ref, id: str | None) -> None:
        with self._noting:
            self._known = self._known.with_object(ref, id)
            self._work.keep(self._known)

    def _named(self, ref: Ref) -> str:
        return self._ids[ref]

    def _filled(self, value: Any) -> Any:
        return substituted(value, self._named)

    def _mark(self, one: Desired, fields: Mapping[str, Any]) -> Marker:
        said = alike_fields(one.kind, self._filled(fields))
        links = self._links(one) if SHAPES[one.kind].marker else None
        return new_marker(one.kind, self._plan.organization, said, links)

    def _links(self, one: Desired) -> str:
        """The digest of the associations that an object is to have; all members are there before their holder."""
        said = (
            [link.relation, self._filled(link.member), alike_override(link, self._filled(link.member), self._skills())]
            for link in one.links
        )
        return digest(sorted(said))

    def _lost(self, one: Desired, sent: Mapping[str, Any]) -> Failure | None:
        """Read an object back: the server answers that all is well, also where it has left something out."""
        id = self._ids.get(one.ref)
        found = self._work.client.get(SHAPES[one.kind].path + (f"/{id}" if id else ""))
        self._objects[one.ref] = found
        has, mark = view(one.kind, found, self._skills()), marker(one.kind, found)
        for field, value in alike_fields(one.kind, self._filled(sent)).items():
            is_there = has[field] == value if field in has else not mark or mark.sent.get(field) == digest(value)
            if not is_there and not _is_shown_otherwise(one, field, value, has, self._skills()):
                message = f"the control plane did not keep '{field}' of {one.ref} as it was sent"
                return Failure("ET905", message, "run 'envtree plan' to see what is there now")
        return None

    def _skills(self) -> dict[str, Object]:
        known = list(self._objects.items())
        return {self._ids[ref]: found for ref, found in known if ref in self._ids and ref.kind == "skill"}


def _is_shown_otherwise(
    one: Desired, field: str, value: Any, has: Mapping[str, Any], skills: Mapping[str, Object]
) -> bool:
    """What the server shows merged with something else, or adds to by itself."""
    if one.kind != "agent":
        return False
    shown = {id for id in value if not is_disabled(id, skills)}
    return field == "skill_configurations" or (field == "skill_ids" and shown <= set(has[field]))


def removed(plan: Plan) -> Iterator[Ref]:
    """What a plan would remove."""
    return (change.ref for change in plan.changes if change.action == "delete")
