"""The data model of a plan."""

from typing import Literal, NamedTuple

from envtree.controlplane.desired import DesiredResource, ResourceRef
from envtree.controlplane.sync.compare_resource import FieldDifference, LinkChange

ChangeAction = Literal["create", "update", "replace", "delete"]

# Objects that the server creates itself, and creates again when deleted.
SERVER_MANAGED = frozenset({ResourceRef("environment", "default"), ResourceRef("project", "DEFAULT")})


class ResourceChange(NamedTuple):
    """The change of one object; `id` is None until the object exists."""

    action: ChangeAction
    ref: ResourceRef
    id: str | None
    path: str
    reason: str
    differences: tuple[FieldDifference, ...] = ()
    link_changes: tuple[LinkChange, ...] = ()
    # Whether associations differ from those that were last sent; None if unknown.
    have_links_drifted: bool | None = None


class SyncPlan(NamedTuple):
    """All changes in the order in which they are made; `fingerprint` is of the live state that they are for.

    `conflicts` are names that the tree needs and that foreign objects have: while there is one, nothing is applied.
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
