"""What a plain scalar means: the JSON schema of YAML 1.2, strict about what other readers type differently."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from envtree.model.nodes import Plain


class Doubt(NamedTuple):
    """A finding about the spelling of a scalar; it never repeats the scalar, which may be a secret."""

    code: str
    message: str
    hint: str


Reading = tuple[Plain, Doubt | None]

MAX_INTEGER = 2**53
_MAX_DIGITS = len(str(MAX_INTEGER)) + 1

# A plain scalar that neither begins with one of these nor is one of WORDS, is text without a closer look.
NUMBER_STARTS = frozenset("0123456789+-.")

_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<float>(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)")
_CORE = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
# The core schema reads these as decimals, YAML 1.1 as octals: the older reading is the one that surprises.
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
# What each of them means to YAML 1.1.
_YAML_1_1_WORDS = MappingProxyType(
    {
        **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON"), "true"),
        **dict.fromkeys(("n", "N", "no", "No", "NO", "off", "Off", "OFF"), "false"),
        "=": "",
    }
)


def _core(what: str, meant: str) -> Doubt:
    return Doubt(
        "ET106", f"found {what}, which YAML readers type differently", f"write {meant}, or quote it if it is text"
    )


def _yaml_1_1(what: str, meant: str = "") -> Doubt:
    hint = f"quote it, or write {meant} if it is no text" if meant else "quote it"
    return Doubt("ET150", f"found {what}, which is text here and something else to YAML 1.1 readers", hint)


def _words() -> dict[str, Reading]:
    words: dict[str, Reading] = {"": (None, None), "null": (None, None), "true": (True, None), "false": (False, None)}
    words |= {word: (word, _core(f"'{word}'", "null" if word == "~" else word.lower())) for word in _CORE_WORDS}
    words |= {word: (word, _yaml_1_1(f"'{word}'", meant)) for word, meant in _YAML_1_1_WORDS.items()}
    return words


_READINGS: Mapping[str, Reading] = MappingProxyType(_words())
WORDS = frozenset(_READINGS)
# Told where it matters, by `validate`: an environment variable is the text as written.
ROUNDED = Doubt("", "", "")
_OUT_OF_RANGE = Doubt("ET107", "found a number that not every reader keeps exact", "quote it")


def read_plain(text: str) -> Reading:
    """The value of a plain scalar, and the doubt about its spelling if there is one."""
    word = _READINGS.get(text)
    if word is not None:
        return word
    if text[0] not in NUMBER_STARTS:
        return text, None
    number = _JSON_NUMBER.fullmatch(text)
    if number is not None:
        return _float(text) if number["float"] else _integer(text)
    return text, _number_elsewhere(text)


def _number_elsewhere(text: str) -> Doubt | None:
    if _LEADING_ZERO.fullmatch(text):
        return _yaml_1_1("a number with a leading zero")
    if _CORE.fullmatch(text):
        return _core("a number that is not a JSON number", "it as JSON does")
    what = next((what for what, spelling in _YAML_1_1 if spelling.fullmatch(text)), "")
    return _yaml_1_1(what) if what else None


def _integer(text: str) -> Reading:
    if len(text) <= _MAX_DIGITS and abs(value := int(text)) <= MAX_INTEGER:
        return value, None
    return text, _OUT_OF_RANGE


def _float(text: str) -> Reading:
    value = float(text)
    if abs(value) == float("inf"):
        return text, _OUT_OF_RANGE
    return value, ROUNDED if text.endswith("0") and "e" not in text.lower() and repr(value) != text else None
