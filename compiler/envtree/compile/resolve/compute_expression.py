"""Run an expression on the values that it reads."""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError, Undefined, UndefinedError

from envtree.compile.filters import MAX_VALUE_LENGTH, FilterError, TooLargeError, describe_excess, to_text
from envtree.model.expression import Expression, Reference, Term
from envtree.model.resolved import ERROR_VALUE, UNKNOWN, HiddenValue, TextSymbol, is_text

_MAX_EXACT_INTEGER = 2**53
# How Jinja2 begins to say it.
_JINJA_NO_ELSE = "the inline if-expression"


class EvaluationError(Exception):
    """An expression that gives no value; `missing` is the name it needed, if that is why."""

    def __init__(self, code: str, message: str, offset: int, missing: Reference | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.offset, self.missing = code, message, offset, missing


def compute(expression: Expression, operands: Sequence[Any], *, propagate_null: bool) -> Any:
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
        end = at + len(piece.references)
        values.append(operands[at] if piece.evaluate is None else _run_term(piece, operands[at:end]))
        at = end
    if propagate_null and any(value is None for value in values):
        return None
    if not expression.is_single_term:
        return _join_texts(values)
    if expression.is_plain_name:
        check_limits(values[0], expression.references[0].offset)
    return values[0]


def check_limits(value: Any, offset: int) -> None:
    """Raise Fault for a value that is too large."""
    why = describe_excess(value)
    if why:
        raise EvaluationError("ET507", why, offset)


def fold_constants(
    expression: Expression, operands: Sequence[Any], *, propagate_null: bool
) -> tuple[Expression, list[Any]] | None:
    """The expression with each term that reads nothing hidden as text, and the operands that are left; raises Fault.

    None where such a term is a null that spreads.
    """
    pieces: list[str | Term] = []
    left: list[Any] = []
    at = 0
    for piece in expression.pieces:
        mine = operands[at : at + len(piece.references)] if isinstance(piece, Term) else ()
        at += len(mine)
        if expression.is_single_term or isinstance(piece, str) or any(isinstance(value, HiddenValue) for value in mine):
            pieces.append(piece)
            left.extend(mine)
            continue
        value = mine[0] if piece.evaluate is None else _run_term(piece, mine)
        if value is None and propagate_null:
            return None
        pieces.append(_join_texts([value]))
    reads = tuple(read for piece in pieces if isinstance(piece, Term) for read in piece.references)
    return expression._replace(pieces=tuple(pieces), references=reads), left


def _join_texts(values: Sequence[Any]) -> str:
    try:
        text = "".join([value if type(value) is str else to_text(value) for value in values])
    except TooLargeError as large:
        raise EvaluationError("ET507", str(large), 0) from None
    if len(text) > MAX_VALUE_LENGTH:
        raise EvaluationError("ET507", str(TooLargeError()), 0)
    return text


def as_environment_text(value: Any) -> Any:
    """The text that a value is as an environment variable; what is hidden stays hidden."""
    if not isinstance(value, HiddenValue):
        return value if type(value) is str else to_text(value)
    if value is ERROR_VALUE or is_text(value):
        return value
    plain = to_text(value.reveal()) if value.is_known else UNKNOWN
    return HiddenValue(plain, secret=value.secret, symbol=TextSymbol(value))


def _run_term(term: Term, operands: Sequence[Any]) -> Any:
    assert term.evaluate is not None
    try:
        result = term.evaluate({f"_{n}": value for n, value in enumerate(operands)})
    except UndefinedError as error:
        raise _undefined_error(term, operands, str(error)) from None
    except TooLargeError as large:
        raise EvaluationError("ET507", str(large), term.offset) from None
    except FilterError as misfit:
        raise _evaluation_error(str(misfit), term) from None
    except ZeroDivisionError:
        raise _evaluation_error("it divides by zero", term) from None
    except (TypeError, ValueError, ArithmeticError, LookupError, TemplateError, RecursionError):
        # Not said in the library's words: they quote values.
        raise _evaluation_error("its operands do not fit together", term) from None
    if isinstance(result, Undefined):
        raise _undefined_error(term, operands, str(result._undefined_hint))
    if type(result) is not str or len(result) > MAX_VALUE_LENGTH:
        check_limits(result, term.offset)
    if not _is_json(result):
        raise _evaluation_error("its result is not JSON data within the exact range", term)
    return result


def _evaluation_error(why: str, term: Term) -> EvaluationError:
    return EvaluationError("ET505", f"this expression cannot be evaluated: {why}", term.offset)


def _undefined_error(term: Term, operands: Sequence[Any], why: str) -> EvaluationError:
    """A branch that was taken reads a name that does not exist, or a part that a value does not have."""
    if why.startswith(_JINJA_NO_ELSE):
        return _evaluation_error("its condition does not hold, and it has no 'else'", term)
    for read, operand in zip(term.references, operands, strict=True):
        if isinstance(operand, Undefined) and not read.lenient:
            return EvaluationError("ET503", "", term.offset, read)
    return _evaluation_error("it reads what does not exist", term)


def _is_json(value: Any) -> bool:
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(child) for key, child in value.items())
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return -_MAX_EXACT_INTEGER <= value <= _MAX_EXACT_INTEGER or (
            isinstance(value, float) and abs(value) < float("inf")
        )
    return value is None or isinstance(value, (str, bool))
