"""Predict effects of a plan on the server beyond the requested changes; each is one sentence of the plan."""

from collections.abc import Iterator, Mapping
from typing import Any

from envtree.controlplane.api.live_state import LiveState
from envtree.controlplane.desired import DesiredResource, ResourceRef
from envtree.controlplane.sync.plan_model import SERVER_MANAGED, ResourceChange, SyncPlan


def predict_side_effects(plan: SyncPlan, live: LiveState) -> Iterator[str]:
    """Yield the warnings of a plan."""
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
    creates_environment = any(change.action == "create" and change.ref.kind == "environment" for change in plan.changes)
    if creates_environment and all(ref in SERVER_MANAGED for ref in live.objects if ref.kind == "environment"):
        yield (
            "the first environment that is created would have the server provision a namespace; it was read before, "
            "which makes 'default' the first, so none is provisioned"
        )


def _silent_losses(change: ResourceChange, plan: SyncPlan, live: LiveState) -> Iterator[str]:
    """Yield the losses that come with deleting or replacing an object and that the server does not report."""
    remaining = {planned.ref for planned in plan.changes if planned.action != "delete"}
    deleted = {planned.ref for planned in plan.changes if planned.action == "delete"}
    name = change.ref.name
    if change.ref.kind == "environment":
        users = [
            ref.name
            for ref, live_object in live.objects.items()
            if ref.kind == "agent" and ref not in deleted | remaining and _uses_environment(live_object, change.id)
        ]
        if users:
            names = _join_names(users)
            yield f"environment '{name}' is used by {names}, which would lose its variables without an error"
        queues = [
            ref
            for ref, live_object in live.objects.items()
            if live_object.get("environment_id") == change.id and ref not in deleted
        ]
        if queues:
            yield f"with environment '{name}' go its worker queues, {_join_names([ref.name for ref in queues])}"
    if change.ref.kind == "team":
        yield f"the members of team '{name}' stay, without a team"


def _uses_environment(agent: Mapping[str, Any], environment: str | None) -> bool:
    return any(used["id"] == environment for used in agent.get("environments") or ())


def _overwritten_keys(change: ResourceChange) -> Iterator[str]:
    """Yield keys that exist only on the server: an update replaces a map as a whole."""
    for difference in change.differences:
        if isinstance(difference.before, Mapping) and isinstance(difference.after, Mapping):
            lost = sorted(str(key) for key in difference.before.keys() - difference.after.keys())
            if lost:
                names = _join_names(lost)
                yield f"{change.ref}: an update replaces '{difference.field}' as a whole, and {names} would be gone"


def _duplicate_names(plan: SyncPlan, live: LiveState) -> Iterator[str]:
    for ref in sorted(live.duplicates & {resource.ref for resource in plan.desired}):
        yield f"there are two {ref.kind}s '{ref.name}', and the control plane keeps them apart by their ids only"


def _missing_secrets(desired: tuple[DesiredResource, ...], live: LiveState) -> Iterator[str]:
    names = {
        name
        for resource in desired
        for name in (resource.state.get("execution_environment") or {}).get("secrets") or ()
    }
    if live.secret_names is None:
        if names:
            yield "the vault does not answer, so nobody knows which secrets are in it"
        return
    missing = sorted(names - live.secret_names)
    if missing:
        yield f"the vault does not have {_join_names(missing)}: agents would start without, and no error tells it"


def _default_shells(plan: SyncPlan) -> Iterator[str]:
    """Yield the new agents without skills, to which the server gives a shell."""
    agents = [
        resource.name
        for resource in plan.desired
        if resource.kind == "agent" and not resource.state.get("skill_ids") and _is_created(resource.ref, plan)
    ]
    if agents:
        yield f"to {_join_names(agents)}, which has no skill of its own, the server gives a shell"


def _is_created(ref: ResourceRef, plan: SyncPlan) -> bool:
    return any(change.ref == ref and change.action in ("create", "replace") for change in plan.changes)


def _join_names(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in sorted(names)[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown
