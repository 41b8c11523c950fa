"""What it takes to make the control plane as the tree says: no request that changes anything, and no secret."""

import hashlib
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from envtree.controlplane.api.reading import Live
from envtree.controlplane.desired import KINDS, Desired, Ref
from envtree.controlplane.sync.compare import Context, Difference, differences, joints, links_digest, wanted
from envtree.controlplane.sync.ids import Ids
from envtree.controlplane.sync.joined import joined
from envtree.controlplane.sync.marker import LINKS, marker
from envtree.controlplane.sync.model import SERVERS_OWN, Change, Plan
from envtree.controlplane.sync.shapes import SHAPES, Object, view
from envtree.controlplane.sync.side_effects import foreseen
from envtree.model.canonical_json import canonical


def plan(desired: Iterable[Desired], live: Live, known: Ids) -> Plan:
    """Compare the tree with the live state."""
    resources = joined(desired, live)
    owned = frozenset(ref for ref, found in live.objects.items() if is_ours(ref, found, live, known))
    claimed = owned | (SERVERS_OWN & {one.ref for one in resources} & live.objects.keys())
    context = _context(resources, live, known, claimed)
    changes = [_changed(one, live, context) for one in resources if one.ref not in live.objects or one.ref in claimed]
    gone = owned - {one.ref for one in resources}
    found = Plan(
        live.organization,
        resources,
        tuple(_ordered([*filter(None, changes), *(_deleted(ref, live) for ref in gone)])),
        tuple(sorted(live.objects.keys() - claimed - {Ref("organization", live.organization)})),
        tuple(one.ref for one in resources if one.ref in live.objects and one.ref not in claimed),
        (),
        fingerprint(live, known),
    )
    return found._replace(warnings=tuple(foreseen(found, live)))


def is_ours(ref: Ref, found: Object, live: Live, known: Ids) -> bool:
    """Whether an object belongs to the tree: by its marker, or by its id. Settings belong to whoever says them."""
    if ref.kind == "organization":
        return True
    mark = marker(ref.kind, found)
    return (mark is not None and mark.owner == live.organization) or known.has(ref, str(found.get("id")))


def _context(resources: Iterable[Desired], live: Live, known: Ids, claimed: frozenset[Ref]) -> Context:
    ids = live.ids()
    skills = {str(found["id"]): found for ref, found in live.objects.items() if ref.kind == "skill"}
    owned = frozenset(ids[one.ref] for one in resources if one.ref in claimed and one.ref in ids)
    by_id = {str(found.get("id")): found for found in live.objects.values()}
    context = Context(live, ids, known, skills, by_id, owned)
    # What is made anew has another id then.
    anew = {one.ref for one in resources if one.ref in claimed and _is_replaced(one, live, context)}
    context = context._replace(ids={ref: id for ref, id in ids.items() if ref not in anew})
    sites = [one for one in resources if one.kind == "environment" and one.ref in claimed and one.ref in ids]
    changing = (ids[one.ref] for one in sites if differences(one, live.objects[one.ref], context))
    return context._replace(changing=frozenset(changing))


def _is_replaced(one: Desired, live: Live, context: Context) -> bool:
    found = differences(one, live.objects[one.ref], context)
    return any(each.field in SHAPES[one.kind].fixed for each in found)


def _changed(one: Desired, live: Live, context: Context) -> Change | None:
    found = live.objects.get(one.ref)
    if found is None:
        said = tuple(Difference(field, None, value, None) for field, value in sorted(wanted(one, context).items()))
        return Change("create", one.ref, None, one.origin.path, "it is not there", said, joints(one, None, context))
    differing = differences(one, found, context)
    fixed = [each.field for each in differing if each.field in SHAPES[one.kind].fixed]
    if fixed:
        reason = f"no request changes '{fixed[0]}'"
        made = joints(one, None, context)
        return Change("replace", one.ref, str(found["id"]), one.origin.path, reason, differing, made)
    made = joints(one, found, context)
    if not differing and not made:
        return None
    rejoined = _is_rejoined(one, found, context) if made else False
    reason = _reason({*(each.moved for each in differing), *([rejoined] if made else [])})
    return Change("update", one.ref, found.get("id"), one.origin.path, reason, differing, made, rejoined)


def _is_rejoined(one: Desired, found: Object, context: Context) -> bool | None:
    mark = marker(one.kind, found)
    sent = mark.sent.get(LINKS) if mark else None
    return None if sent is None else sent != links_digest(one, found, context)


def _reason(moved: set[bool | None]) -> str:
    if moved == {True}:
        return "it was changed at the control plane"
    return "the tree has changed" if moved == {False} else "it differs from the tree"


def _deleted(ref: Ref, live: Live) -> Change:
    found = live.objects[ref]
    return Change("delete", ref, found.get("id"), "", "the tree no longer has it")


def _ordered(changes: Iterable[Change]) -> list[Change]:
    """What is made, in the order of its kinds; then what is removed, the other way round."""

    def place(change: Change) -> tuple[Any, ...]:
        at = KINDS.index(change.ref.kind)
        return (1, -at, change.ref.name) if change.action == "delete" else (0, at, change.ref.name)

    return sorted((one for one in changes if one.action != "delete" or one.id), key=place)


def fingerprint(live: Live, known: Ids) -> str:
    """What stands for a live state: it differs if anything differs that a plan could depend on."""
    skills = {str(found["id"]): found for ref, found in live.objects.items() if ref.kind == "skill"}
    told = [
        [str(ref), found.get("id"), view(ref.kind, found, skills), _marked(ref, found), _relations(found)]
        for ref, found in sorted(live.objects.items())
    ]
    held = [known.objects, known.bindings]
    return hashlib.sha256(canonical([live.organization, told, sorted(map(str, live.doubles)), held])).hexdigest()


def _marked(ref: Ref, found: Object) -> list[Any]:
    mark = marker(ref.kind, found)
    if mark is None:
        return []
    fields, told = mark.whole or ((), "")
    return [mark.owner, mark.sent, sorted(fields), told]


def _relations(found: Object) -> list[list[str]]:
    return [sorted(str(one["id"]) for one in found.get(name) or ()) for name in ("projects", "skills")]


def protected(changes: Iterable[Change], patterns: Iterable[str]) -> Iterator[Ref]:
    """The objects that would be removed, or made anew, and must not be."""
    names = tuple(patterns)
    for change in changes:
        if change.action in ("delete", "replace") and (
            change.ref in SERVERS_OWN
            or (change.ref.kind == "worker_queue" and change.ref.name.endswith("/default"))
            or any(fnmatchcase(str(change.ref), pattern) for pattern in names)
        ):
            yield change.ref
