"""A plan, as data."""

from typing import Literal, NamedTuple

from envtree.controlplane.desired import DesiredResource, ResourceRef
from envtree.controlplane.sync.compare_resource import FieldDifference, LinkChange

ChangeAction = Literal["create", "update", "replace", "delete"]

# What the server makes by itself, and makes again.
SERVER_MANAGED = frozenset({ResourceRef("environment", "default"), ResourceRef("project", "DEFAULT")})


class ResourceChange(NamedTuple):
    """What happens to one object; `id` is None as long as there is none."""

    action: ChangeAction
    ref: ResourceRef
    id: str | None
    path: str
    reason: str
    differences: tuple[FieldDifference, ...] = ()
    link_changes: tuple[LinkChange, ...] = ()
    # Whether associations are not what they were made to be; None if nobody knows.
    have_links_drifted: bool | None = None


class SyncPlan(NamedTuple):
    """The whole of it, in the order in which it is done; `fingerprint` is of the state that it was made for.

    `taken` are names that the tree wants and that belong to somebody else: while there is one, nothing is applied.
    """

    organization: str
    desired: tuple[DesiredResource, ...]
    changes: tuple[ResourceChange, ...]
    unmanaged: tuple[ResourceRef, ...]
    conflicts: tuple[ResourceRef, ...]
    warnings: tuple[str, ...]
    fingerprint: str

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes and not self.conflicts
