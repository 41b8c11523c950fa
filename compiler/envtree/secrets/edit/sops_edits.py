"""Plan the `sops set` and `sops unset` calls that turn the values of a file into other ones.

`sops set` makes every number a float, and rounds large ones. So a value whose type sops would not infer is passed as
the text that sops would encrypt; its type, which is next to the ciphertext in clear, is corrected afterwards.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from envtree.model.keypath import KeyPath
from envtree.secrets.edit.sops_values import SopsValues, is_same_value, node_types
from envtree.secrets.sops.writer import SetValue, UnsetKey

_INFERRED_TYPES = ("str", "bool", "float")


class SopsEditPlan(NamedTuple):
    """The edits in their order, and the types to restore afterwards."""

    edits: tuple[SetValue | UnsetKey, ...]
    types: dict[KeyPath, Any]


def plan_sops_edits(present: SopsValues, target: SopsValues) -> SopsEditPlan:
    """Plan the fewest edits: one for a map that is removed as a whole, and one for a new map."""
    changed = {path: leaf for path, leaf in target.items() if not is_same_value(present.get(path), leaf)}
    removed = dict.fromkeys(_outermost_removed(path, target) for path in present if _is_removed(path, target))
    maps = {path[:length] for path in present for length in range(1, len(path))}
    new: dict[KeyPath, SopsValues] = {}
    for path, leaf in changed.items():
        new_path = next((path[:length] for length in range(1, len(path)) if path[:length] not in maps), path)
        new.setdefault(new_path, {})[path[len(new_path) :]] = leaf
    sets = [
        SetValue(
            new_path,
            _nest_values({path: set_argument(leaf.plain, node_types(leaf.node)) for path, leaf in below.items()}),
        )
        for new_path, below in new.items()
    ]
    types = {path: kind for path, leaf in changed.items() if (kind := types_to_restore(node_types(leaf.node)))}
    return SopsEditPlan((*map(UnsetKey, removed), *sets), types)


def set_argument(plain: Any, kind: Any) -> Any:
    """Return the JSON value to pass to `sops set` so that the value decrypts to the wanted type.

    `kind` is a type of sops, or types in the shape of the value.
    """
    if isinstance(kind, Mapping):
        return {key: set_argument(plain[key], below) for key, below in kind.items()}
    if isinstance(kind, list):
        return [set_argument(item, below) for item, below in zip(plain, kind, strict=True)]
    return plain if kind in _INFERRED_TYPES else str(plain)


def types_to_restore(kind: Any) -> Any:
    """Return the types that sops does not infer, in the shape of the value; empty if there are none."""
    if isinstance(kind, Mapping):
        return {key: types for key, below in kind.items() if (types := types_to_restore(below))}
    if isinstance(kind, list):
        types = [types_to_restore(below) for below in kind]
        return types if any(types) else ""
    return "" if kind in _INFERRED_TYPES else kind


def _nest_values(values: Mapping[KeyPath, Any]) -> Any:
    """Build the nested maps that have these values at these paths."""
    if () in values:
        return values[()]
    root: dict[str, Any] = {}
    for path, value in values.items():
        parent = root
        for key in path[:-1]:
            parent = parent.setdefault(key, {})
        parent[path[-1]] = value
    return root


def _is_removed(path: KeyPath, target: SopsValues) -> bool:
    """Report whether no target value is at a path, above it or below it."""
    return not any(path[: len(leaf_path)] == leaf_path[: len(path)] for leaf_path in target)


def _outermost_removed(path: KeyPath, target: SopsValues) -> KeyPath:
    """Return the outermost path at or above a removed one in which no value stays."""
    return next(path[:length] for length in range(1, len(path) + 1) if _is_removed(path[:length], target))
