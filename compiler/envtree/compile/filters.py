"""The filters that an expression may use: all pure, none random, none able to build a huge value."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from jinja2 import Undefined

from envtree.model.canonical_json import encode_compact

# What a computed value may have at most: characters, and levels of lists and maps.
MAX_VALUE_LENGTH = 64 * 1024
MAX_VALUE_DEPTH = 64

# A text is a number where a variable's contract would say so.
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
# Neither can be written down: not in an environment, not in UTF-8.
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


class FilterError(Exception):
    """A value does not fit a filter; the text names types only, never values."""


class TooLargeError(FilterError):
    """A value that would be larger than values may be."""

    def __init__(self) -> None:
        super().__init__(f"the computed value is longer than {MAX_VALUE_LENGTH} characters")


def describe_excess(value: Any) -> str:
    """What a value has too much of, in words; empty where it fits.

    Parts may be shared, so that counting them all might never end: it stops when there are too many.
    """
    if isinstance(value, str):
        return str(TooLargeError()) if len(value) > MAX_VALUE_LENGTH else ""
    total, level = 0, [value]
    for _ in range(MAX_VALUE_DEPTH + 1):
        total += sum(map(_own_size, level))
        if total > MAX_VALUE_LENGTH:
            return str(TooLargeError())
        level = [part for whole in level for part in _children(whole)]
        if not level:
            return ""
    return f"the computed value is nested in more than {MAX_VALUE_DEPTH} levels"


def _own_size(value: Any) -> int:
    """The characters of JSON that a value has by itself, without its parts."""
    if isinstance(value, str):
        return len(value) + 2
    if isinstance(value, dict):
        return 2 + sum(len(str(key)) + 4 for key in value)
    return 2 + len(value) if isinstance(value, list) else 1


def _children(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def to_text(value: Any) -> str:
    """JSON text of a value; strings without quotes, lists and maps compact."""
    if isinstance(value, str):
        return value
    if not isinstance(value, (list, dict)):
        return json.dumps(_require_defined(value))
    if describe_excess(value):
        raise TooLargeError
    return encode_compact(value)


def concat(parts: list[Any]) -> str:
    """The texts of the parts, one after the other."""
    return _check_length("".join(map(to_text, parts)))


def _check_length(text: str) -> str:
    if len(text) > MAX_VALUE_LENGTH:
        raise TooLargeError
    return text


def _require_text(value: Any) -> str:
    if not isinstance(value, str):
        raise FilterError(f"expected text, found a {type_name(value)}")
    return value


def _require_list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise FilterError(f"expected a list, found a {type_name(value)}")
    return value


def type_name(value: Any) -> str:
    """The JSON type of a value, in words."""
    names = {str: "text", bool: "boolean", int: "number", float: "number", list: "list", dict: "map"}
    return names.get(type(_require_defined(value)), "null" if value is None else "value")


def _require_defined(value: Any) -> Any:
    """A value; raises UndefinedError for what does not exist, which fits nowhere."""
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    return value


def _default(value: Any, other: Any = "", boolean: bool = False) -> Any:
    """The value, or `other` when it is undefined (or empty, with `boolean`)."""
    return other if isinstance(value, Undefined) or (boolean and not value) else value


def _replace(value: Any, old: Any, new: Any) -> str:
    """The text with every `old` replaced by `new`."""
    text, old, new = _require_text(value), _require_text(old), _require_text(new)
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_VALUE_LENGTH:
        raise TooLargeError
    return text.replace(old, new)


def _join(value: Any, separator: str = "") -> str:
    """The texts of a list, with a separator."""
    parts, separator = [to_text(part) for part in _require_list(value)], _require_text(separator)
    if sum(map(len, parts)) + len(parts) * len(separator) > MAX_VALUE_LENGTH:
        raise TooLargeError
    return separator.join(parts)


def _split(value: Any, separator: str) -> list[str]:
    """The parts of a text between separators."""
    if not _require_text(separator):
        raise FilterError("the separator is empty")
    return _require_text(value).split(separator)


def _int(value: Any) -> int:
    """A whole number: of a text that is one, or of a number, cut towards zero."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise FilterError("this text is not a whole number")
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise FilterError(f"this {type_name(value)} is not a whole number") from None


def _float(value: Any) -> float:
    """A number, of a text that is one or of a number."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise FilterError("this text is not a number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise FilterError(f"this {type_name(value)} is not a number") from None


def _length(value: Any) -> int:
    """How many characters, elements or keys."""
    if not isinstance(value, (str, list, dict)):
        raise FilterError(f"a {type_name(value)} has no length")
    return len(value)


def _element_at(index: int) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        """The first or last element."""
        if not _require_list(value):
            raise FilterError("the list is empty")
        return value[index]

    return take


def _on_uniform_list(function: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    def order(value: Any) -> Any:
        """Over a list of texts or a list of numbers."""
        items = _require_list(value)
        if not all(isinstance(item, str) for item in items) and not all(type_name(item) == "number" for item in items):
            raise FilterError("the list mixes types")
        try:
            return function(items)
        except ValueError:
            raise FilterError("the list is empty") from None

    return order


def _unique(value: Any) -> list[Any]:
    """The list without repetitions, first ones kept."""
    seen: dict[str, Any] = {}
    for item in _require_list(value):
        seen.setdefault(to_text([_normalize_numbers(item)]), item)
    return list(seen.values())


def _normalize_numbers(value: Any) -> Any:
    """Data that is written alike where it is equal: JSON knows one type of numbers."""
    if isinstance(value, dict):
        return {key: _normalize_numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_normalize_numbers(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _reverse(value: Any) -> Any:
    """The text or list, back to front."""
    return value[::-1] if isinstance(value, (str, list)) else _require_list(value)


def _b64decode(value: Any) -> str:
    """The text whose base64 this is."""
    try:
        text = base64.b64decode(_require_text(value), validate=True).decode()
    except (ValueError, binascii.Error):
        raise FilterError("this text is not base64 of UTF-8 text") from None
    if not is_writable(text):
        raise FilterError("the decoded text holds the character U+0000")
    return text


def is_writable(text: str) -> bool:
    """Whether a text has neither a NUL nor half of a surrogate pair."""
    # Most texts are ASCII, which Python knows without looking at them.
    return "\0" not in text if text.isascii() else _UNWRITABLE.search(text) is None


def _require_number(value: Any) -> Any:
    if type_name(value) != "number":
        raise FilterError(f"expected a number, found a {type_name(value)}")
    return value


def _round(value: Any, digits: Any = 0) -> Any:
    """The number with so many decimals; of whole numbers, Python takes ten to the power of as many as are cut."""
    if not isinstance(digits, int) or abs(digits) > 20:
        raise FilterError("the number of decimals is not a whole number up to 20")
    return round(_require_number(value), digits)


FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "abs": lambda value: abs(_require_number(value)),
        "b64decode": _b64decode,
        "b64encode": lambda value: _check_length(base64.b64encode(to_text(value).encode()).decode()),
        "capitalize": lambda value: _require_text(value).capitalize(),
        "d": _default,
        "default": _default,
        "first": _element_at(0),
        "float": _float,
        "int": _int,
        "join": _join,
        "last": _element_at(-1),
        "length": _length,
        "lower": lambda value: _require_text(value).lower(),
        "max": _on_uniform_list(max),
        "min": _on_uniform_list(min),
        "replace": _replace,
        "reverse": _reverse,
        "round": _round,
        "sha256": lambda value: hashlib.sha256(to_text(value).encode()).hexdigest(),
        "sort": _on_uniform_list(sorted),
        "split": _split,
        "string": lambda value: _check_length(to_text(value)),
        "sum": _on_uniform_list(sum),
        "title": lambda value: _require_text(value).title(),
        "tojson": lambda value: _check_length(to_text(value) if isinstance(value, (list, dict)) else json.dumps(value)),
        "trim": lambda value: _require_text(value).strip(),
        "unique": _unique,
        "upper": lambda value: _require_text(value).upper(),
        # Everything outside RFC 3986's unreserved set, `/` too: a password stands between `:` and `@` of a URL.
        "urlencode": lambda value: _check_length(quote(to_text(value), safe="")),
    }
)

TESTS = frozenset(
    {
        *("defined", "undefined", "none", "boolean", "true", "false"),
        *("string", "number", "integer", "float", "mapping", "sequence"),
        *("in", "eq", "equalto", "ne", "lt", "le", "gt", "ge"),
    }
)
