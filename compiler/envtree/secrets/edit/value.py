"""A value as people type it: text on its way into a secrets file. No message quotes any of it."""

import json
import math
import re
from typing import Any

from envtree.frontend.validate.sops_metadata import METADATA
from envtree.model.keypath import KeyPath
from envtree.model.secrets_file import PLAIN_SUFFIX

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_GREATEST = 2**63


def typed(text: str, type: str) -> Any:
    """The value that a text stands for; ValueError says what is wrong with it, without a word of it."""
    if type == "json":
        value = _json(text)
    elif type == "int":
        value = int(text) if _INTEGER.fullmatch(text) else _refuse("a whole number such as 5432 is expected")
    elif type == "float":
        value = float(text) if _FLOAT.fullmatch(text) else _refuse("a number such as 0.5 is expected")
    elif type == "bool":
        value = {"true": True, "false": False}.get(text)
        if value is None:
            _refuse("'true' or 'false' is expected")
    else:
        value = text
    _check(value)
    return value


def kinds_of(value: Any) -> Any:
    """The types that sops has for a value, in its shape."""
    if isinstance(value, dict):
        return {key: kinds_of(below) for key, below in value.items()}
    if isinstance(value, list):
        return [kinds_of(item) for item in value]
    return type(value).__name__


def check_key(key: str) -> None:
    """ValueError for a key that sops does not protect, or cannot be told."""
    if key.endswith(PLAIN_SUFFIX):
        _refuse(f"sops leaves in plain text what is below a key that ends in '{PLAIN_SUFFIX}'")
    if ":" in key or "[" in key or not key.isprintable() or not key:
        _refuse("a key of a secrets file is printable, not empty, and without ':' and '['")


def check_path(path: KeyPath) -> None:
    """The same for each segment of a path; the map of sops is none of it."""
    if path[0].casefold() == METADATA:
        _refuse(f"'{METADATA}' is the key that sops keeps for itself")
    for key in path:
        check_key(key)


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except (json.JSONDecodeError, RecursionError):
        # The words of `json` carry the document.
        pass
    return _refuse('JSON is expected, such as {"user": "me"} or [1, 2]')


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        _refuse("a key stands twice in a map")
    return dict(pairs)


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for key in value:
            check_key(key)
    if isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            _check(below)
    if value is None or value in ("", {}, []):
        _refuse("there is no value, and sops would not encrypt an empty one")
    if isinstance(value, int) and not -_GREATEST <= value < _GREATEST:
        _refuse("the number does not fit into 64 bits; write it as text")
    if isinstance(value, float) and not math.isfinite(value):
        _refuse("the number is too large")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("half a character is no text") from None


def _no_number(_: str) -> Any:
    return _refuse("'NaN' and 'Infinity' are no numbers in JSON")


def _refuse(why: str) -> Any:
    raise ValueError(why)
