"""From the values that a file has to those that it should have: what to tell sops to do.

`sops set` makes every number a float, and rounds the great ones. So whatever sops would not read as it is meant is
told as the text that sops would encrypt, and gets its type back afterwards, which stands beside the ciphertext.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from envtree.model.keypath import KeyPath
from envtree.secrets.edit.leaves import Leaves, kinds, same
from envtree.secrets.sops.writing import Set, Unset

_NATIVE = ("str", "bool", "float")


class Plan(NamedTuple):
    """What to do in this order, and the types to be put right when it is done."""

    steps: tuple[Set | Unset, ...]
    types: dict[KeyPath, Any]


def plan(present: Leaves, wanted: Leaves) -> Plan:
    """The fewest steps: a map of which nothing stays is one, and so is one that is new."""
    changed = {path: leaf for path, leaf in wanted.items() if not same(present.get(path), leaf)}
    removed = dict.fromkeys(_widest(path, wanted) for path in present if _is_gone(path, wanted))
    maps = {path[:length] for path in present for length in range(1, len(path))}
    new: dict[KeyPath, Leaves] = {}
    for path, leaf in changed.items():
        at = next((path[:length] for length in range(1, len(path)) if path[:length] not in maps), path)
        new.setdefault(at, {})[path[len(at) :]] = leaf
    sets = [
        Set(at, _nested({path: told(leaf.plain, kinds(leaf.node)) for path, leaf in below.items()}))
        for at, below in new.items()
    ]
    types = {path: found for path, leaf in changed.items() if (found := retypable(kinds(leaf.node)))}
    return Plan((*map(Unset, removed), *sets), types)


def told(plain: Any, kind: Any) -> Any:
    """What to tell sops for it to encrypt a value that is to have a type, or types in the shape of the value."""
    if isinstance(kind, Mapping):
        return {key: told(plain[key], below) for key, below in kind.items()}
    if isinstance(kind, list):
        return [told(item, below) for item, below in zip(plain, kind, strict=True)]
    return plain if kind in _NATIVE else str(plain)


def retypable(kind: Any) -> Any:
    """The types that sops will not find out by itself, in the shape of the value; empty if there are none."""
    if isinstance(kind, Mapping):
        return {key: found for key, below in kind.items() if (found := retypable(below))}
    if isinstance(kind, list):
        found = [retypable(below) for below in kind]
        return found if any(found) else ""
    return "" if kind in _NATIVE else kind


def _nested(values: Mapping[KeyPath, Any]) -> Any:
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


def _is_gone(path: KeyPath, wanted: Leaves) -> bool:
    """Whether nothing stands at a path any more, above it or below."""
    return not any(path[: len(other)] == other[: len(path)] for other in wanted)


def _widest(path: KeyPath, wanted: Leaves) -> KeyPath:
    """The outermost map around a path in which nothing stays."""
    return next(path[:length] for length in range(1, len(path) + 1) if _is_gone(path[:length], wanted))
