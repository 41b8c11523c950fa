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

# What stands for a key that one side does not have; null is a value.
_ABSENT = object()


class BundleDifference(NamedTuple):
    """A key whose cells differ; one of them may be missing."""

    path: KeyPath
    old: Cell | None
    new: Cell | None

    @property
    def sensitive(self) -> bool:
        """Whether neither value must be shown."""
        return any(cell.is_secret for cell in self[1:] if cell)


def diff_bundles(base: Bundle, head: Bundle, secret_names: frozenset[str]) -> Iterator[BundleDifference]:
    """Every key in which two bundles of one id differ; what is `secretive` in either is not shown."""
    for name in CELL_SECTIONS:
        one, other = base.data[name], head.data[name]
        if one is other or comparison_key(one) == comparison_key(other):
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _diff_maps(one, other, (name,), secret_names)
        else:
            # That a bundle has no such value is no value.
            old, new = dict(flatten_section(base, name)), dict(flatten_section(head, name))
            yield BundleDifference((name,), old.get((name,)), new.get((name,)))


def _diff_maps(
    base: dict[str, Any], head: dict[str, Any], path: KeyPath, secret_names: frozenset[str]
) -> Iterator[BundleDifference]:
    flat = path[0] in OPAQUE_SECTIONS
    for key in dict.fromkeys((*base, *head)):
        one, other, below = base.get(key, _ABSENT), head.get(key, _ABSENT), (*path, key)
        if _is_equal(one, other):
            continue
        if not flat and one and other and isinstance(one, dict) and isinstance(other, dict):
            yield from _diff_maps(one, other, below, secret_names)
            continue
        # Of two sides only one is a map here, or both are single cells.
        old, new = (
            {} if side is _ABSENT else dict(flatten_value(side, below, flat, secret_names)) for side in (one, other)
        )
        for place in dict.fromkeys((*old, *new)):
            yield BundleDifference(place, old.get(place), new.get(place))


def _is_equal(left: Any, right: Any) -> bool:
    if left is right:
        return True
    if left is _ABSENT or right is _ABSENT:
        return False
    # Most values are plain texts, and a mark takes a while to make.
    return left == right if type(left) is str is type(right) else comparison_key(left) == comparison_key(right)


def hidden_reason(cell: Cell | None, bundle: Bundle, path: KeyPath) -> HiddenReason:
    """Why the value of a cell is not told, if so."""
    if cell is None or cell.hidden != "secret":
        return cell.hidden if cell else ""
    return "secret" if contains_secret(_pick_or_none(bundle, path)) else "unshown"


def is_only_reencrypted(base: Bundle, head: Bundle, path: KeyPath, leaves: Container[str]) -> bool:
    """Whether a value is computed as before, from secrets of which only those in `leaves` have other ciphertexts."""
    one, other = _pick_or_none(base, path), _pick_or_none(head, path)
    if derivation_key(one) != derivation_key(other):
        return False
    old, new = ({_leaf_id(leaf): leaf.node.text for leaf in sealed_leaves(side)} for side in (one, other))
    return all(name in leaves for name, text in new.items() if old.get(name) != text)


def _pick_or_none(bundle: Bundle, path: KeyPath) -> Any:
    try:
        return get_by_path(bundle.data, path)
    except KeyError:
        return None


def _leaf_id(leaf: MergedScalar) -> str:
    cipher = leaf.node.value
    assert isinstance(cipher, EncryptedValue)
    return f"{cipher.file}#{cipher.path}"
