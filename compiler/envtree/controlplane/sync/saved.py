"""A plan as a file: what was looked at and agreed on, so that nothing else is applied. There is no secret in it."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from envtree.controlplane.desired import KINDS, Desired, Link, Ref
from envtree.controlplane.desired.to_json import document
from envtree.controlplane.sync.compare import UNREAD, Difference, Joint
from envtree.controlplane.sync.model import Change, Plan
from envtree.model.canonical_json import canonical
from envtree.model.span import whole_file

VERSION = "1"
_REFERENCE = "$ref"
# A key of somebody's own that looks like a reference has one more `$`.
_ESCAPED = re.compile(r"\$\$+ref(:.*)?", re.DOTALL)


class NoPlanError(Exception):
    """A file is no plan of this version."""


def plan_data(plan: Plan) -> dict[str, Any]:
    """A plan as JSON data: what would be done, for whoever reads it, and what it is done from."""
    return {
        "envtree": VERSION,
        "organization": plan.organization,
        "fingerprint": plan.fingerprint,
        "changes": [_change(one) for one in plan.changes],
        "taken": [str(ref) for ref in plan.taken],
        "unmanaged": [str(ref) for ref in plan.unmanaged],
        "warnings": list(plan.warnings),
        "desired": document(plan.organization, plan.desired)["resources"],
    }


def saved(plan: Plan) -> bytes:
    """The file."""
    return canonical(plan_data(plan))


def _change(one: Change) -> dict[str, Any]:
    return {
        "action": one.action,
        "kind": one.ref.kind,
        "name": one.ref.name,
        "id": one.id,
        "path": one.path,
        "reason": one.reason,
        "fields": [_difference(each) for each in one.differences],
        "associations": [_joint(each) for each in one.joints],
    }


def _difference(each: Difference) -> dict[str, Any]:
    before = {} if each.before is UNREAD else {"before": each.before}
    return {"field": each.field, **before, "after": each.after, "changed_at_control_plane": each.moved}


def _joint(each: Joint) -> dict[str, Any]:
    action = "make" if each.made else "undo"
    return {
        "action": action,
        "relation": each.relation,
        "member": str(each.member),
        **({"body": each.body} if each.body else {}),
    }


class Restored:
    """What a file says: the resources, and the plan that was shown for them."""

    def __init__(self, data: bytes) -> None:
        try:
            found = orjson.loads(data)
            if found["envtree"] != VERSION:
                raise NoPlanError
            self.desired = tuple(map(_desired, found["desired"]))
            self.organization = str(found["organization"])
            self.shown = {name: found[name] for name in ("organization", "fingerprint", "changes", "taken", "warnings")}
        except (ValueError, KeyError, TypeError, AttributeError):
            raise NoPlanError from None

    def is_of(self, plan: Plan) -> bool:
        """Whether a plan that was made now is the one in the file."""
        now = orjson.loads(saved(plan))
        return all(now[name] == said for name, said in self.shown.items())


def _desired(data: Mapping[str, Any]) -> Desired:
    parent = _read(data["parent"])
    links = [Link(one["relation"], _read(one["member"]), _read(one["body"])) for one in data["links"]]
    return Desired(
        data["kind"],
        data["name"],
        whole_file(data["path"]),
        _read(data["body"]),
        _read(data["late"]),
        tuple(links),
        parent if isinstance(parent, Ref) else None,
    )


def _read(value: Any) -> Any:
    """A body from JSON data, with its references."""
    if isinstance(value, Mapping):
        if value.keys() == {_REFERENCE}:
            return _reference(value[_REFERENCE])
        return {_key(key): _read(child) for key, child in value.items()}
    return [_read(child) for child in value] if isinstance(value, list) else value


def _key(key: str) -> Any:
    if key.startswith(f"{_REFERENCE}:"):
        return _reference(key.removeprefix(f"{_REFERENCE}:"))
    return key[1:] if _ESCAPED.fullmatch(key) else key


def _reference(text: str) -> Ref:
    kind, _, name = text.partition("/")
    if kind not in KINDS:
        raise NoPlanError
    return Ref(kind, name)
