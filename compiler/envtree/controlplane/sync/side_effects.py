"""What the server will do beyond what it is asked for: each is a sentence of a plan."""

from collections.abc import Iterator, Mapping
from typing import Any

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredResource, ResourceRef
from envtree.controlplane.sync.plan_model import SERVER_MANAGED, ResourceChange, SyncPlan


def predict_side_effects(plan: SyncPlan, live: LiveState) -> Iterator[str]:
    """The warnings of a plan."""
    yield from _namespace_provisioning(plan, live)
    for change in plan.changes:
        if change.action in ("delete", "replace"):
            yield from _silent_losses(change, plan, live)
        elif change.action == "update":
            yield from _overwritten_keys(change)
    yield from _duplicate_names(plan, live)
    yield from _missing_secrets(plan.desired, live)
    yield from _default_shells(plan)


def _namespace_provisioning(plan: SyncPlan, live: LiveState) -> Iterator[str]:
    creates = any(one.action == "create" and one.ref.kind == "environment" for one in plan.changes)
    if creates and all(ref in SERVER_MANAGED for ref in live.objects if ref.kind == "environment"):
        yield (
            "the first environment that is created would have the server provision a namespace; it was read before, "
            "which makes 'default' the first, so none is provisioned"
        )


def _silent_losses(change: ResourceChange, plan: SyncPlan, live: LiveState) -> Iterator[str]:
    """What goes with an object, and the server says nothing of it."""
    stays = {one.ref for one in plan.changes if one.action != "delete"}
    gone = {one.ref for one in plan.changes if one.action == "delete"}
    name = change.ref.name
    if change.ref.kind == "environment":
        users = [
            ref.name
            for ref, found in live.objects.items()
            if ref.kind == "agent" and ref not in gone | stays and _uses_environment(found, change.id)
        ]
        if users:
            names = _join_names(users)
            yield f"environment '{name}' is used by {names}, which would lose its variables without an error"
        queues = [
            ref for ref, one in live.objects.items() if one.get("environment_id") == change.id and ref not in gone
        ]
        if queues:
            yield f"with environment '{name}' go its worker queues, {_join_names([ref.name for ref in queues])}"
    if change.ref.kind == "team":
        yield f"the members of team '{name}' stay, without a team"


def _uses_environment(found: Mapping[str, Any], environment: str | None) -> bool:
    return any(one["id"] == environment for one in found.get("environments") or ())


def _overwritten_keys(change: ResourceChange) -> Iterator[str]:
    """Keys that stand at the server only: an update replaces a whole map."""
    for each in change.differences:
        if isinstance(each.before, Mapping) and isinstance(each.after, Mapping):
            lost = sorted(str(key) for key in each.before.keys() - each.after.keys())
            if lost:
                names = _join_names(lost)
                yield f"{change.ref}: an update replaces '{each.field}' as a whole, and {names} would be gone"


def _duplicate_names(plan: SyncPlan, live: LiveState) -> Iterator[str]:
    for ref in sorted(live.duplicates & {one.ref for one in plan.desired}):
        yield f"there are two {ref.kind}s '{ref.name}', and the control plane keeps them apart by their ids only"


def _missing_secrets(desired: tuple[DesiredResource, ...], live: LiveState) -> Iterator[str]:
    names = {name for one in desired for name in (one.state.get("execution_environment") or {}).get("secrets") or ()}
    if live.secret_names is None:
        if names:
            yield "the vault does not answer, so nobody knows which secrets are in it"
        return
    missing = sorted(names - live.secret_names)
    if missing:
        yield f"the vault does not have {_join_names(missing)}: agents would start without, and no error tells it"


def _default_shells(plan: SyncPlan) -> Iterator[str]:
    """Agents to which the server gives a shell, because they have no skill."""
    found = [
        one.name
        for one in plan.desired
        if one.kind == "agent" and not one.state.get("skill_ids") and _is_created(one.ref, plan)
    ]
    if found:
        yield f"to {_join_names(found)}, which has no skill of its own, the server gives a shell"


def _is_created(ref: ResourceRef, plan: SyncPlan) -> bool:
    return any(one.ref == ref and one.action in ("create", "replace") for one in plan.changes)


def _join_names(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in sorted(names)[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
