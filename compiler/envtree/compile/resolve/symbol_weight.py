"""Estimate the size of a hidden value when it is written as a template: bounded, like values themselves."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Undefined

from envtree.compile.filters import MAX_VALUE_LENGTH
from envtree.model.expression import Expression, Term
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import CompositeSymbol, ExpressionSymbol, HiddenValue, PartSymbol, SymbolWeight, TextSymbol

# A template is written by recursion into its operands, so its depth is limited.
MAX_TEMPLATE_DEPTH = 80
# Brackets, operators and quotes around a part.
_OVERHEAD = 8


def make_derived(expression: Expression, operands: Sequence[Any]) -> ExpressionSymbol:
    """Return the symbol of an expression applied to its operands."""
    weights = [_operand_weight(value) for value in operands]
    own_size = sum(len(piece.source if isinstance(piece, Term) else piece) + _OVERHEAD for piece in expression.pieces)
    weight = SymbolWeight(
        own_size + sum(weight.size for weight in weights), 1 + max((weight.depth for weight in weights), default=0)
    )
    return ExpressionSymbol(expression, tuple(operands), weight)


def make_composite(data: Any) -> CompositeSymbol:
    """Return the symbol of a map or list with hidden parts."""
    return CompositeSymbol(data, _data_weight(data))


def describe_symbol_excess(symbol: Any) -> str:
    """Return a message that says which limit a symbol exceeds; an empty string if it can be written as a template."""
    weight = _symbol_weight(symbol)
    if weight.size > MAX_VALUE_LENGTH:
        return f"with its secrets spelt out, this value is longer than {MAX_VALUE_LENGTH} characters"
    if weight.depth > MAX_TEMPLATE_DEPTH:
        return f"with its secrets spelt out, this value is nested in more than {MAX_TEMPLATE_DEPTH} levels"
    return ""


def _operand_weight(value: Any) -> SymbolWeight:
    return SymbolWeight(_OVERHEAD, 0) if isinstance(value, Undefined) else _data_weight(value)


def _symbol_weight(symbol: Any) -> SymbolWeight:
    if isinstance(symbol, (ExpressionSymbol, CompositeSymbol)):
        return symbol.weight
    if isinstance(symbol, TextSymbol):
        inner = _symbol_weight(symbol.value.symbol)
        return SymbolWeight(inner.size + 2 * _OVERHEAD, inner.depth + 1)
    if isinstance(symbol, PartSymbol):
        inner = _symbol_weight(symbol.container.symbol)
        return SymbolWeight(inner.size + sum(len(str(part)) + _OVERHEAD for part in symbol.path), inner.depth + 1)
    if type(symbol) is MergedScalar:
        cipher = symbol.node.value
        assert isinstance(cipher, EncryptedValue)
        return SymbolWeight(2 * _OVERHEAD + len(cipher.file) + len(cipher.path), 1)
    return _collection_weight(symbol)


def _collection_weight(symbol: Any) -> SymbolWeight:
    """Return the weight of a map or list of secrets; an input without a value has no text yet."""
    if type(symbol) is MergedMapping:
        weights = [*map(_symbol_weight, symbol.entries.values()), SymbolWeight(sum(map(len, symbol.entries)), 0)]
    else:
        weights = list(map(_symbol_weight, symbol.items)) if type(symbol) is MergedSequence else []
    size = sum(weight.size + _OVERHEAD for weight in weights)
    return SymbolWeight(_OVERHEAD + size, 1 + max((weight.depth for weight in weights), default=0))


def _data_weight(value: Any) -> SymbolWeight:
    """Return the weight of data that may have hidden parts; counting stops once the limit is exceeded."""
    size, depth, level_depth, level = 0, 0, 0, [value]
    while level and size <= MAX_VALUE_LENGTH:
        next_level: list[Any] = []
        for part in level:
            if isinstance(part, HiddenValue):
                weight = _symbol_weight(part.symbol)
                size += weight.size
                depth = max(depth, level_depth + weight.depth)
            elif isinstance(part, dict):
                size += sum(len(key) + _OVERHEAD for key in part)
                next_level.extend(part.values())
            elif isinstance(part, list):
                size += len(part) * 2
                next_level.extend(part)
            else:
                size += len(str(part)) + 2
        level, level_depth = next_level, level_depth + 1
    return SymbolWeight(size, depth)
