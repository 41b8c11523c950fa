"""Run an expression on the values that it reads."""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError, Undefined, UndefinedError

from envtree.compile.filters import LIMIT, Misfit, TooLarge, excess, to_text
from envtree.model.expression import Expression, Reference, Term
from envtree.model.resolved import HOLE, UNKNOWN, AsText, Hidden, is_text

_EXACT = 2**53
# How Jinja2 begins to say it.
_NO_ELSE = "the inline if-expression"


class Fault(Exception):
    """An expression that gives no value; `missing` is the name it needed, if that is why."""

    def __init__(self, code: str, message: str, offset: int, missing: Reference | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.offset, self.missing = code, message, offset, missing


def compute(expression: Expression, operands: Sequence[Any], *, null_spreads: bool) -> Any:
    """The value of an expression, its operands being those of its `reads`; raises Fault.

    With `null_spreads` a text in which a null is embedded is null, else the null is the text `null`.
    """
    values: list[Any] = []
    at = 0
    for piece in expression.pieces:
        if type(piece) is str:
            values.append(piece)
            continue
        assert isinstance(piece, Term)
        end = at + len(piece.reads)
        values.append(operands[at] if piece.run is None else _run(piece, operands[at:end]))
        at = end
    if null_spreads and any(value is None for value in values):
        return None
    if not expression.whole:
        return _join(values)
    if expression.plain:
        limit(values[0], expression.reads[0].offset)
    return values[0]


def limit(value: Any, offset: int) -> None:
    """Raise Fault for a value that is too large."""
    why = excess(value)
    if why:
        raise Fault("ET507", why, offset)


def fold(expression: Expression, operands: Sequence[Any], *, null_spreads: bool) -> tuple[Expression, list[Any]] | None:
    """The expression with each term that reads nothing hidden as text, and the operands that are left; raises Fault.

    None where such a term is a null that spreads.
    """
    pieces: list[str | Term] = []
    left: list[Any] = []
    at = 0
    for piece in expression.pieces:
        mine = operands[at : at + len(piece.reads)] if isinstance(piece, Term) else ()
        at += len(mine)
        if expression.whole or isinstance(piece, str) or any(isinstance(value, Hidden) for value in mine):
            pieces.append(piece)
            left.extend(mine)
            continue
        value = mine[0] if piece.run is None else _run(piece, mine)
        if value is None and null_spreads:
            return None
        pieces.append(_join([value]))
    reads = tuple(read for piece in pieces if isinstance(piece, Term) for read in piece.reads)
    return expression._replace(pieces=tuple(pieces), reads=reads), left


def _join(values: Sequence[Any]) -> str:
    try:
        text = "".join([value if type(value) is str else to_text(value) for value in values])
    except TooLarge as large:
        raise Fault("ET507", str(large), 0) from None
    if len(text) > LIMIT:
        raise Fault("ET507", str(TooLarge()), 0)
    return text


def as_environment_text(value: Any) -> Any:
    """The text that a value is as an environment variable; what is hidden stays hidden."""
    if not isinstance(value, Hidden):
        return value if type(value) is str else to_text(value)
    if value is HOLE or is_text(value):
        return value
    plain = to_text(value.reveal()) if value.known else UNKNOWN
    return Hidden(plain, secret=value.secret, symbol=AsText(value))


def _run(term: Term, operands: Sequence[Any]) -> Any:
    assert term.run is not None
    try:
        result = term.run({f"_{n}": value for n, value in enumerate(operands)})
    except UndefinedError as error:
        raise _undefined(term, operands, str(error)) from None
    except TooLarge as large:
        raise Fault("ET507", str(large), term.offset) from None
    except Misfit as misfit:
        raise _fault(str(misfit), term) from None
    except ZeroDivisionError:
        raise _fault("it divides by zero", term) from None
    except (TypeError, ValueError, ArithmeticError, LookupError, TemplateError, RecursionError):
        # Not said in the library's words: they quote values.
        raise _fault("its operands do not fit together", term) from None
    if isinstance(result, Undefined):
        raise _undefined(term, operands, str(result._undefined_hint))
    if type(result) is not str or len(result) > LIMIT:
        limit(result, term.offset)
    if not _is_json(result):
        raise _fault("its result is not JSON data within the exact range", term)
    return result


def _fault(why: str, term: Term) -> Fault:
    return Fault("ET505", f"this expression cannot be evaluated: {why}", term.offset)


def _undefined(term: Term, operands: Sequence[Any], why: str) -> Fault:
    """A branch that was taken reads a name that does not exist, or a part that a value does not have."""
    if why.startswith(_NO_ELSE):
        return _fault("its condition does not hold, and it has no 'else'", term)
    for read, operand in zip(term.reads, operands, strict=True):
        if isinstance(operand, Undefined) and not read.lenient:
            return Fault("ET503", "", term.offset, read)
    return _fault("it reads what does not exist", term)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(child) for key, child in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return -_EXACT <= value <= _EXACT or (isinstance(value, float) and abs(value) < float("inf"))
    return value is None or isinstance(value, (str, bool))
