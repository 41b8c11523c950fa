"""References in the place of secrets: where each is kept, or a template that reads only secrets."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jinja2 import StrictUndefined

from envtree.model.expression import Expression, Term
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import (
    CompositeSymbol,
    ExpressionSymbol,
    HiddenValue,
    PartSymbol,
    TextSymbol,
    UnsetInputSymbol,
)
from envtree.output.emit.unparse import unparse

# What is read as an expression where it stands in a template, up to its end if it has one.
_EXPRESSION_PATTERN = re.compile(r"\$\{\{.*?(\}\}|\Z)", re.DOTALL)


class _ExpressionSource(NamedTuple):
    """The source of an expression."""

    text: str


def secret_reference(value: HiddenValue) -> dict[str, str]:
    """`{"$secret": "<file>#<path>"}` for a secret as it is kept, else `{"$template": "<text>"}`."""
    symbol = value.symbol.value.symbol if isinstance(value.symbol, TextSymbol) else value.symbol
    if isinstance(symbol, MergedScalar) and isinstance(symbol.node.value, EncryptedValue):
        return {"$secret": f"{symbol.node.value.file}#{symbol.node.value.path}"}
    return {"$template": _template_text(symbol)}


def _template_text(symbol: Any) -> str:
    if not isinstance(symbol, ExpressionSymbol) or symbol.expression.is_single_term:
        return "${{ " + _symbol_source(symbol) + " }}"
    parts, text = [], ""
    for piece in _pieces(symbol):
        if isinstance(piece, str):
            text += piece
            continue
        # A `$`, or a `${{` without its end, would swallow what stands behind it.
        joined = text.endswith("$") or any(not spelt[1] for spelt in _EXPRESSION_PATTERN.finditer(text))
        source = f"({_literal_source(text)} ~ {piece.text})" if joined else piece.text
        parts.append(("" if joined else _escape_expressions(text)) + "${{ " + source + " }}")
        text = ""
    return "".join([*parts, _escape_expressions(text)])


def _pieces(symbol: ExpressionSymbol) -> Iterator[str | _ExpressionSource]:
    """Texts and expressions in turn; a template inside the text is spelt out."""
    for piece, mine in _with_operands(symbol.expression, symbol.operands):
        if isinstance(piece, str):
            yield piece
            continue
        inner = mine[0].symbol if piece.syntax_tree is None and isinstance(mine[0], HiddenValue) else None
        if isinstance(inner, ExpressionSymbol) and not inner.expression.is_single_term:
            yield from _pieces(inner)
        else:
            yield _ExpressionSource(_term_source(piece, mine))


def _escape_expressions(text: str) -> str:
    return _EXPRESSION_PATTERN.sub(lambda spelt: f"${spelt[0]}", text)


def _symbol_source(symbol: Any) -> str:
    """The source of a hidden value as an expression."""
    if isinstance(symbol, TextSymbol):
        return f"({_symbol_source(symbol.value.symbol)} | string)"
    if isinstance(symbol, CompositeSymbol):
        return _literal_source(symbol.data)
    if isinstance(symbol, PartSymbol):
        return _symbol_source(symbol.container.symbol) + "".join(f"[{_literal_source(part)}]" for part in symbol.path)
    if isinstance(symbol, ExpressionSymbol):
        return _derived_source(symbol.expression, symbol.operands)
    return _stored_source(symbol)


def _stored_source(symbol: Any) -> str:
    """A secret, a map or list of secrets that lie in several places, or an input."""
    if type(symbol) is MergedMapping:
        return (
            "{"
            + ", ".join(f"{_literal_source(key)}: {_stored_source(child)}" for key, child in symbol.entries.items())
            + "}"
        )
    if type(symbol) is MergedSequence:
        return "[" + ", ".join(map(_stored_source, symbol.items)) + "]"
    if type(symbol) is UnsetInputSymbol:
        return f"inputs[{_literal_source(symbol.name)}]"
    if symbol is None:
        # It could not be computed, which has been told; nothing is written in a run with errors.
        return "none"
    cipher = symbol.node.value
    return f"secrets[{_literal_source(f'{cipher.file}#{cipher.path}')}]"


def _derived_source(expression: Expression, operands: Sequence[Any]) -> str:
    sources = [
        _literal_source(piece) if isinstance(piece, str) else _term_source(piece, mine)
        for piece, mine in _with_operands(expression, operands)
    ]
    return sources[0] if expression.is_single_term else f"({' ~ '.join(sources)})"


def _with_operands(expression: Expression, operands: Sequence[Any]) -> Iterator[tuple[str | Term, Sequence[Any]]]:
    """The pieces of an expression, each with the operands that it reads."""
    at = 0
    for piece in expression.pieces:
        end = at if isinstance(piece, str) else at + len(piece.references)
        yield piece, operands[at:end]
        at = end


def _term_source(term: Term, operands: Sequence[Any]) -> str:
    sources = [_operand_source(operand) for operand in operands]
    return sources[0] if term.syntax_tree is None else unparse(term.syntax_tree, sources)


def _operand_source(value: Any) -> str:
    if isinstance(value, StrictUndefined):
        return ""
    return _symbol_source(value.symbol) if isinstance(value, HiddenValue) else _literal_source(value)


def _literal_source(value: Any) -> str:
    if isinstance(value, HiddenValue):
        return _symbol_source(value.symbol)
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{_literal_source(key)}: {_literal_source(child)}" for key, child in value.items()) + "}"
        )
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal_source, value)) + "]"
    # `}}` inside a text is no end of an expression, for texts are quoted.
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
