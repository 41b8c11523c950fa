"""The differences of all bundles: what is the same in many of them is one change."""

from collections.abc import Container, Iterable, Mapping

from envtree.model.keypath import format_path
from envtree.model.resolved import Bundle
from envtree.output.masking import Unshown
from envtree.queries.diff.causes import Tracer
from envtree.queries.diff.model import Cause, Change, Hidden, Kind
from envtree.queries.diff.side import Pair, Side
from envtree.queries.diff.values import Difference, differences, hidden, only_reencrypted

# What tells the groups apart: the path, and how both values are marked and hidden.
_Key = tuple[object, ...]


class Groups:
    """The differences `found` so far; `anew` are the secrets that are encrypted anew, and may be the same."""

    def __init__(self, base: Side, head: Side, anew: Container[str]) -> None:
        self._tracer = Tracer(base, head)
        self._unshown = Unshown(*filter(None, (base.workspace, head.workspace)))
        self._anew = anew
        self.found: dict[_Key, Group] = {}

    def add(self, pair: Pair) -> bool:
        """Compare a bundle; whether it differs."""
        base, head = pair.base.bundle, pair.head.bundle
        found = list(differences(base, head, self._unshown.names(head.target)))
        for one in found:
            key = (one.path, *(cell and (cell.mark, cell.hidden) for cell in (one.old, one.new)))
            if key not in self.found:
                self.found[key] = Group(one, base, head)
            again = one.sensitive and only_reencrypted(base, head, one.path, self._anew)
            self.found[key].add(head.target.id, self._tracer.causes(pair, one.path), reencrypted=again)
        return bool(found)


class Group:
    """One difference, the `bundles` that show it so far, and its causes."""

    def __init__(self, difference: Difference, base: Bundle, head: Bundle) -> None:
        self._difference = difference
        self._hidden: list[Hidden] = [
            hidden(cell, bundle, difference.path) for cell, bundle in ((difference.old, base), (difference.new, head))
        ]
        self.bundles: list[str] = []
        self._causes: set[Cause] = set()
        self._reencrypted = True

    def add(self, id: str, causes: Iterable[Cause], *, reencrypted: bool) -> None:
        """One more bundle that shows it."""
        self.bundles.append(id)
        self._causes.update(causes)
        self._reencrypted &= reencrypted

    def join(self, other: "Group") -> None:
        """Take over what shows the same difference elsewhere."""
        self.bundles += other.bundles
        self._causes |= other._causes
        self._reencrypted &= other._reencrypted

    def change(self, lists: dict[tuple[str, ...], tuple[str, ...]]) -> Change:
        """The group as it is told."""
        path, old, new = self._difference
        kind: Kind = "added" if old is None else "removed" if new is None else "changed"
        sensitive = self._difference.sensitive
        bundles = tuple(sorted(self.bundles))
        return Change(
            section=path[0],
            key=format_path(path[1:]),
            kind=kind,
            old=None if old is None or sensitive else old.value,
            new=None if new is None or sensitive else new.value,
            old_hidden=self._hidden[0],
            new_hidden=self._hidden[1],
            sensitive=sensitive,
            reencrypted=self._reencrypted and kind == "changed",
            bundles=lists.setdefault(bundles, bundles),
            causes=tuple(sorted(self._causes)),
        )


def changes(found: Iterable[Mapping[_Key, Group]]) -> tuple[Change, ...]:
    """What was found in some parts of two trees, put together: the changes, those in most bundles first."""
    groups: dict[_Key, Group] = {}
    for part in found:
        for key, group in part.items():
            if key in groups:
                groups[key].join(group)
            else:
                groups[key] = group
    # Changes with the same bundles, which can be thousands, share one list of them.
    lists: dict[tuple[str, ...], tuple[str, ...]] = {}
    told = (group.change(lists) for group in groups.values())
    return tuple(sorted(told, key=lambda one: (-len(one.bundles), one.section, one.key, one.bundles)))
