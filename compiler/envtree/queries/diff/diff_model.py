"""The differences between two trees, as frozen data that contains no secret."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from envtree.diagnostics.findings import Finding

ChangeKind = Literal["added", "removed", "changed"]
# Why a value is hidden: it is computed from a secret (`secret`), it looks like a secret or is declared as one
# (`unshown`), or it depends on an error, or on an input without a value (`unknown`).
HiddenReason = Literal["", "secret", "unshown", "unknown"]


class Cause(NamedTuple):
    """A line that caused a difference; a removed line is one of the base, the others are lines of the head."""

    path: str
    line: int
    action: Literal["edited", "added", "removed"]


class ValueChange(NamedTuple):
    """One key with the same old and new value in all of `bundles`.

    `key` is the path inside the section, empty for the whole section.

    A hidden value is null, and both values of a sensitive change are hidden: if one of them is secret, the other may
    give it away. A change that is only `reencrypted` may be none, which only a key can show.
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
        """Whether one of the values depends on an error, or on an input without a value."""
        return "unknown" in (self.old_hidden, self.new_hidden)


class BundleChange(NamedTuple):
    """A bundle that only one of the trees has."""

    id: str
    kind: Literal["added", "removed"]
    causes: tuple[Cause, ...]


class LeafChange(NamedTuple):
    """A value in a secrets file, identified by its path; the `line` of a removed one is a line of the base."""

    key: str
    kind: Literal["added", "removed", "changed", "reencrypted"]
    line: int


class SecretsFileReader(NamedTuple):
    """A key that opens a secrets file, of sops's `kind`; `person` is empty for an undeclared key."""

    kind: str
    key: str
    person: str


class SecretsFileChange(NamedTuple):
    """A secrets file that differs, as far as this is visible without a key.

    With `reencrypted` it has a new data key, and only a key can show whether its values changed. With `rolled_back` it
    is older than the version that it replaces. A new file may be `copied_from` another one, or have `moved` from there;
    `leaves` then lists the differences from that file.
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
    """A rule by which bundles are checked, merged or written, such as `policy limits` or `contract LOG_LEVEL`."""

    rule: str
    name: str
    kind: ChangeKind
    path: str
    line: int


@dataclass(frozen=True)
class Diff:
    """All differences; `base` and `head` are the user's names for the trees, with a commit unless the tree is a folder.

    `environments` has those of all bundles, the most important first. `unchanged` counts bundles. `not_compared` are
    the ids of bundles that an error on either side kept from being compared. `new_findings` and `removed_findings` are
    those that only one side has; `has_errors` means that the head has any error at all.
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
        """The ids of bundles that both trees have, and that differ."""
        return affected_bundles(self.changes)

    @cached_property
    def affected(self) -> tuple[str, ...]:
        """The ids of bundles that differ, are new, are gone, or could not be compared."""
        return tuple(sorted({*self.changed, *self.not_compared, *(bundle.id for bundle in self.bundles)}))

    def bundle_ids(self, kind: Literal["added", "removed"]) -> tuple[str, ...]:
        """Return the ids of bundles that are new, or gone."""
        return tuple(bundle.id for bundle in self.bundles if bundle.kind == kind)

    @property
    def bundle_count(self) -> int:
        """The number of bundles in both trees together."""
        return self.unchanged + len(self.affected)

    @property
    def is_empty(self) -> bool:
        """Whether no bundle is affected."""
        return not self.affected


def affected_bundles(changes: Iterable[ValueChange]) -> tuple[str, ...]:
    """Return the bundles that show any of the changes, sorted."""
    # Many changes share one list of thousands of bundles.
    first, *rest = {id(change.bundles): change.bundles for change in changes}.values() or [()]
    return tuple(sorted({*first}.union(*rest))) if rest else first
