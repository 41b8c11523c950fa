"""Group the differences of all bundles: the same difference in many bundles is one change."""

from collections.abc import Container, Iterable, Mapping

from envtree.model.keypath import format_path
from envtree.model.resolved import Bundle
from envtree.output.masking import SecretNames
from envtree.queries.diff.bundle_differences import BundleDifference, diff_bundles, hidden_reason, is_only_reencrypted
from envtree.queries.diff.causes import CauseTracer
from envtree.queries.diff.diff_model import Cause, ChangeKind, HiddenReason, ValueChange
from envtree.queries.diff.tree_side import BundlePair, TreeSide

# The path, and the comparison key and hidden state of both values.
_GroupKey = tuple[object, ...]


class ValueChangeGroups:
    """Collects the differences of bundles in `groups`.

    `reencrypted_leaves` are secrets with new ciphertexts, whose values may be the same.
    """

    def __init__(self, base: TreeSide, head: TreeSide, reencrypted_leaves: Container[str]) -> None:
        self._tracer = CauseTracer(base, head)
        self._secret_names = SecretNames(*filter(None, (base.workspace, head.workspace)))
        self._reencrypted_leaves = reencrypted_leaves
        self.groups: dict[_GroupKey, ValueChangeGroup] = {}

    def add(self, pair: BundlePair) -> bool:
        """Compare a bundle, and report whether it differs."""
        base, head = pair.base.bundle, pair.head.bundle
        differences = list(diff_bundles(base, head, self._secret_names.for_target(head.target)))
        for difference in differences:
            key = (
                difference.path,
                *(cell and (cell.comparison_key, cell.hidden) for cell in (difference.old, difference.new)),
            )
            if key not in self.groups:
                self.groups[key] = ValueChangeGroup(difference, base, head)
            is_reencrypted = difference.sensitive and is_only_reencrypted(
                base, head, difference.path, self._reencrypted_leaves
            )
            self.groups[key].add(
                head.target.id, self._tracer.find_causes(pair, difference.path), is_reencrypted=is_reencrypted
            )
        return bool(differences)


class ValueChangeGroup:
    """One difference, the `bundles` that show it so far, and its causes."""

    def __init__(self, difference: BundleDifference, base: Bundle, head: Bundle) -> None:
        self._difference = difference
        self._hidden_reasons: list[HiddenReason] = [
            hidden_reason(cell, bundle, difference.path)
            for cell, bundle in ((difference.old, base), (difference.new, head))
        ]
        self.bundles: list[str] = []
        self._causes: set[Cause] = set()
        self._is_reencrypted = True

    def add(self, id: str, causes: Iterable[Cause], *, is_reencrypted: bool) -> None:
        """Add a bundle that shows the difference."""
        self.bundles.append(id)
        self._causes.update(causes)
        self._is_reencrypted &= is_reencrypted

    def absorb(self, group: "ValueChangeGroup") -> None:
        """Add the bundles and causes of a group with the same difference."""
        self.bundles += group.bundles
        self._causes |= group._causes
        self._is_reencrypted &= group._is_reencrypted

    def to_change(self, shared_lists: dict[tuple[str, ...], tuple[str, ...]]) -> ValueChange:
        """Return the group as frozen data; `shared_lists` makes equal lists of bundles one object."""
        path, old, new = self._difference
        kind: ChangeKind = "added" if old is None else "removed" if new is None else "changed"
        sensitive = self._difference.sensitive
        bundles = tuple(sorted(self.bundles))
        return ValueChange(
            section=path[0],
            key=format_path(path[1:]),
            kind=kind,
            old=None if old is None or sensitive else old.value,
            new=None if new is None or sensitive else new.value,
            old_hidden=self._hidden_reasons[0],
            new_hidden=self._hidden_reasons[1],
            sensitive=sensitive,
            reencrypted=self._is_reencrypted and kind == "changed",
            bundles=shared_lists.setdefault(bundles, bundles),
            causes=tuple(sorted(self._causes)),
        )


def merge_changes(parts: Iterable[Mapping[_GroupKey, ValueChangeGroup]]) -> tuple[ValueChange, ...]:
    """Merge the groups of several parts of two trees; the changes in most bundles come first."""
    groups: dict[_GroupKey, ValueChangeGroup] = {}
    for part in parts:
        for key, group in part.items():
            if key in groups:
                groups[key].absorb(group)
            else:
                groups[key] = group
    # Changes with the same bundles, which can be thousands, share one list of them.
    shared_lists: dict[tuple[str, ...], tuple[str, ...]] = {}
    changes = (group.to_change(shared_lists) for group in groups.values())
    return tuple(sorted(changes, key=lambda change: (-len(change.bundles), change.section, change.key, change.bundles)))
