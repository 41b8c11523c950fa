"""Marks of values, secrets included: for comparing, without a key, and not for showing."""

from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import HiddenValue, symbol_operands
from envtree.output.emit.reference import secret_reference


def comparison_key(value: Any) -> bytes:
    """What is the same for two values if and only if they are, secrets included."""
    return orjson.dumps(value, default=_hidden_key, option=orjson.OPT_SORT_KEYS)


def _hidden_key(value: Any) -> Any:
    """A hidden value as a run without a key knows it: how it is computed, and the ciphertexts of what it reads."""
    return {"$hidden": secret_reference(value), "$from": sorted({leaf.node.text for leaf in sealed_leaves(value)})}


def sealed_leaves(value: Any) -> Iterator[MergedScalar]:
    """The leaves of secrets files that a value, or the symbol of a hidden one, is computed from."""
    if isinstance(value, MergedScalar):
        if isinstance(value.node.value, EncryptedValue):
            yield value
    else:
        for part in _operands(value):
            yield from sealed_leaves(part)


def _operands(value: Any) -> Iterable[Any]:
    if isinstance(value, HiddenValue):
        return (value.symbol,)
    if isinstance(value, MergedMapping):
        return value.entries.values()
    if isinstance(value, dict):
        return value.values()
    return (
        value.items
        if isinstance(value, MergedSequence)
        else value
        if isinstance(value, list)
        else symbol_operands(value)
    )
