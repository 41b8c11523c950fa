"""Run an expression on the values that it reads."""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError, Undefined, UndefinedError

from envtree.canonical import compact
from envtree.expression import Expression, Reference, Term
from envtree.node import Cipher
from envtree.resolve.functions import LIMIT, Misfit, to_text
from envtree.resolved import HOLE, UNKNOWN, AsText, Derived, Hidden
from envtree.value import Leaf

_EXACT = 2**53


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
    return values[0] if expression.whole else _join(values)


def _join(values: Sequence[Any]) -> str:
    text = "".join([value if type(value) is str else to_text(value) for value in values])
    if len(text) > LIMIT:
        raise Fault("ET507", f"the computed value is longer than {LIMIT} characters", 0)
    return text


def as_environment_text(value: Any) -> Any:
    """The text that a value is as an environment variable; what is hidden stays hidden."""
    if not isinstance(value, Hidden):
        return value if type(value) is str else to_text(value)
    if value is HOLE or _is_text(value.symbol):
        return value
    plain = to_text(value.reveal()) if value.known else UNKNOWN
    return Hidden(plain, secret=value.secret, symbol=AsText(value))


def _is_text(symbol: Any) -> bool:
    """Whether a hidden value is known to be text, whatever it holds."""
    if type(symbol) is Leaf and isinstance(symbol.node.value, Cipher):
        return symbol.node.value.type == "str"
    return type(symbol) is Derived and not symbol.expression.whole


def _run(term: Term, operands: Sequence[Any]) -> Any:
    assert term.run is not None
    try:
        result = term.run({f"_{n}": value for n, value in enumerate(operands)})
    except UndefinedError:
        raise _undefined(term, operands) from None
    except Misfit as misfit:
        raise _fault(str(misfit), term) from None
    except (TypeError, ValueError, ArithmeticError, LookupError, TemplateError, RecursionError):
        # Not said in the library's words: they quote values.
        raise _fault("its operands do not fit together", term) from None
    if isinstance(result, Undefined):
        raise _undefined(term, operands)
    if not _is_json(result):
        raise _fault("its result is not JSON data within the exact range", term)
    if (len(result) if isinstance(result, str) else len(compact(result))) > LIMIT:
        raise Fault("ET507", f"the computed value is longer than {LIMIT} characters", term.offset)
    return result


def _fault(why: str, term: Term) -> Fault:
    return Fault("ET505", f"this expression cannot be evaluated: {why}", term.offset)


def _undefined(term: Term, operands: Sequence[Any]) -> Fault:
    """A branch that was taken reads a name that does not exist, or a part that a value does not have."""
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
