"""The keys in which two bundles differ."""

from collections.abc import Container, Iterator
from typing import Any, NamedTuple

from envtree.model.keypath import KeyPath
from envtree.model.merged import MergedScalar
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import Bundle
from envtree.model.value_path import get_by_path
from envtree.output.bundle_cells import (
    CELL_SECTIONS,
    OPAQUE_SECTIONS,
    Cell,
    comparison_key,
    contains_secret,
    derivation_key,
    flatten_section,
    flatten_value,
    sealed_leaves,
)
from envtree.queries.diff.diff_model import HiddenReason

# A key that one side does not have; null is a value.
_ABSENT = object()


class BundleDifference(NamedTuple):
    """A key whose cells differ; at most one of them is missing."""

    path: KeyPath
    old: Cell | None
    new: Cell | None

    @property
    def sensitive(self) -> bool:
        """Whether both values must be hidden."""
        return any(cell.is_secret for cell in self[1:] if cell)


def diff_bundles(base: Bundle, head: Bundle, secret_names: frozenset[str]) -> Iterator[BundleDifference]:
    """Yield every key in which two bundles with the same id differ.

    Variables in `secret_names` are masked on both sides.
    """
    for section in CELL_SECTIONS:
        base_value, head_value = base.data[section], head.data[section]
        if base_value is head_value or comparison_key(base_value) == comparison_key(head_value):
            continue
        if isinstance(base_value, dict) and isinstance(head_value, dict):
            yield from _diff_maps(base_value, head_value, (section,), secret_names)
        else:
            # A section without a value has no cell.
            old, new = dict(flatten_section(base, section)), dict(flatten_section(head, section))
            yield BundleDifference((section,), old.get((section,)), new.get((section,)))


def _diff_maps(
    base: dict[str, Any], head: dict[str, Any], path: KeyPath, secret_names: frozenset[str]
) -> Iterator[BundleDifference]:
    is_opaque = path[0] in OPAQUE_SECTIONS
    for key in dict.fromkeys((*base, *head)):
        base_value, head_value, key_path = base.get(key, _ABSENT), head.get(key, _ABSENT), (*path, key)
        if _is_equal(base_value, head_value):
            continue
        if (
            not is_opaque
            and base_value
            and head_value
            and isinstance(base_value, dict)
            and isinstance(head_value, dict)
        ):
            yield from _diff_maps(base_value, head_value, key_path, secret_names)
            continue
        # Only one side is a map, or both are single cells.
        old, new = (
            {} if value is _ABSENT else dict(flatten_value(value, key_path, is_opaque, secret_names))
            for value in (base_value, head_value)
        )
        for cell_path in dict.fromkeys((*old, *new)):
            yield BundleDifference(cell_path, old.get(cell_path), new.get(cell_path))


def _is_equal(left: Any, right: Any) -> bool:
    if left is right:
        return True
    if left is _ABSENT or right is _ABSENT:
        return False
    # Most values are strings, and a comparison key is slow to compute.
    return left == right if type(left) is str is type(right) else comparison_key(left) == comparison_key(right)


def hidden_reason(cell: Cell | None, bundle: Bundle, path: KeyPath) -> HiddenReason:
    """Return why the value of a cell is hidden, or an empty string if it is shown."""
    if cell is None or cell.hidden != "secret":
        return cell.hidden if cell else ""
    return "secret" if contains_secret(_pick_or_none(bundle, path)) else "unshown"


def is_only_reencrypted(base: Bundle, head: Bundle, path: KeyPath, reencrypted_leaves: Container[str]) -> bool:
    """Report whether a value is computed as before and differs only in reencrypted secrets.

    `reencrypted_leaves` has the leaves, as `file#path`, whose ciphertexts may differ.
    """
    base_value, head_value = _pick_or_none(base, path), _pick_or_none(head, path)
    if derivation_key(base_value) != derivation_key(head_value):
        return False
    old, new = ({_leaf_id(leaf): leaf.node.text for leaf in sealed_leaves(value)} for value in (base_value, head_value))
    return all(leaf_id in reencrypted_leaves for leaf_id, ciphertext in new.items() if old.get(leaf_id) != ciphertext)


def _pick_or_none(bundle: Bundle, path: KeyPath) -> Any:
    try:
        return get_by_path(bundle.data, path)
    except KeyError:
        return None


def _leaf_id(leaf: MergedScalar) -> str:
    cipher = leaf.node.value
    assert isinstance(cipher, EncryptedValue)
    return f"{cipher.file}#{cipher.path}"
