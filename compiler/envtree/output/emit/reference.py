"""References in the place of secrets: where each is kept, or a template that reads only secrets."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from jinja2 import StrictUndefined

from envtree.model.expression import Expression, Term
from envtree.model.merged import Branch, Leaf, Listing
from envtree.model.nodes import Cipher
from envtree.model.resolved import AsText, Composite, Derived, Hidden, Part, Unset
from envtree.output.emit.spelling import spell

# What is read as an expression where it stands in a template, up to its end if it has one.
_SPELT = re.compile(r"\$\{\{.*?(\}\}|\Z)", re.DOTALL)


class _Source(NamedTuple):
    """The source of an expression."""

    text: str


def referenced(value: Hidden) -> dict[str, str]:
    """`{"$secret": "<file>#<path>"}` for a secret as it is kept, else `{"$template": "<text>"}`."""
    symbol = value.symbol.value.symbol if isinstance(value.symbol, AsText) else value.symbol
    if isinstance(symbol, Leaf) and isinstance(symbol.node.value, Cipher):
        return {"$secret": f"{symbol.node.value.file}#{symbol.node.value.path}"}
    return {"$template": _template(symbol)}


def _template(symbol: Any) -> str:
    if not isinstance(symbol, Derived) or symbol.expression.whole:
        return "${{ " + _symbol(symbol) + " }}"
    parts, text = [], ""
    for piece in _pieces(symbol):
        if isinstance(piece, str):
            text += piece
            continue
        # A `$`, or a `${{` without its end, would swallow what stands behind it.
        joined = text.endswith("$") or any(not spelt[1] for spelt in _SPELT.finditer(text))
        source = f"({_literal(text)} ~ {piece.text})" if joined else piece.text
        parts.append(("" if joined else _escape(text)) + "${{ " + source + " }}")
        text = ""
    return "".join([*parts, _escape(text)])


def _pieces(symbol: Derived) -> Iterator[str | _Source]:
    """Texts and expressions in turn; a template inside the text is spelt out."""
    for piece, mine in _with_operands(symbol.expression, symbol.operands):
        if isinstance(piece, str):
            yield piece
            continue
        inner = mine[0].symbol if piece.tree is None and isinstance(mine[0], Hidden) else None
        if isinstance(inner, Derived) and not inner.expression.whole:
            yield from _pieces(inner)
        else:
            yield _Source(_term(piece, mine))


def _escape(text: str) -> str:
    return _SPELT.sub(lambda spelt: f"${spelt[0]}", text)


def _symbol(symbol: Any) -> str:
    """The source of a hidden value as an expression."""
    if isinstance(symbol, AsText):
        return f"({_symbol(symbol.value.symbol)} | string)"
    if isinstance(symbol, Composite):
        return _literal(symbol.data)
    if isinstance(symbol, Part):
        return _symbol(symbol.whole.symbol) + "".join(f"[{_literal(part)}]" for part in symbol.path)
    if isinstance(symbol, Derived):
        return _derived(symbol.expression, symbol.operands)
    return _kept(symbol)


def _kept(symbol: Any) -> str:
    """A secret, a map or list of secrets that lie in several places, or an input."""
    if type(symbol) is Branch:
        return "{" + ", ".join(f"{_literal(key)}: {_kept(child)}" for key, child in symbol.entries.items()) + "}"
    if type(symbol) is Listing:
        return "[" + ", ".join(map(_kept, symbol.items)) + "]"
    if type(symbol) is Unset:
        return f"inputs[{_literal(symbol.name)}]"
    if symbol is None:
        # It could not be computed, which has been told; nothing is written in a run with errors.
        return "none"
    cipher = symbol.node.value
    return f"secrets[{_literal(f'{cipher.file}#{cipher.path}')}]"


def _derived(expression: Expression, operands: Sequence[Any]) -> str:
    sources = [
        _literal(piece) if isinstance(piece, str) else _term(piece, mine)
        for piece, mine in _with_operands(expression, operands)
    ]
    return sources[0] if expression.whole else f"({' ~ '.join(sources)})"


def _with_operands(expression: Expression, operands: Sequence[Any]) -> Iterator[tuple[str | Term, Sequence[Any]]]:
    """The pieces of an expression, each with the operands that it reads."""
    at = 0
    for piece in expression.pieces:
        end = at if isinstance(piece, str) else at + len(piece.reads)
        yield piece, operands[at:end]
        at = end


def _term(term: Term, operands: Sequence[Any]) -> str:
    sources = [_operand(operand) for operand in operands]
    return sources[0] if term.tree is None else spell(term.tree, sources)


def _operand(value: Any) -> str:
    if isinstance(value, StrictUndefined):
        return ""
    return _symbol(value.symbol) if isinstance(value, Hidden) else _literal(value)


def _literal(value: Any) -> str:
    if isinstance(value, Hidden):
        return _symbol(value.symbol)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(child)}" for key, child in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_literal, value)) + "]"
    # `}}` inside a text is no end of an expression, for texts are quoted.
    return "none" if value is None else json.dumps(value, ensure_ascii=False)
