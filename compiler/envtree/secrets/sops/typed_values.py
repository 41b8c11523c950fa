"""Convert decrypted bytes to values by the types of sops, in the form that its JSON output has."""

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

from envtree.secrets.sops.standard_file import NeedsSopsError

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_FLOAT = re.compile(r"-?[0-9]{1,400}(?:\.[0-9]{1,400})?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{0,8}[1-9])?(?:Z|[+-](?!00:00)\d\d:\d\d)", re.ASCII)
_FRACTION = re.compile(r"\.[0-9]+")
# Go's JSON writes larger numbers with an exponent, which Python then reads as floats.
_EXPONENT_THRESHOLD = 1e21


def parse_typed_value(kind: str, plain: bytes) -> Any:
    """Return the value; NeedsSopsError if sops would have written it in another form.

    sops hashes the value that it reads in its own form, so any other form would have another MAC.
    """
    parser = _PARSERS.get(kind)
    value = None if parser is None else parser(plain)
    if value is None:
        raise NeedsSopsError
    return value


def _text(plain: bytes) -> str | None:
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return None


def _integer(plain: bytes) -> int | None:
    text = plain.decode("ascii", "replace")
    value = int(text) if _INTEGER.fullmatch(text) else None
    return value if value is not None and -(2**63) <= value < 2**63 else None


def _float(plain: bytes) -> int | float | None:
    text = plain.decode("ascii", "replace")
    if not _FLOAT.fullmatch(text) or _shortest_decimal(float(text)) != text:
        return None
    return float(text) if "." in text or abs(float(text)) >= _EXPONENT_THRESHOLD else int(text)


def _shortest_decimal(value: float) -> str:
    """Return the shortest digits that denote this number, without an exponent."""
    text = format(Decimal(repr(value)), "f")
    return text.removesuffix(".0")


def _boolean(plain: bytes) -> bool | None:
    return {b"True": True, b"False": False}.get(plain)


def _time(plain: bytes) -> str | None:
    text = plain.decode("ascii", "replace")
    if not _TIME.fullmatch(text):
        return None
    try:
        # Only the calendar is checked: Python keeps fewer digits of a second than Go does.
        datetime.fromisoformat(_FRACTION.sub("", text))
    except ValueError:
        return None
    return text


_PARSERS: dict[str, Callable[[bytes], Any]] = {
    "str": _text,
    "int": _integer,
    "float": _float,
    "bool": _boolean,
    "time": _time,
}
