"""What differs between two trees: frozen data in which no secret stands."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from envtree.diagnostics.findings import Finding

ChangeKind = Literal["added", "removed", "changed"]
# Why a value is not told: it is computed from a secret; it looks like one, or is declared as one; an error, or an input
# without a value, leaves it open.
HiddenReason = Literal["", "secret", "unshown", "unknown"]


class Cause(NamedTuple):
    """The line that made a difference; one that was removed stands in the base, the others in the head."""

    path: str
    line: int
    action: Literal["edited", "added", "removed"]


class ValueChange(NamedTuple):
    """One key with the same old and new value in all of `bundles`; `key` is inside the section, empty for all of it.

    A value that is not told is null, and one of a sensitive change never is: that one of the two is secret makes a
    secret of the other. A change that is only `reencrypted` may be none: that takes a key to tell.
    """

    section: str
    key: str
    kind: ChangeKind
    old: Any
    new: Any
    old_hidden: HiddenReason
    new_hidden: HiddenReason
    sensitive: bool
    reencrypted: bool
    bundles: tuple[str, ...]
    causes: tuple[Cause, ...]

    @property
    def is_unknown(self) -> bool:
        """Whether an error, or an input without a value, leaves one of the values open."""
        return "unknown" in (self.old_hidden, self.new_hidden)


class BundleChange(NamedTuple):
    """A bundle that only one of the trees has."""

    id: str
    kind: Literal["added", "removed"]
    causes: tuple[Cause, ...]


class LeafChange(NamedTuple):
    """A value in a secrets file, known by its path; `line` stands in the base if it was removed."""

    key: str
    kind: Literal["added", "removed", "changed", "reencrypted"]
    line: int


class SecretsFileReader(NamedTuple):
    """A key that opens a secrets file, of sops's `kind`; `person` is empty where the organization does not know it."""

    kind: str
    key: str
    person: str


class SecretsFileChange(NamedTuple):
    """A secrets file that differs, by what can be seen of it without a key.

    One that was `reencrypted` has a new data key: whether its values changed takes a key to tell. One that was
    `rolled_back` is older than what it replaces. A new one may be `copied_from` a file, or have `moved` from there;
    `leaves` then tells how it differs from that.
    """

    path: str
    kind: ChangeKind
    leaves: tuple[LeafChange, ...] = ()
    readers_added: tuple[SecretsFileReader, ...] = ()
    readers_removed: tuple[SecretsFileReader, ...] = ()
    reencrypted: bool = False
    rolled_back: bool = False
    copied_from: str = ""
    moved: bool = False


class RuleChange(NamedTuple):
    """Something by which bundles are judged, merged or written, such as `policy limits` or `contract LOG_LEVEL`."""

    rule: str
    name: str
    kind: ChangeKind
    path: str
    line: int


@dataclass(frozen=True)
class Diff:
    """All that differs; `base` and `head` are what the user calls the two, at a commit unless it is a folder.

    `environments` has those of all bundles, the most important first. `unchanged` counts bundles. `spoiled` are the ids
    that could not be compared, for an error on either side. `new` and `gone` are the findings that only one side has;
    `errors` tells whether the head has any error at all.
    """

    base: str
    head: str
    base_commit: str
    head_commit: str
    environments: tuple[str, ...]
    changes: tuple[ValueChange, ...]
    bundles: tuple[BundleChange, ...]
    unchanged: int
    not_compared: tuple[str, ...]
    secrets: tuple[SecretsFileChange, ...]
    rules: tuple[RuleChange, ...]
    new_findings: tuple[Finding, ...]
    removed_findings: tuple[Finding, ...]
    has_errors: bool

    @cached_property
    def changed(self) -> tuple[str, ...]:
        """The bundles that both trees have, and that differ."""
        return affected_bundles(self.changes)

    @cached_property
    def affected(self) -> tuple[str, ...]:
        """The bundles that differ, are new, are gone, or could not be compared."""
        return tuple(sorted({*self.changed, *self.not_compared, *(one.id for one in self.bundles)}))

    def bundle_ids(self, kind: Literal["added", "removed"]) -> tuple[str, ...]:
        """The bundles that are new, or gone."""
        return tuple(one.id for one in self.bundles if one.kind == kind)

    @property
    def bundle_count(self) -> int:
        """How many bundles the two trees have together."""
        return self.unchanged + len(self.affected)

    @property
    def is_empty(self) -> bool:
        """Whether nothing that can reach a bundle differs."""
        return not self.affected


def affected_bundles(changes: Iterable[ValueChange]) -> tuple[str, ...]:
    """The bundles that show any of the changes."""
    # Many changes are in the same bundles, and these are thousands.
    first, *others = {id(change.bundles): change.bundles for change in changes}.values() or [()]
    return tuple(sorted({*first}.union(*others))) if others else first
