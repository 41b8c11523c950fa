"""Keys that compare values, secrets included, without decryption; they are not for display."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import HiddenValue, symbol_operands
from envtree.output.emit.reference import secret_reference


def comparison_key(value: Any) -> bytes:
    """Return a key that is equal for two values if and only if they are equal, secrets included."""
    return orjson.dumps(value, default=_hidden_key, option=orjson.OPT_SORT_KEYS)


def _hidden_key(value: Any) -> Any:
    """Return a hidden value as a run without a key sees it: how it is computed, and the ciphertexts that it reads."""
    return {"$hidden": secret_reference(value), "$from": sorted({leaf.node.text for leaf in sealed_leaves(value)})}


def sealed_leaves(value: Any) -> Iterator[MergedScalar]:
    """Yield the leaves of secrets files that a value, or the symbol of a hidden one, is computed from."""
    if isinstance(value, MergedScalar):
        if isinstance(value.node.value, EncryptedValue):
            yield value
    else:
        for operand in _operands(value):
            yield from sealed_leaves(operand)


def _operands(value: Any) -> Iterable[Any]:
    if isinstance(value, HiddenValue):
        return (value.symbol,)
    if isinstance(value, MergedMapping):
        return value.entries.values()
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, MergedSequence):
        return value.items
    return value if isinstance(value, list) else symbol_operands(value)
