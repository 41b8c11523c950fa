"""Of all that differs, what was changed at the control plane: what the tree has changed since is no drift."""

from envtree.controlplane.sync.managed_ids import ManagedIds
from envtree.controlplane.sync.plan_model import ResourceChange, SyncPlan


def select_drift(plan: SyncPlan, managed_ids: ManagedIds) -> SyncPlan:
    """The part of a plan that undoes what somebody has done."""
    changes = tuple(filter(None, (_drifted_change(change, managed_ids) for change in plan.changes)))
    return plan._replace(changes=changes, conflicts=(), unmanaged=(), warnings=())


def _drifted_change(change: ResourceChange, managed_ids: ManagedIds) -> ResourceChange | None:
    if change.action == "delete":
        return None
    if change.action == "create":
        # It was there once if we know its id; otherwise it has not been applied yet.
        gone = str(change.ref) in managed_ids.objects
        return change._replace(reason="it was removed at the control plane") if gone else None
    # Where there is no digest nobody can tell, and it is better to look.
    moved = tuple(each for each in change.differences if each.has_drifted is not False)
    joints = () if change.have_links_drifted is False else change.link_changes
    if not moved and not joints:
        return None
    return change._replace(differences=moved, link_changes=joints, reason="it was changed at the control plane")
