"""What differs between two trees: frozen data in which no secret stands."""

from typing import Any, Literal, NamedTuple

from envtree.finding import Finding

Kind = Literal["added", "removed", "changed"]


class Cause(NamedTuple):
    """The line that made a difference; one that was removed stands in the base, the others in the head."""

    path: str
    line: int
    action: Literal["edited", "added", "removed"]


class Change(NamedTuple):
    """One key with the same old and new value in all of `bundles`; `key` is inside the section, empty for all of it.

    A sensitive one has neither value. One that is only `reencrypted` may have kept its value: that takes a key to tell.
    """

    section: str
    key: str
    kind: Kind
    old: Any
    new: Any
    sensitive: bool
    reencrypted: bool
    bundles: tuple[str, ...]
    causes: tuple[Cause, ...]


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


class SecretsFileChange(NamedTuple):
    """A secrets file that differs, by what can be seen of it without a key; recipients are `kind:value`.

    One that was `reencrypted` has a new data key: whether its values changed takes a key to tell. One that was
    `rolled_back` is older than what it replaces.
    """

    path: str
    kind: Kind
    leaves: tuple[LeafChange, ...]
    recipients_added: tuple[str, ...]
    recipients_removed: tuple[str, ...]
    reencrypted: bool
    rolled_back: bool


class RuleChange(NamedTuple):
    """Something by which bundles are judged or merged, such as `policy limits` or `contract LOG_LEVEL`."""

    rule: str
    name: str
    kind: Kind
    path: str
    line: int


class Diff(NamedTuple):
    """All that differs; `base` and `head` are what the user calls the two.

    `unchanged` counts bundles. `spoiled` are the ids that could not be compared, for an error on either side. `new` and
    `gone` are the findings that only one side has; `errors` tells whether the head has any error at all.
    """

    base: str
    head: str
    changes: tuple[Change, ...]
    bundles: tuple[BundleChange, ...]
    unchanged: int
    spoiled: tuple[str, ...]
    secrets: tuple[SecretsFileChange, ...]
    rules: tuple[RuleChange, ...]
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]
    errors: bool

    @property
    def changed(self) -> tuple[str, ...]:
        """The bundles that both trees have, and that differ."""
        return tuple(sorted({id for change in self.changes for id in change.bundles}))

    @property
    def touched(self) -> tuple[str, ...]:
        """The bundles that differ, are new, are gone, or could not be compared."""
        return tuple(sorted({*self.changed, *self.spoiled, *(one.id for one in self.bundles)}))

    def ids(self, kind: Literal["added", "removed"]) -> tuple[str, ...]:
        """The bundles that are new, or gone."""
        return tuple(one.id for one in self.bundles if one.kind == kind)

    @property
    def empty(self) -> bool:
        """Whether nothing that can reach a bundle differs."""
        return not self.touched
