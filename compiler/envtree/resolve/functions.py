"""The filters that an expression may use: all pure, none random, none able to build a huge value."""

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from jinja2 import Undefined

from envtree.canonical import compact

LIMIT = 64 * 1024


class Misfit(Exception):
    """A value does not fit a filter; the text names types only, never values."""


def to_text(value: Any) -> str:
    """JSON text of a value; strings without quotes, lists and maps compact."""
    if isinstance(value, str):
        return value
    return compact(value) if isinstance(value, (list, dict)) else json.dumps(value)


def concat(parts: list[Any]) -> str:
    """The texts of the parts, one after the other."""
    return _bounded("".join(map(to_text, parts)))


def _bounded(text: str) -> str:
    if len(text) > LIMIT:
        raise Misfit(f"the result is longer than {LIMIT} characters")
    return text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Misfit(f"expected text, found a {kind_of(value)}")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Misfit(f"expected a list, found a {kind_of(value)}")
    return value


def kind_of(value: Any) -> str:
    """The JSON type of a value, in words."""
    names = {str: "text", bool: "boolean", int: "number", float: "number", list: "list", dict: "map"}
    return names.get(type(value), "null" if value is None else "value")


def _default(value: Any, other: Any = "", boolean: bool = False) -> Any:
    """The value, or `other` when it is undefined (or empty, with `boolean`)."""
    return other if isinstance(value, Undefined) or (boolean and not value) else value


def _replace(value: Any, old: Any, new: Any) -> str:
    """The text with every `old` replaced by `new`."""
    text, old, new = _text(value), _text(old), _text(new)
    if len(text) + text.count(old) * (len(new) - len(old)) > LIMIT:
        raise Misfit(f"the result is longer than {LIMIT} characters")
    return text.replace(old, new)


def _join(value: Any, separator: str = "") -> str:
    """The texts of a list, with a separator."""
    parts, separator = [to_text(part) for part in _list(value)], _text(separator)
    if sum(map(len, parts)) + len(parts) * len(separator) > LIMIT:
        raise Misfit(f"the result is longer than {LIMIT} characters")
    return separator.join(parts)


def _split(value: Any, separator: str) -> list[str]:
    """The parts of a text between separators."""
    if not _text(separator):
        raise Misfit("the separator is empty")
    return _text(value).split(separator)


def _int(value: Any) -> int:
    """A whole number: of a text that is one, or of a number, cut towards zero."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise Misfit(f"this {kind_of(value)} is not a whole number") from None


def _float(value: Any) -> float:
    """A number, of a text that is one or of a number."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise Misfit(f"this {kind_of(value)} is not a number") from None


def _length(value: Any) -> int:
    """How many characters, elements or keys."""
    if not isinstance(value, (str, list, dict)):
        raise Misfit(f"a {kind_of(value)} has no length")
    return len(value)


def _end(index: int) -> Callable[[Any], Any]:
    def take(value: Any) -> Any:
        """The first or last element."""
        if not _list(value):
            raise Misfit("the list is empty")
        return value[index]

    return take


def _ordered(function: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    def order(value: Any) -> Any:
        """Over a list of texts or a list of numbers."""
        items = _list(value)
        if not all(isinstance(item, str) for item in items) and not all(kind_of(item) == "number" for item in items):
            raise Misfit("the list mixes types")
        try:
            return function(items)
        except ValueError:
            raise Misfit("the list is empty") from None

    return order


def _unique(value: Any) -> list[Any]:
    """The list without repetitions, first ones kept."""
    seen: dict[str, Any] = {}
    for item in _list(value):
        seen.setdefault(compact(item), item)
    return list(seen.values())


def _reverse(value: Any) -> Any:
    """The text or list, back to front."""
    return value[::-1] if isinstance(value, (str, list)) else _list(value)


def _b64decode(value: Any) -> str:
    """The text whose base64 this is."""
    try:
        return base64.b64decode(_text(value), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise Misfit("this text is not base64 of UTF-8 text") from None


def _number(value: Any) -> Any:
    if kind_of(value) != "number":
        raise Misfit(f"expected a number, found a {kind_of(value)}")
    return value


FILTERS: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "abs": lambda value: abs(_number(value)),
        "b64decode": _b64decode,
        "b64encode": lambda value: base64.b64encode(to_text(value).encode()).decode(),
        "capitalize": lambda value: _text(value).capitalize(),
        "d": _default,
        "default": _default,
        "first": _end(0),
        "float": _float,
        "int": _int,
        "join": _join,
        "last": _end(-1),
        "length": _length,
        "lower": lambda value: _text(value).lower(),
        "max": _ordered(max),
        "min": _ordered(min),
        "replace": _replace,
        "reverse": _reverse,
        "round": lambda value, digits=0: round(_number(value), digits),
        "sha256": lambda value: hashlib.sha256(to_text(value).encode()).hexdigest(),
        "sort": _ordered(sorted),
        "split": _split,
        "string": to_text,
        "sum": _ordered(sum),
        "title": lambda value: _text(value).title(),
        "tojson": lambda value: json.dumps(value) if not isinstance(value, (list, dict)) else compact(value),
        "trim": lambda value: _text(value).strip(),
        "unique": _unique,
        "upper": lambda value: _text(value).upper(),
        # Everything outside RFC 3986's unreserved set, `/` too: a password stands between `:` and `@` of a URL.
        "urlencode": lambda value: quote(to_text(value), safe=""),
    }
)

TESTS = frozenset(
    {
        *("defined", "undefined", "none", "boolean", "true", "false"),
        *("string", "number", "integer", "float", "mapping", "sequence"),
        *("in", "eq", "equalto", "ne", "lt", "le", "gt", "ge"),
    }
)
