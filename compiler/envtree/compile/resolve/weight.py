"""How much text a secret or unknown value is when it is spelt out as a template: bounded, as values themselves are."""

from collections.abc import Sequence
from typing import Any

from jinja2 import Undefined

from envtree.compile.filters import LIMIT
from envtree.model.expression import Expression, Term
from envtree.model.merged import Branch, Leaf, Listing
from envtree.model.nodes import Cipher
from envtree.model.resolved import AsText, Composite, Derived, Hidden, Part, Weight

# Templates are spelt out by descending into what they are made of.
DEPTH = 80
# Brackets, operators and quotes around a part.
_AROUND = 8


def derived(expression: Expression, operands: Sequence[Any]) -> Derived:
    """The symbol of what an expression makes of its operands."""
    weights = [_operand(value) for value in operands]
    own = sum(len(piece.source if isinstance(piece, Term) else piece) + _AROUND for piece in expression.pieces)
    weight = Weight(own + sum(each.size for each in weights), 1 + max((each.depth for each in weights), default=0))
    return Derived(expression, tuple(operands), weight)


def composite(data: Any) -> Composite:
    """The symbol of a map or list that holds hidden parts."""
    return Composite(data, _data(data))


def overweight(symbol: Any) -> str:
    """What a symbol has too much of, in words; empty where it can be spelt out."""
    weight = _weight(symbol)
    if weight.size > LIMIT:
        return f"with its secrets spelt out, this value is longer than {LIMIT} characters"
    if weight.depth > DEPTH:
        return f"with its secrets spelt out, this value is nested in more than {DEPTH} levels"
    return ""


def _operand(value: Any) -> Weight:
    return Weight(_AROUND, 0) if isinstance(value, Undefined) else _data(value)


def _weight(symbol: Any) -> Weight:
    if isinstance(symbol, (Derived, Composite)):
        return symbol.weight
    if isinstance(symbol, AsText):
        inner = _weight(symbol.value.symbol)
        return Weight(inner.size + 2 * _AROUND, inner.depth + 1)
    if isinstance(symbol, Part):
        inner = _weight(symbol.whole.symbol)
        return Weight(inner.size + sum(len(str(part)) + _AROUND for part in symbol.path), inner.depth + 1)
    if type(symbol) is Leaf:
        cipher = symbol.node.value
        assert isinstance(cipher, Cipher)
        return Weight(2 * _AROUND + len(cipher.file) + len(cipher.path), 1)
    return _kept(symbol)


def _kept(symbol: Any) -> Weight:
    """A map or a list of secrets; an input without a value has no text yet."""
    if type(symbol) is Branch:
        inside = [*map(_weight, symbol.entries.values()), Weight(sum(map(len, symbol.entries)), 0)]
    else:
        inside = list(map(_weight, symbol.items)) if type(symbol) is Listing else []
    size = sum(each.size + _AROUND for each in inside)
    return Weight(_AROUND + size, 1 + max((each.depth for each in inside), default=0))


def _data(value: Any) -> Weight:
    """Data that may hold hidden parts; when there is too much of it, the rest is not counted."""
    size, depth, levels, level = 0, 0, 0, [value]
    while level and size <= LIMIT:
        inner: list[Any] = []
        for part in level:
            if isinstance(part, Hidden):
                weight = _weight(part.symbol)
                size += weight.size
                depth = max(depth, levels + weight.depth)
            elif isinstance(part, dict):
                size += sum(len(key) + _AROUND for key in part)
                inner.extend(part.values())
            elif isinstance(part, list):
                size += len(part) * 2
                inner.extend(part)
            else:
                size += len(str(part)) + 2
        level, levels = inner, levels + 1
    return Weight(size, depth)
