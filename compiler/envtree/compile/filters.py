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

# Limits of a computed value: its characters, and its levels of lists and maps.
MAX_VALUE_LENGTH = 64 * 1024
MAX_VALUE_DEPTH = 64

# The same texts count as numbers as in the contract of a variable.
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
# NUL cannot be in an environment variable, a lone surrogate cannot be encoded as UTF-8.
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


class FilterError(Exception):
    """A value does not fit a filter; the message names types only, never values."""


class TooLargeError(FilterError):
    """A value would exceed the limit of length."""

    def __init__(self) -> None:
        super().__init__(f"the computed value is longer than {MAX_VALUE_LENGTH} characters")


def describe_excess(value: Any) -> str:
    """Return a message that says which limit a value exceeds; an empty string if it fits.

    Parts may be shared, so counting all of them could take forever: it stops as soon as the limit is exceeded.
    """
    if isinstance(value, str):
        return str(TooLargeError()) if len(value) > MAX_VALUE_LENGTH else ""
    total, level = 0, [value]
    for _ in range(MAX_VALUE_DEPTH + 1):
        total += sum(map(_own_size, level))
        if total > MAX_VALUE_LENGTH:
            return str(TooLargeError())
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return ""
    return f"the computed value is nested in more than {MAX_VALUE_DEPTH} levels"


def _own_size(value: Any) -> int:
    """Return about how many characters of JSON a value takes by itself, without its children."""
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
    """Return the JSON text of a value: strings without quotes, lists and maps compact."""
    if isinstance(value, str):
        return value
    if not isinstance(value, (list, dict)):
        return json.dumps(_require_defined(value))
    if describe_excess(value):
        raise TooLargeError
    return encode_compact(value)


def concat(parts: list[Any]) -> str:
    """Return the texts of the parts, joined."""
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
    """Return the JSON type of a value as a word; raise UndefinedError for an undefined one."""
    names = {str: "text", bool: "boolean", int: "number", float: "number", list: "list", dict: "map"}
    return names.get(type(_require_defined(value)), "null" if value is None else "value")


def _require_defined(value: Any) -> Any:
    """Return the value, or raise UndefinedError if it is undefined."""
    if isinstance(value, Undefined):
        value._fail_with_undefined_error()
    return value


# The names of the parameters below are part of the language: an expression may pass them by keyword.


def _default(value: Any, other: Any = "", boolean: bool = False) -> Any:
    """Return the value, or `other` if it is undefined (with `boolean`: or empty)."""
    return other if isinstance(value, Undefined) or (boolean and not value) else value


def _replace(value: Any, old: Any, new: Any) -> str:
    """Return the text with every `old` replaced by `new`."""
    text, old, new = _require_text(value), _require_text(old), _require_text(new)
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_VALUE_LENGTH:
        raise TooLargeError
    return text.replace(old, new)


def _join(value: Any, separator: str = "") -> str:
    """Return the texts of a list, joined with a separator."""
    parts, separator = [to_text(part) for part in _require_list(value)], _require_text(separator)
    if sum(map(len, parts)) + len(parts) * len(separator) > MAX_VALUE_LENGTH:
        raise TooLargeError
    return separator.join(parts)


def _split(value: Any, separator: str) -> list[str]:
    """Return the parts of a text between separators."""
    if not _require_text(separator):
        raise FilterError("the separator is empty")
    return _require_text(value).split(separator)


def _int(value: Any) -> int:
    """Return the whole number that a text spells, or a number truncated towards zero."""
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise FilterError("this text is not a whole number")
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise FilterError(f"this {type_name(value)} is not a whole number") from None


def _float(value: Any) -> float:
    """Return the number that a text spells, or the number itself, as a float."""
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise FilterError("this text is not a number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise FilterError(f"this {type_name(value)} is not a number") from None


def _length(value: Any) -> int:
    """Return the number of characters, elements or keys."""
    if not isinstance(value, (str, list, dict)):
        raise FilterError(f"a {type_name(value)} has no length")
    return len(value)


def _element_at(index: int) -> Callable[[Any], Any]:
    def get_element(value: Any) -> Any:
        """Return the element at the index; an empty list is an error."""
        if not _require_list(value):
            raise FilterError("the list is empty")
        return value[index]

    return get_element


def _on_uniform_list(function: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    def apply_function(value: Any) -> Any:
        """Apply the function to a list of texts or a list of numbers; a mixed list is an error."""
        items = _require_list(value)
        if not all(isinstance(item, str) for item in items) and not all(type_name(item) == "number" for item in items):
            raise FilterError("the list mixes types")
        try:
            return function(items)
        except ValueError:
            raise FilterError("the list is empty") from None

    return apply_function


def _unique(value: Any) -> list[Any]:
    """Return the list without repetitions, in the order of the first occurrences."""
    items_by_text: dict[str, Any] = {}
    for item in _require_list(value):
        items_by_text.setdefault(to_text([_normalize_numbers(item)]), item)
    return list(items_by_text.values())


def _normalize_numbers(value: Any) -> Any:
    """Return the data with whole floats as integers: JSON has one type of numbers, and equal data needs equal text."""
    if isinstance(value, dict):
        return {key: _normalize_numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_normalize_numbers(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _reverse(value: Any) -> Any:
    """Return the text or list in reverse order."""
    return value[::-1] if isinstance(value, (str, list)) else _require_list(value)


def _b64decode(value: Any) -> str:
    """Decode base64 of UTF-8 text."""
    try:
        text = base64.b64decode(_require_text(value), validate=True).decode()
    except (ValueError, binascii.Error):
        raise FilterError("this text is not base64 of UTF-8 text") from None
    if not is_writable(text):
        raise FilterError("the decoded text holds the character U+0000")
    return text


def is_writable(text: str) -> bool:
    """Report whether a text has neither a NUL nor half of a surrogate pair."""
    # Most texts are ASCII, which Python knows without scanning them.
    return "\0" not in text if text.isascii() else _UNWRITABLE.search(text) is None


def _require_number(value: Any) -> Any:
    if type_name(value) != "number":
        raise FilterError(f"expected a number, found a {type_name(value)}")
    return value


def _round(value: Any, digits: Any = 0) -> Any:
    """Round a number to so many decimals.

    The number of decimals is limited because Python raises ten to that power to round a whole number.
    """
    if isinstance(digits, bool) or not isinstance(digits, int) or abs(digits) > 20:
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
        # Everything outside RFC 3986's unreserved set, `/` too: a password goes between `:` and `@` of a URL.
        "urlencode": lambda value: _check_length(quote(to_text(value), safe="")),
    }
)
