"""Of all that differs, what was changed at the control plane: what the tree has changed since is no drift."""

from envtree.controlplane.sync.ids import Ids
from envtree.controlplane.sync.model import Change, Plan


def drift(plan: Plan, known: Ids) -> Plan:
    """The part of a plan that undoes what somebody has done."""
    changes = tuple(filter(None, (_moved(change, known) for change in plan.changes)))
    return plan._replace(changes=changes, taken=(), unmanaged=(), warnings=())


def _moved(change: Change, known: Ids) -> Change | None:
    if change.action == "delete":
        return None
    if change.action == "create":
        # It was there once if we know its id; otherwise it has not been applied yet.
        gone = str(change.ref) in known.objects
        return change._replace(reason="it was removed at the control plane") if gone else None
    # Where there is no digest nobody can tell, and it is better to look.
    moved = tuple(each for each in change.differences if each.moved is not False)
    joints = () if change.rejoined is False else change.joints
    if not moved and not joints:
        return None
    return change._replace(differences=moved, joints=joints, reason="it was changed at the control plane")
