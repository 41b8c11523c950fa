"""A plan, as data."""

from typing import Literal, NamedTuple

from envtree.controlplane.desired import Desired, Ref
from envtree.controlplane.sync.compare import Difference, Joint

Action = Literal["create", "update", "replace", "delete"]

# What the server makes by itself, and makes again.
SERVERS_OWN = frozenset({Ref("environment", "default"), Ref("project", "DEFAULT")})


class Change(NamedTuple):
    """What happens to one object; `id` is None as long as there is none."""

    action: Action
    ref: Ref
    id: str | None
    path: str
    reason: str
    differences: tuple[Difference, ...] = ()
    joints: tuple[Joint, ...] = ()
    # Whether associations are not what they were made to be; None if nobody knows.
    rejoined: bool | None = None


class Plan(NamedTuple):
    """The whole of it, in the order in which it is done; `fingerprint` is of the state that it was made for.

    `taken` are names that the tree wants and that belong to somebody else: while there is one, nothing is applied.
    """

    organization: str
    desired: tuple[Desired, ...]
    changes: tuple[Change, ...]
    unmanaged: tuple[Ref, ...]
    taken: tuple[Ref, ...]
    warnings: tuple[str, ...]
    fingerprint: str

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.changes and not self.taken
