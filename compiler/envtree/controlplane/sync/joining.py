"""Associations: each is a request of its own."""

from collections.abc import Mapping
from contextlib import suppress

from envtree.controlplane.api.client import Client, RefusedError
from envtree.controlplane.desired import Ref
from envtree.controlplane.sync.compare import Joint
from envtree.controlplane.sync.ids import Ids

_TAKEN = "UniqueViolation"


def join(holder: Ref, joint: Joint, member: str | None, ids: Mapping[Ref, str], known: Ids, client: Client) -> Ids:
    """Make an association, or undo it; the ids afterwards, for those of bindings are nowhere else."""
    if member is None or holder not in ids:
        return known
    if holder.kind == "policy":
        return _bind(holder, joint, member, ids[holder], known, client)
    if joint.relation == "skill":
        path = f"/skills/associations/{holder.kind}/{ids[holder]}/skills"
        _change(client, path, {"skill_id": member, **joint.body}, member, made=joint.made)
    else:
        path = f"/projects/{ids[holder]}/{joint.relation}s"
        _change(client, path, {f"{joint.relation}_id": member}, member, made=joint.made)
    return known


def _change(client: Client, path: str, body: Mapping[str, object], member: str, *, made: bool) -> None:
    try:
        if made:
            client.send("POST", path, body)
        else:
            client.send("DELETE", f"{path}/{member}")
    except RefusedError as refused:
        is_already_so = _TAKEN in refused.reason if made else refused.status == 404
        if not is_already_so:
            raise


def _bind(policy: Ref, joint: Joint, member: str, id: str, known: Ids, client: Client) -> Ids:
    name = f"{joint.relation}/{member}"
    if joint.made:
        entity = {"entity_type": joint.relation, "entity_id": member}
        body = {"policy_id": id, "policy_name": policy.name, **joint.body, **entity}
        with suppress(_BoundError):
            return known.with_binding(policy, name, _bound(client, body))
        return known
    binding = known.bindings.get(str(policy), {}).get(name)
    if binding:
        _change(client, "/policies/associations", {}, binding, made=False)
    return known.with_binding(policy, name, None)


class _BoundError(Exception):
    """It is bound already, and the server does not say by which id."""


def _bound(client: Client, body: Mapping[str, object]) -> str:
    try:
        return str(client.send("POST", "/policies/associations", body)["id"])
    except RefusedError as refused:
        if _TAKEN in refused.reason:
            raise _BoundError from None
        raise
