"""Evaluate an expression on the values that it reads."""

from collections.abc import Sequence
from typing import Any

from jinja2 import TemplateError, Undefined, UndefinedError

from envtree.compile.filters import MAX_VALUE_LENGTH, FilterError, TooLargeError, describe_excess, to_text
from envtree.model.expression import Expression, Reference, Term
from envtree.model.resolved import ERROR_VALUE, UNKNOWN, HiddenValue, TextSymbol, is_text

_MAX_EXACT_INTEGER = 2**53
# The beginning of Jinja2's message about a condition without `else`.
_JINJA_NO_ELSE = "the inline if-expression"


class EvaluationError(Exception):
    """An expression has no value; `missing` is the name that it needs, if that is the reason."""

    def __init__(self, code: str, message: str, offset: int, missing: Reference | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.offset, self.missing = code, message, offset, missing


def compute(expression: Expression, operands: Sequence[Any], *, propagate_null: bool) -> Any:
    """Return the value of an expression; the operands are the values of its `references`, in their order.

    With `propagate_null` a text that embeds a null is null, else the null becomes the text `null`.
    Raises EvaluationError.
    """
    values: list[Any] = []
    start = 0
    for piece in expression.pieces:
        if type(piece) is str:
            values.append(piece)
            continue
        assert isinstance(piece, Term)
        end = start + len(piece.references)
        values.append(operands[start] if piece.evaluate is None else _run_term(piece, operands[start:end]))
        start = end
    if propagate_null and any(value is None for value in values):
        return None
    if not expression.is_single_term:
        return _join_texts(values)
    if expression.is_plain_name:
        check_limits(values[0], expression.references[0].offset)
    return values[0]


def check_limits(value: Any, offset: int) -> None:
    """Raise EvaluationError for a value that is too large."""
    excess = describe_excess(value)
    if excess:
        raise EvaluationError("ET507", excess, offset)


def fold_constants(
    expression: Expression, operands: Sequence[Any], *, propagate_null: bool
) -> tuple[Expression, list[Any]] | None:
    """Replace each term that reads nothing hidden by its text; return the new expression and the operands left.

    Returns None if such a term is null and `propagate_null` is set. Raises EvaluationError.
    """
    pieces: list[str | Term] = []
    remaining: list[Any] = []
    start = 0
    for piece in expression.pieces:
        term_operands = operands[start : start + len(piece.references)] if isinstance(piece, Term) else ()
        start += len(term_operands)
        if (
            expression.is_single_term
            or isinstance(piece, str)
            or any(isinstance(value, HiddenValue) for value in term_operands)
        ):
            pieces.append(piece)
            remaining.extend(term_operands)
            continue
        value = term_operands[0] if piece.evaluate is None else _run_term(piece, term_operands)
        if value is None and propagate_null:
            return None
        pieces.append(_join_texts([value]))
    references = tuple(reference for piece in pieces if isinstance(piece, Term) for reference in piece.references)
    return expression._replace(pieces=tuple(pieces), references=references), remaining


def _join_texts(values: Sequence[Any]) -> str:
    try:
        text = "".join([value if type(value) is str else to_text(value) for value in values])
    except TooLargeError as error:
        raise EvaluationError("ET507", str(error), 0) from None
    if len(text) > MAX_VALUE_LENGTH:
        raise EvaluationError("ET507", str(TooLargeError()), 0)
    return text


def as_environment_text(value: Any) -> Any:
    """Return the text of a value as an environment variable; a hidden value stays hidden."""
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
    except TooLargeError as error:
        raise EvaluationError("ET507", str(error), term.offset) from None
    except FilterError as error:
        raise _evaluation_error(str(error), term) from None
    except ZeroDivisionError:
        raise _evaluation_error("it divides by zero", term) from None
    except (TypeError, ValueError, ArithmeticError, LookupError, TemplateError, RecursionError):
        # The library's message is not used: it quotes values.
        raise _evaluation_error("its operands do not fit together", term) from None
    if isinstance(result, Undefined):
        raise _undefined_error(term, operands, str(result._undefined_hint))
    if type(result) is not str or len(result) > MAX_VALUE_LENGTH:
        check_limits(result, term.offset)
    if not _is_json(result):
        raise _evaluation_error("its result is not JSON data within the exact range", term)
    return result


def _evaluation_error(reason: str, term: Term) -> EvaluationError:
    return EvaluationError("ET505", f"this expression cannot be evaluated: {reason}", term.offset)


def _undefined_error(term: Term, operands: Sequence[Any], reason: str) -> EvaluationError:
    """Return the error for a taken branch that reads a missing name, or a missing part of a value."""
    if reason.startswith(_JINJA_NO_ELSE):
        return _evaluation_error("its condition does not hold, and it has no 'else'", term)
    for reference, operand in zip(term.references, operands, strict=True):
        if isinstance(operand, Undefined) and not reference.lenient:
            return EvaluationError("ET503", "", term.offset, reference)
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
