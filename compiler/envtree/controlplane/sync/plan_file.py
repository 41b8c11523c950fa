"""The file of a plan, which contains no secret: `apply` refuses to apply anything but the reviewed plan."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import RESOURCE_KINDS, DesiredLink, DesiredResource, ResourceRef
from envtree.controlplane.desired.to_json import resources_to_json
from envtree.controlplane.sync.compare_resource import WRITE_ONLY, FieldDifference, LinkChange
from envtree.controlplane.sync.managed_ids import ManagedIds
from envtree.controlplane.sync.plan import make_plan
from envtree.controlplane.sync.plan_model import ResourceChange, SyncPlan
from envtree.model.canonical_json import encode_canonical
from envtree.model.span import file_span

PLAN_FILE_VERSION = "1"
_REFERENCE_KEY = "$ref"
# A user's key that looks like a reference has one more `$`.
_ESCAPED_KEY = re.compile(r"\$\$+ref(:.*)?", re.DOTALL)


class InvalidPlanError(Exception):
    """A file is not a plan of this version."""


def plan_to_json(plan: SyncPlan) -> dict[str, Any]:
    """Return a plan as JSON data: the changes, for readers, and the resources from which they are computed."""
    return {
        "envtree": PLAN_FILE_VERSION,
        "organization": plan.organization,
        "fingerprint": plan.fingerprint,
        "changes": [_change_to_json(change) for change in plan.changes],
        "taken": [str(ref) for ref in plan.conflicts],
        "unmanaged": [str(ref) for ref in plan.unmanaged],
        "warnings": list(plan.warnings),
        "desired": resources_to_json(plan.organization, plan.desired)["resources"],
    }


def encode_plan(plan: SyncPlan) -> bytes:
    """Return the bytes of the plan file."""
    return encode_canonical(plan_to_json(plan))


def _change_to_json(change: ResourceChange) -> dict[str, Any]:
    return {
        "action": change.action,
        "kind": change.ref.kind,
        "name": change.ref.name,
        "id": change.id,
        "path": change.path,
        "reason": change.reason,
        "fields": [_difference_to_json(difference) for difference in change.differences],
        "associations": [_link_change_to_json(link_change) for link_change in change.link_changes],
    }


def _difference_to_json(difference: FieldDifference) -> dict[str, Any]:
    before = {} if difference.before is WRITE_ONLY else {"before": difference.before}
    return {
        "field": difference.field,
        **before,
        "after": difference.after,
        "changed_at_control_plane": difference.has_drifted,
    }


def _link_change_to_json(link_change: LinkChange) -> dict[str, Any]:
    action = "make" if link_change.is_addition else "undo"
    return {
        "action": action,
        "relation": link_change.relation,
        "member": str(link_change.member),
        **({"body": link_change.body} if link_change.body else {}),
    }


# What data of another shape than a plan's raises: the fields of the API's objects have no schema here.
_SHAPE_ERRORS = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class SavedPlan:
    """A parsed plan file: the resources, and the plan that was shown for them; raise InvalidPlanError."""

    def __init__(self, data: bytes) -> None:
        try:
            document = orjson.loads(data)
            if document["envtree"] != PLAN_FILE_VERSION:
                raise InvalidPlanError
            self.desired = tuple(map(_decode_resource, document["desired"]))
            self.organization = str(document["organization"])
            self.reviewed = {
                name: document[name] for name in ("organization", "fingerprint", "changes", "taken", "warnings")
            }
        except _SHAPE_ERRORS:
            raise InvalidPlanError from None

    def plan_again(self, live: LiveState, managed_ids: ManagedIds) -> SyncPlan | None:
        """Return the plan for the current live state, None if it is not the one in the file."""
        try:
            plan = make_plan(self.desired, live, managed_ids)
            return plan if self.matches(plan) else None
        except _SHAPE_ERRORS:
            raise InvalidPlanError from None

    def matches(self, plan: SyncPlan) -> bool:
        """Report whether a new plan equals the one in the file."""
        current = orjson.loads(encode_plan(plan))
        return all(current[name] == value for name, value in self.reviewed.items())


def _decode_resource(data: Mapping[str, Any]) -> DesiredResource:
    parent = _decode_body(data["parent"])
    links = [
        DesiredLink(link["relation"], _decode_body(link["member"]), _decode_body(link["body"]))
        for link in data["links"]
    ]
    return DesiredResource(
        data["kind"],
        data["name"],
        file_span(data["path"]),
        _decode_body(data["body"]),
        _decode_body(data["late"]),
        tuple(links),
        parent if isinstance(parent, ResourceRef) else None,
    )


def _decode_body(value: Any) -> Any:
    """Return a body with its references from JSON data."""
    if isinstance(value, Mapping):
        if value.keys() == {_REFERENCE_KEY}:
            return _parse_reference(value[_REFERENCE_KEY])
        return {_decode_key(key): _decode_body(child) for key, child in value.items()}
    return [_decode_body(child) for child in value] if isinstance(value, list) else value


def _decode_key(key: str) -> Any:
    if key.startswith(f"{_REFERENCE_KEY}:"):
        return _parse_reference(key.removeprefix(f"{_REFERENCE_KEY}:"))
    return key[1:] if _ESCAPED_KEY.fullmatch(key) else key


def _parse_reference(text: str) -> ResourceRef:
    kind, _, name = text.partition("/")
    if kind not in RESOURCE_KINDS:
        raise InvalidPlanError
    return ResourceRef(kind, name)
