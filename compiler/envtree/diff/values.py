"""The keys in which two bundles differ."""

from collections.abc import Container, Iterator
from typing import NamedTuple

from envtree.cells import SECTIONS, Cell, mark, sealed_leaves, section, shape
from envtree.explain.place import pick
from envtree.keypath import KeyPath
from envtree.node import Cipher
from envtree.resolved import Bundle
from envtree.value import Leaf


class Difference(NamedTuple):
    """A key whose cells differ; one of them may be missing."""

    path: KeyPath
    old: Cell | None
    new: Cell | None


def differences(base: Bundle, head: Bundle, secretive: frozenset[str]) -> Iterator[Difference]:
    """Every key in which two bundles of one id differ; what is `secretive` in either is not shown."""
    for name in SECTIONS:
        one, other = base.data[name], head.data[name]
        if one is other or mark(one) == mark(other):
            continue
        old, new = dict(section(base, name, secretive)), dict(section(head, name, secretive))
        for path in dict.fromkeys((*old, *new)):
            before, after = old.get(path), new.get(path)
            if before is None or after is None or before.mark != after.mark:
                yield Difference(path, before, after)


def only_reencrypted(base: Bundle, head: Bundle, path: KeyPath, leaves: Container[str]) -> bool:
    """Whether a value is computed as before, from secrets of which only those in `leaves` have other ciphertexts."""
    try:
        one, other = pick(base.data, path), pick(head.data, path)
    except KeyError:
        return False
    if shape(one) != shape(other):
        return False
    old, new = ({_name(leaf): leaf.node.text for leaf in sealed_leaves(side)} for side in (one, other))
    return all(name in leaves for name, text in new.items() if old.get(name) != text)


def _name(leaf: Leaf) -> str:
    cipher = leaf.node.value
    assert isinstance(cipher, Cipher)
    return f"{cipher.file}#{cipher.path}"
