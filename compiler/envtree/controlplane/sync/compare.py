"""One object held against what the tree says of it, field by field and link by link."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from envtree.controlplane.api.reading import Live
from envtree.controlplane.desired import Desired, Link, Ref, substituted
from envtree.controlplane.desired.desired import Kind
from envtree.controlplane.desired.server_view import merge
from envtree.controlplane.sync.ids import Ids
from envtree.controlplane.sync.marker import Marker, digest, marker
from envtree.controlplane.sync.shapes import SHAPES, Object, alike, view


class Unread:
    """Stands for what the server does not tell."""

    def __repr__(self) -> str:
        return "unread"


UNREAD = Unread()


class Difference(NamedTuple):
    """A field that is not as it should be; `moved` says that it is not what was sent last, None if nobody knows."""

    field: str
    before: Any
    after: Any
    moved: bool | None


class Joint(NamedTuple):
    """An association that should be made, or undone; `id` is the member's, None as long as it does not exist."""

    relation: str
    member: Ref | str
    id: str | None
    body: Mapping[str, Any]
    made: bool


class Context(NamedTuple):
    """What comparing one object takes of the others."""

    live: Live
    ids: Mapping[Ref, str]
    known: Ids
    skills: Mapping[str, Object]
    # All of the live objects, by their ids.
    by_id: Mapping[str, Object]
    owned: frozenset[str]
    # Environments that are about to change.
    changing: frozenset[str] = frozenset()

    def named(self, ref: Ref) -> str:
        """The id of an object; what does not exist yet is like no id."""
        return self.ids.get(ref, f"$ref:{ref}")


def wanted(one: Desired, context: Context) -> dict[str, Any]:
    """The fields that an object should have, in the shape in which they are compared."""
    state = substituted(one.state, context.named)
    said = alike_fields(one.kind, state)
    if one.kind == "agent":
        said = _without_disabled(said, context.skills)
    if "skill_configurations" in said:
        said["skill_configurations"] = _overridden(said["skill_configurations"], context.skills)
    # To an agent without skills the server gives one, and it takes none away.
    return {field: value for field, value in said.items() if field != "skill_ids" or value or one.kind != "agent"}


def _without_disabled(said: dict[str, Any], skills: Mapping[str, Object]) -> dict[str, Any]:
    """What an agent says of skills that are enabled; others it may have, and the server shows none of them."""
    hidden = {id for id in skills if is_disabled(id, skills)}
    ids = [id for id in said.get("skill_ids", ()) if id not in hidden]
    told = {id: one for id, one in said.get("skill_configurations", {}).items() if id not in hidden}
    return said | {name: value for name, value in (("skill_ids", ids), ("skill_configurations", told)) if name in said}


def is_disabled(id: str, skills: Mapping[str, Object]) -> bool:
    """Whether a skill is switched off."""
    return skills.get(id, {}).get("enabled") is False


def _overridden(said: Mapping[str, Any], skills: Mapping[str, Object]) -> dict[str, Any]:
    plain = {id: skills.get(id, {}).get("configuration") or {} for id in said}
    found = {id: {k: v for k, v in one.items() if plain[id].get(k) != v} for id, one in said.items()}
    return {id: one for id, one in found.items() if one}


def differences(one: Desired, found: Object, context: Context) -> tuple[Difference, ...]:
    """The fields that differ, in the order of their names; among them those that the tree no longer says."""
    has, mark, said = view(one.kind, found, context.skills), marker(one.kind, found), wanted(one, context)
    if one.kind == "agent":
        has["skill_ids"] = _own_skills(has["skill_ids"], found, said, context)
    given_up = _given_up(one, mark, has) if mark else ()
    fields = {**{field: _default(one, field) for field in given_up}, **said}
    told = tuple(filter(None, (_difference(one, field, fields[field], has, mark) for field in sorted(fields))))
    # What was imported stays as it is as long as what it says comes to the same.
    return told if mark or not all(_comes_to_the_same(one, each, found, context) for each in told) else ()


def _own_skills(skills: Iterable[str], found: Object, said: Mapping[str, Any], context: Context) -> list[str]:
    """The skills of an agent without those of its team and its environments, which are shown as its own."""
    holders = {found.get("team_id"), *(one["id"] for one in found.get("environments") or ())}
    above = (context.by_id.get(holder, {}) for holder in holders)
    given = {id for one in above for id in one.get("skill_ids") or ()} - set(said.get("skill_ids", ()))
    return [id for id in skills if id not in given]


def _comes_to_the_same(one: Desired, each: Difference, found: Object, context: Context) -> bool:
    """Whether an environment that was written by hand gives agents what ours would: it may say less, or more."""
    if each.field != "execution_environment":
        return False
    if one.kind == "environment":
        return _is_within(each.after, each.before)
    attached = [str(env["id"]) for env in found.get("environments") or ()]
    if one.kind != "agent" or not context.changing.isdisjoint(attached):
        return False
    below = [context.by_id.get(id, {}).get("execution_environment") or {} for id in attached]
    merged = merge(below, each.before)
    merged["env_vars"] = {key: text for key, text in merged["env_vars"].items() if key not in merged["secrets"]}
    return bool(alike("agent", each.field, {**merged, "working_dir": each.before["working_dir"]}, {}) == each.after)


def _is_within(part: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:
    maps = all(
        whole[name].get(key) == value for name in ("env_vars", "mcp_servers") for key, value in part[name].items()
    )
    return maps and all(set(part[name]) <= set(whole[name]) for name in ("secrets", "integration_ids"))


def _difference(one: Desired, field: str, after: Any, has: Mapping[str, Any], mark: Marker | None) -> Difference | None:
    if field in SHAPES[one.kind].unread:
        # Without a digest there is nothing to compare with.
        told = mark is not None and not mark.whole and mark.sent.get(field) != digest(after)
        return Difference(field, UNREAD, after, moved=False) if told else None
    before = has.get(field)
    if before == after:
        return None
    return Difference(field, before, after, mark.moved(field, has) if mark else None)


def _given_up(one: Desired, mark: Marker, has: Mapping[str, Any]) -> Iterator[str]:
    """The fields that were sent, and of which the tree says nothing any more."""
    shape = SHAPES[one.kind]
    given = mark.fields - one.state.keys() - {"name", "skill_ids"}
    return (field for field in given if field in shape.fields and (field in has or field in shape.unread))


def _default(one: Desired, field: str) -> Any:
    return alike(one.kind, field, SHAPES[one.kind].fields[field], one.body)


def links_digest(one: Desired, found: Object, context: Context) -> str:
    """What stands for the associations that an object has; of a project, those with what is ours."""
    has = _joined(one.ref, found, context)
    kept = {place: said for place, said in has.items() if one.kind != "project" or place[1] in context.owned}
    return digest(sorted([relation, id, said] for (relation, id), said in kept.items()))


def joints(one: Desired, found: Object | None, context: Context) -> tuple[Joint, ...]:
    """The associations that are missing, or there and not wanted."""
    has = _joined(one.ref, found, context) if found else {}
    if one.kind == "policy" and found and _is_bound_unseen(one, found, context):
        return ()
    should = {}
    for link in one.links:
        id = context.ids.get(link.member) if isinstance(link.member, Ref) else link.member
        should[link.relation, id or str(link.member)] = Joint(link.relation, link.member, id, link.body, made=True)
    made = {place: joint for place, joint in should.items() if not _is_made(joint, has.get(place), context)}
    if found and one.kind == "team":
        made = {place: joint for place, joint in made.items() if not is_disabled(place[1], context.skills)}
    # None is changed by a request: one with another configuration is undone first.
    undone = [
        Joint(relation, _called(id, context), id, {}, made=False)
        for relation, id in has
        if (relation, id) in made or ((relation, id) not in should and (one.kind != "project" or id in context.owned))
    ]
    return (*undone, *made.values())


def _is_made(joint: Joint, said: Any, context: Context) -> bool:
    override = joint.body.get("configuration_override")
    if said is None or joint.id is None:
        return False
    return override is None or _overridden({joint.id: override}, context.skills).get(joint.id, {}) == said


def _joined(ref: Ref, found: Object, context: Context) -> dict[tuple[str, str], Any]:
    """The associations that an object has, each with what is said of it."""
    if ref.kind == "environment":
        return {("skill", id): {} for id in found.get("skill_ids") or ()}
    if ref.kind == "team":
        return {("skill", one["id"]): _override(one, context.skills) for one in found.get("skills") or ()}
    if ref.kind == "policy":
        bound = context.known.bindings.get(str(ref), {})
        return {_pair(member): {} for member in bound}
    if ref.kind == "project":
        return {
            (other.kind, one["id"]): {}
            for other, one in context.live.objects.items()
            if other.kind in ("agent", "team") and any(each["id"] == found["id"] for each in one.get("projects") or ())
        }
    return {}


def _is_bound_unseen(one: Desired, found: Object, context: Context) -> bool:
    """Whether a policy has as many bindings as it should, and nobody here has made or noted them."""
    return str(one.ref) not in context.known.bindings and found.get("association_count") == len(one.links)


def _override(used: Object, skills: Mapping[str, Object]) -> dict[str, Any]:
    found = _overridden({used["id"]: used.get("configuration") or {}}, skills)
    return dict(found.get(used["id"], {}))


def _pair(member: str) -> tuple[str, str]:
    kind, _, id = member.partition("/")
    return kind, id


def _called(id: str, context: Context) -> Ref | str:
    return next((ref for ref, other in context.ids.items() if other == id), id)


def alike_override(link: Link, skill: str, skills: Mapping[str, Object]) -> dict[str, Any]:
    """What an association says of a skill, in the shape in which it is compared."""
    override = link.body.get("configuration_override")
    return dict(_overridden({skill: override}, skills).get(skill, {})) if override else {}


def alike_fields(kind: Kind, state: Mapping[str, Any]) -> dict[str, Any]:
    """Fields, their references filled in, in the shape in which they are compared."""
    return {field: alike(kind, field, value, state) for field, value in state.items()}
