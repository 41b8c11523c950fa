"""References in place of secrets: the file and path of a secret, or a template that reads only secrets."""

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

# Text that a template reads as an expression, up to its end if it has one.
_EXPRESSION_PATTERN = re.compile(r"\$\{\{.*?(\}\}|\Z)", re.DOTALL)


class _ExpressionSource(NamedTuple):
    """The source of an expression, as opposed to literal text."""

    text: str


def secret_reference(value: HiddenValue) -> dict[str, str]:
    """Return `{"$secret": "<file>#<path>"}` for a secret as it is stored, else `{"$template": "<text>"}`."""
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
        # A `$`, or an unclosed `${{`, would swallow the text after it, so such text goes into the expression.
        joined = text.endswith("$") or any(not match[1] for match in _EXPRESSION_PATTERN.finditer(text))
        source = f"({_literal_source(text)} ~ {piece.text})" if joined else piece.text
        parts.append(("" if joined else _escape_expressions(text)) + "${{ " + source + " }}")
        text = ""
    return "".join([*parts, _escape_expressions(text)])


def _pieces(symbol: ExpressionSymbol) -> Iterator[str | _ExpressionSource]:
    """Yield texts and expressions in order; a nested template is expanded."""
    for piece, operands in _with_operands(symbol.expression, symbol.operands):
        if isinstance(piece, str):
            yield piece
            continue
        inner = operands[0].symbol if piece.syntax_tree is None and isinstance(operands[0], HiddenValue) else None
        if isinstance(inner, ExpressionSymbol) and not inner.expression.is_single_term:
            yield from _pieces(inner)
        else:
            yield _ExpressionSource(_term_source(piece, operands))


def _escape_expressions(text: str) -> str:
    return _EXPRESSION_PATTERN.sub(lambda match: f"${match[0]}", text)


def _symbol_source(symbol: Any) -> str:
    """Return the source of a hidden value as an expression."""
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
    """Return the source of a secret, a map or list of secrets from several places, or an input."""
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
        # The value could not be computed, which has been reported; a run with errors writes nothing.
        return "none"
    encrypted = symbol.node.value
    return f"secrets[{_literal_source(f'{encrypted.file}#{encrypted.path}')}]"


def _derived_source(expression: Expression, operands: Sequence[Any]) -> str:
    sources = [
        _literal_source(piece) if isinstance(piece, str) else _term_source(piece, term_operands)
        for piece, term_operands in _with_operands(expression, operands)
    ]
    return sources[0] if expression.is_single_term else f"({' ~ '.join(sources)})"


def _with_operands(expression: Expression, operands: Sequence[Any]) -> Iterator[tuple[str | Term, Sequence[Any]]]:
    """Yield the pieces of an expression, each with the operands that it reads."""
    start = 0
    for piece in expression.pieces:
        end = start if isinstance(piece, str) else start + len(piece.references)
        yield piece, operands[start:end]
        start = end


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
    # `}}` inside a text does not end an expression, because texts are quoted.
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
