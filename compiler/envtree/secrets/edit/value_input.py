"""Parse and check a value that a user types for a secrets file. No message quotes any of it."""

import json
import math
import re
from typing import Any

from envtree.frontend.validate.sops_metadata import METADATA_KEY
from envtree.model.keypath import KeyPath
from envtree.model.secrets_file import UNENCRYPTED_SUFFIX

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_INTEGER_LIMIT = 2**63


def parse_value(text: str, type: str) -> Any:
    """Return the value of a text by its type; the message of a ValueError quotes nothing of the text."""
    if type == "json":
        value = _parse_json(text)
    elif type == "int":
        value = int(text) if _INTEGER.fullmatch(text) else _raise_value_error("a whole number such as 5432 is expected")
    elif type == "float":
        value = float(text) if _FLOAT.fullmatch(text) else _raise_value_error("a number such as 0.5 is expected")
    elif type == "bool":
        value = {"true": True, "false": False}.get(text)
        if value is None:
            _raise_value_error("'true' or 'false' is expected")
    else:
        value = text
    _check_value(value)
    return value


def value_types(value: Any) -> Any:
    """Return the names of a value's types, in its shape; for these values they are those of sops."""
    if isinstance(value, dict):
        return {key: value_types(below) for key, below in value.items()}
    if isinstance(value, list):
        return [value_types(item) for item in value]
    return type(value).__name__


def check_key(key: str) -> None:
    """Raise ValueError for a key that sops does not encrypt, or that cannot be passed to sops."""
    if key.endswith(UNENCRYPTED_SUFFIX):
        _raise_value_error(f"sops leaves in plain text what is below a key that ends in '{UNENCRYPTED_SUFFIX}'")
    if ":" in key or "[" in key or not key.isprintable() or not key:
        _raise_value_error("a key of a secrets file is printable, not empty, and without ':' and '['")


def check_path(path: KeyPath) -> None:
    """Check each segment of a path; the first must not be the metadata key of sops."""
    if path[0].casefold() == METADATA_KEY:
        _raise_value_error(f"'{METADATA_KEY}' is the key that sops keeps for itself")
    for key in path:
        check_key(key)


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_reject_duplicate_keys, parse_constant=_reject_constant)
    except (json.JSONDecodeError, RecursionError):
        # Not chained: exceptions of `json` contain the document.
        pass
    return _raise_value_error('JSON is expected, such as {"user": "me"} or [1, 2]')


def _reject_duplicate_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        _raise_value_error("a key stands twice in a map")
    return dict(pairs)


def _check_value(value: Any) -> None:
    if isinstance(value, dict):
        for key in value:
            check_key(key)
    if isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            _check_value(below)
    if value is None or value in ("", {}, []):
        _raise_value_error("there is no value, and sops would not encrypt an empty one")
    if isinstance(value, int) and not -_INTEGER_LIMIT <= value < _INTEGER_LIMIT:
        _raise_value_error("the number does not fit into 64 bits; write it as text")
    if isinstance(value, float) and not math.isfinite(value):
        _raise_value_error("the number is too large")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("half a character is no text") from None


def _reject_constant(_: str) -> Any:
    return _raise_value_error("'NaN' and 'Infinity' are no numbers in JSON")


def _raise_value_error(reason: str) -> Any:
    raise ValueError(reason)
