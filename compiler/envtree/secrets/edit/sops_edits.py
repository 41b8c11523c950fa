"""From the values that a file has to those that it should have: what to tell sops to do.

`sops set` makes every number a float, and rounds the great ones. So whatever sops would not read as it is meant is
told as the text that sops would encrypt, and gets its type back afterwards, which stands beside the ciphertext.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from envtree.model.keypath import KeyPath
from envtree.secrets.edit.sops_values import SopsValues, is_same_value, node_types
from envtree.secrets.sops.writer import SetValue, UnsetKey

_INFERRED_TYPES = ("str", "bool", "float")


class SopsEditPlan(NamedTuple):
    """What to do in this order, and the types to be put right when it is done."""

    edits: tuple[SetValue | UnsetKey, ...]
    types: dict[KeyPath, Any]


def plan_sops_edits(present: SopsValues, wanted: SopsValues) -> SopsEditPlan:
    """The fewest steps: a map of which nothing stays is one, and so is one that is new."""
    changed = {path: leaf for path, leaf in wanted.items() if not is_same_value(present.get(path), leaf)}
    removed = dict.fromkeys(_outermost_removed(path, wanted) for path in present if _is_removed(path, wanted))
    maps = {path[:length] for path in present for length in range(1, len(path))}
    new: dict[KeyPath, SopsValues] = {}
    for path, leaf in changed.items():
        at = next((path[:length] for length in range(1, len(path)) if path[:length] not in maps), path)
        new.setdefault(at, {})[path[len(at) :]] = leaf
    sets = [
        SetValue(
            at, _nest_values({path: set_argument(leaf.plain, node_types(leaf.node)) for path, leaf in below.items()})
        )
        for at, below in new.items()
    ]
    types = {path: found for path, leaf in changed.items() if (found := types_to_restore(node_types(leaf.node)))}
    return SopsEditPlan((*map(UnsetKey, removed), *sets), types)


def set_argument(plain: Any, kind: Any) -> Any:
    """What to tell sops for it to encrypt a value that is to have a type, or types in the shape of the value."""
    if isinstance(kind, Mapping):
        return {key: set_argument(plain[key], below) for key, below in kind.items()}
    if isinstance(kind, list):
        return [set_argument(item, below) for item, below in zip(plain, kind, strict=True)]
    return plain if kind in _INFERRED_TYPES else str(plain)


def types_to_restore(kind: Any) -> Any:
    """The types that sops will not find out by itself, in the shape of the value; empty if there are none."""
    if isinstance(kind, Mapping):
        return {key: found for key, below in kind.items() if (found := types_to_restore(below))}
    if isinstance(kind, list):
        found = [types_to_restore(below) for below in kind]
        return found if any(found) else ""
    return "" if kind in _INFERRED_TYPES else kind


def _nest_values(values: Mapping[KeyPath, Any]) -> Any:
    """The maps that lead to some values."""
    if () in values:
        return values[()]
    root: dict[str, Any] = {}
    for path, value in values.items():
        at = root
        for key in path[:-1]:
            at = at.setdefault(key, {})
        at[path[-1]] = value
    return root


def _is_removed(path: KeyPath, wanted: SopsValues) -> bool:
    """Whether nothing stands at a path any more, above it or below."""
    return not any(path[: len(other)] == other[: len(path)] for other in wanted)


def _outermost_removed(path: KeyPath, wanted: SopsValues) -> KeyPath:
    """The outermost map around a path in which nothing stays."""
    return next(path[:length] for length in range(1, len(path) + 1) if _is_removed(path[:length], wanted))
