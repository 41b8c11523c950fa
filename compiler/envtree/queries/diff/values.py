"""The keys in which two bundles differ."""

from collections.abc import Container, Iterator
from typing import Any, NamedTuple

from envtree.model.keypath import KeyPath
from envtree.model.merged import Leaf
from envtree.model.nodes import Cipher
from envtree.model.resolved import Bundle
from envtree.model.value_path import pick
from envtree.output.bundle_cells import FLAT, PARTS, Cell, inside, is_secret, mark, sealed_leaves, section, shape
from envtree.queries.diff.model import Hidden

# What stands for a key that one side does not have; null is a value.
_ABSENT = object()


class Difference(NamedTuple):
    """A key whose cells differ; one of them may be missing."""

    path: KeyPath
    old: Cell | None
    new: Cell | None

    @property
    def sensitive(self) -> bool:
        """Whether neither value must be shown."""
        return any(cell.sensitive for cell in self[1:] if cell)


def differences(base: Bundle, head: Bundle, secretive: frozenset[str]) -> Iterator[Difference]:
    """Every key in which two bundles of one id differ; what is `secretive` in either is not shown."""
    for name in PARTS:
        one, other = base.data[name], head.data[name]
        if one is other or mark(one) == mark(other):
            continue
        if isinstance(one, dict) and isinstance(other, dict):
            yield from _in_maps(one, other, (name,), secretive)
        else:
            # That a bundle has no such value is no value.
            old, new = dict(section(base, name)), dict(section(head, name))
            yield Difference((name,), old.get((name,)), new.get((name,)))


def _in_maps(
    base: dict[str, Any], head: dict[str, Any], path: KeyPath, secretive: frozenset[str]
) -> Iterator[Difference]:
    flat = path[0] in FLAT
    for key in dict.fromkeys((*base, *head)):
        one, other, below = base.get(key, _ABSENT), head.get(key, _ABSENT), (*path, key)
        if _is_same(one, other):
            continue
        if not flat and one and other and isinstance(one, dict) and isinstance(other, dict):
            yield from _in_maps(one, other, below, secretive)
            continue
        # Of two sides only one is a map here, or both are single cells.
        old, new = ({} if side is _ABSENT else dict(inside(side, below, flat, secretive)) for side in (one, other))
        for place in dict.fromkeys((*old, *new)):
            yield Difference(place, old.get(place), new.get(place))


def _is_same(one: Any, other: Any) -> bool:
    if one is other:
        return True
    if one is _ABSENT or other is _ABSENT:
        return False
    # Most values are plain texts, and a mark takes a while to make.
    return one == other if type(one) is str is type(other) else mark(one) == mark(other)


def hidden(cell: Cell | None, bundle: Bundle, path: KeyPath) -> Hidden:
    """Why the value of a cell is not told, if so."""
    if cell is None or cell.hidden != "secret":
        return cell.hidden if cell else ""
    return "secret" if is_secret(_at(bundle, path)) else "unshown"


def only_reencrypted(base: Bundle, head: Bundle, path: KeyPath, leaves: Container[str]) -> bool:
    """Whether a value is computed as before, from secrets of which only those in `leaves` have other ciphertexts."""
    one, other = _at(base, path), _at(head, path)
    if shape(one) != shape(other):
        return False
    old, new = ({_name(leaf): leaf.node.text for leaf in sealed_leaves(side)} for side in (one, other))
    return all(name in leaves for name, text in new.items() if old.get(name) != text)


def _at(bundle: Bundle, path: KeyPath) -> Any:
    try:
        return pick(bundle.data, path)
    except KeyError:
        return None


def _name(leaf: Leaf) -> str:
    cipher = leaf.node.value
    assert isinstance(cipher, Cipher)
    return f"{cipher.file}#{cipher.path}"
