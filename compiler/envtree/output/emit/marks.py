"""Marks of values, secrets included: for comparing, without a key, and not for showing."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from envtree.model.merged import Branch, Leaf, Listing
from envtree.model.nodes import Cipher
from envtree.model.resolved import Hidden, operands
from envtree.output.emit.reference import referenced


def mark(value: Any) -> bytes:
    """What is the same for two values if and only if they are, secrets included."""
    return orjson.dumps(value, default=_spelt, option=orjson.OPT_SORT_KEYS)


def _spelt(value: Any) -> Any:
    """A hidden value as a run without a key knows it: how it is computed, and the ciphertexts of what it reads."""
    return {"$hidden": referenced(value), "$from": sorted({leaf.node.text for leaf in sealed_leaves(value)})}


def sealed_leaves(value: Any) -> Iterator[Leaf]:
    """The leaves of secrets files that a value, or the symbol of a hidden one, is computed from."""
    if isinstance(value, Leaf):
        if isinstance(value.node.value, Cipher):
            yield value
    else:
        for part in _parts(value):
            yield from sealed_leaves(part)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, Hidden):
        return (value.symbol,)
    if isinstance(value, Branch):
        return value.entries.values()
    if isinstance(value, dict):
        return value.values()
    return value.items if isinstance(value, Listing) else value if isinstance(value, list) else operands(value)
