"""Type plain scalars by the JSON schema of YAML 1.2, and report spellings that other readers type differently."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from envtree.model.nodes import PlainValue


class ScalarProblem(NamedTuple):
    """A finding about the spelling of a scalar, which it never quotes, because it may be a secret."""

    code: str
    message: str
    hint: str


TypedScalar = tuple[PlainValue, ScalarProblem | None]

MAX_INTEGER = 2**53
_MAX_DIGITS = len(str(MAX_INTEGER)) + 1

# A plain scalar that neither begins with one of these nor is one of RESERVED_WORDS is text without further checks.
NUMBER_STARTS = frozenset("0123456789+-.")

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<float>(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
_CORE = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
# Decimals in the core schema, octals in YAML 1.1. The finding is about the older reading, which is the surprise.
_LEADING_ZERO = re.compile(r"-?0[0-9][0-9_]*(?:\.[0-9_]*)?(?:[eE][-+]?[0-9]+)?")
_YAML_1_1 = (
    ("a date or a time", re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")),
    ("a date or a time", re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}.*")),
    ("a number to base 60", re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?")),
    ("a binary, octal or hexadecimal number", re.compile(r"[-+]?0(?:b[01_]+|o[0-7_]+|x[0-9a-fA-F_]+)")),
    (
        "a number with underscores",
        re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"),
    ),
)

_CORE_WORDS = ("~", "Null", "NULL", "True", "TRUE", "False", "FALSE")
# Words by their meaning in YAML 1.1.
_YAML_1_1_WORDS = MappingProxyType(
    {
        **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), "true"),
        **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), "false"),
        "=": "",
    }
)


def _core_schema_problem(description: str, replacement: str) -> ScalarProblem:
    return ScalarProblem(
        "ET106",
        f"found {description}, which YAML readers type differently",
        f"write {replacement}, or quote it if it is text",
    )


def _yaml_1_1_problem(description: str, replacement: str = "") -> ScalarProblem:
    hint = f"quote it, or write {replacement} if it is no text" if replacement else "quote it"
    return ScalarProblem(
        "ET150", f"found {description}, which is text here and something else to YAML 1.1 readers", hint
    )


def _build_reserved_words() -> dict[str, TypedScalar]:
    words: dict[str, TypedScalar] = {
        "": (None, None),
        "null": (None, None),
        "true": (True, None),
        "false": (False, None),
    }
    words |= {
        word: (word, _core_schema_problem(f"'{word}'", "null" if word == "~" else word.lower())) for word in _CORE_WORDS
    }
    words |= {
        word: (word, _yaml_1_1_problem(f"'{word}'", replacement)) for word, replacement in _YAML_1_1_WORDS.items()
    }
    return words


_RESERVED_WORD_VALUES: Mapping[str, TypedScalar] = MappingProxyType(_build_reserved_words())
RESERVED_WORDS = frozenset(_RESERVED_WORD_VALUES)
# Reported by `validate`, and only where it matters: an environment variable is the text as written.
ROUNDED = ScalarProblem("", "", "")
_OUT_OF_RANGE = ScalarProblem("ET107", "found a number that not every reader keeps exact", "quote it")


def read_plain_scalar(text: str) -> TypedScalar:
    """Return the value of a plain scalar, and the problem with its spelling, if there is one."""
    reserved = _RESERVED_WORD_VALUES.get(text)
    if reserved is not None:
        return reserved
    if text[0] not in NUMBER_STARTS:
        return text, None
    number = _JSON_NUMBER.fullmatch(text)
    if number is not None:
        return _read_float(text) if number["float"] else _read_integer(text)
    return text, _ambiguous_number_problem(text)


def _ambiguous_number_problem(text: str) -> ScalarProblem | None:
    if _LEADING_ZERO.fullmatch(text):
        return _yaml_1_1_problem("a number with a leading zero")
    if _CORE.fullmatch(text):
        return _core_schema_problem("a number that is not a JSON number", "it as JSON does")
    description = next((description for description, pattern in _YAML_1_1 if pattern.fullmatch(text)), "")
    return _yaml_1_1_problem(description) if description else None


def _read_integer(text: str) -> TypedScalar:
    if len(text) <= _MAX_DIGITS and abs(value := int(text)) <= MAX_INTEGER:
        return value, None
    return text, _OUT_OF_RANGE


def _read_float(text: str) -> TypedScalar:
    value = float(text)
    if abs(value) == float("inf"):
        return text, _OUT_OF_RANGE
    return value, ROUNDED if text.endswith("0") and "e" not in text.lower() and repr(value) != text else None
