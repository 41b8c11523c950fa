"""Three versions of the values of a file become one: what only one side has changed is that side's.

Nothing here knows of encryption but that equal ciphertexts are equal values.
"""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.model.keypath import KeyPath
from envtree.secrets.edit.sops_values import SopsValue, SopsValues, is_same_value

_CLASH_MESSAGE = "a value on one side, and a map on the other"


class ThreeWayMerge(NamedTuple):
    """The values of the result, in the order of ours, then of theirs; and what is wrong with some paths.

    Where there is a conflict, the result has what ours has.
    """

    values: SopsValues
    conflicts: dict[KeyPath, str]


def merge_three_way(base: SopsValues, ours: SopsValues, theirs: SopsValues) -> ThreeWayMerge:
    """Merge by path."""
    result: SopsValues = {}
    conflicts: dict[KeyPath, str] = {}
    for path in dict.fromkeys((*ours, *theirs)):
        sides = base.get(path), ours.get(path), theirs.get(path)
        wrong = _describe_conflict(*sides)
        leaf = sides[1] if wrong else _choose_value(*sides)
        if leaf:
            result[path] = leaf
        if wrong:
            conflicts[path] = wrong
    for path in find_clashes(result):
        conflicts = {other: why for other, why in conflicts.items() if not _is_below(other, path)}
        conflicts[path] = _CLASH_MESSAGE
        kept = {other: leaf for other, leaf in result.items() if not _is_below(other, path)}
        result = kept | {other: leaf for other, leaf in ours.items() if _is_below(other, path)}
    return ThreeWayMerge(result, dict(sorted(conflicts.items())))


def find_clashes(paths: Iterable[KeyPath]) -> list[KeyPath]:
    """The paths that would have to be a value and a map at once, the outermost ones."""
    known = set(paths)
    inside = {path[:length] for path in known for length in range(1, len(path))}
    both = sorted(known & inside)
    return [path for path in both if not any(path != other and _is_below(path, other) for other in both)]


def _choose_value(base: SopsValue | None, ours: SopsValue | None, theirs: SopsValue | None) -> SopsValue | None:
    return ours if is_same_value(ours, theirs) or is_same_value(base, theirs) else theirs


def _describe_conflict(base: SopsValue | None, ours: SopsValue | None, theirs: SopsValue | None) -> str:
    """What both sides have done, if not the same."""
    if is_same_value(ours, theirs) or is_same_value(base, theirs) or is_same_value(base, ours):
        return ""
    if base is None:
        return "added on both sides, with different values"
    if ours is None:
        return "removed in ours, and changed in theirs"
    if theirs is None:
        return "changed in ours, and removed in theirs"
    return "changed on both sides, to different values"


def _is_below(path: KeyPath, ancestor: KeyPath) -> bool:
    """Whether a path is another, or inside of it."""
    return path[: len(ancestor)] == ancestor
