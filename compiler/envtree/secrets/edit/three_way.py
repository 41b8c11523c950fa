"""Merge three versions of the values of a file: a value that only one side has changed is taken from that side.

Encryption matters here only in that equal ciphertexts are equal values.
"""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.model.keypath import KeyPath
from envtree.secrets.edit.sops_values import SopsValue, SopsValues, is_same_value

_CLASH_MESSAGE = "a value on one side, and a map on the other"


class ThreeWayMerge(NamedTuple):
    """The merged values, in the order of ours, then of theirs, and the conflicts by path.

    At a conflict the result has the value of ours.
    """

    values: SopsValues
    conflicts: dict[KeyPath, str]


def merge_three_way(base: SopsValues, ours: SopsValues, theirs: SopsValues) -> ThreeWayMerge:
    """Merge the values by path."""
    result: SopsValues = {}
    conflicts: dict[KeyPath, str] = {}
    for path in dict.fromkeys((*ours, *theirs)):
        sides = base.get(path), ours.get(path), theirs.get(path)
        conflict = _describe_conflict(*sides)
        leaf = sides[1] if conflict else _choose_value(*sides)
        if leaf:
            result[path] = leaf
        if conflict:
            conflicts[path] = conflict
    for path in find_clashes(result):
        conflicts = {candidate: why for candidate, why in conflicts.items() if not _is_below(candidate, path)}
        conflicts[path] = _CLASH_MESSAGE
        outside = {candidate: leaf for candidate, leaf in result.items() if not _is_below(candidate, path)}
        result = outside | {candidate: leaf for candidate, leaf in ours.items() if _is_below(candidate, path)}
    return ThreeWayMerge(result, dict(sorted(conflicts.items())))


def find_clashes(paths: Iterable[KeyPath]) -> list[KeyPath]:
    """Return the outermost paths that would be a value and a map at once."""
    values = set(paths)
    maps = {path[:length] for path in values for length in range(1, len(path))}
    both = sorted(values & maps)
    return [path for path in both if not any(path != ancestor and _is_below(path, ancestor) for ancestor in both)]


def _choose_value(base: SopsValue | None, ours: SopsValue | None, theirs: SopsValue | None) -> SopsValue | None:
    return ours if is_same_value(ours, theirs) or is_same_value(base, theirs) else theirs


def _describe_conflict(base: SopsValue | None, ours: SopsValue | None, theirs: SopsValue | None) -> str:
    """Describe what both sides have done; empty if there is no conflict."""
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
    """Report whether a path equals another one, or is inside it."""
    return path[: len(ancestor)] == ancestor
