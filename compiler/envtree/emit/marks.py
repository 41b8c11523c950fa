"""Marks of values, secrets included: for comparing, without a key, and not for showing."""

from collections.abc import Iterator
from typing import Any

import orjson

from envtree.emit.reference import referenced
from envtree.node import Cipher
from envtree.resolved import AsText, Composite, Derived, Hidden, Part
from envtree.value import Branch, Leaf, Listing


def mark(value: Any) -> bytes:
    """What is the same for two values if and only if they are, secrets included."""
    return orjson.dumps(value, default=_spelt, option=orjson.OPT_SORT_KEYS)


def _spelt(value: Any) -> Any:
    """A hidden value as a run without a key knows it: how it is computed, and the ciphertexts of what it reads."""
    return {"$hidden": referenced(value), "$from": sorted({leaf.node.text for leaf in sealed_leaves(value)})}


def sealed_leaves(value: Any) -> Iterator[Leaf]:
    """The leaves of secrets files that a value, or the symbol of a hidden one, is computed from."""
    if isinstance(value, Hidden | AsText | Part):
        inner = value.symbol if isinstance(value, Hidden) else value.value if isinstance(value, AsText) else value.whole
        yield from sealed_leaves(inner)
    elif isinstance(value, Leaf):
        if isinstance(value.node.value, Cipher):
            yield value
    else:
        for part in _parts(value):
            yield from sealed_leaves(part)


def _parts(value: Any) -> Iterator[Any]:
    if isinstance(value, Derived):
        yield from value.operands
    elif isinstance(value, Composite):
        yield value.data
    elif isinstance(value, Branch):
        yield from value.entries.values()
    elif isinstance(value, Listing):
        yield from value.items
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, list):
        yield from value
