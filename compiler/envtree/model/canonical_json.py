"""Canonical JSON: sorted keys, two-space indent, UTF-8, a final newline; the same bytes on every machine."""

from typing import Any

import orjson

_CANONICAL_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE


def encode_canonical(data: Any) -> bytes:
    """Encode JSON data canonically."""
    return orjson.dumps(data, option=_CANONICAL_OPTIONS)


def encode_compact(data: Any) -> str:
    """Encode JSON data on one line without blanks, as the text of a list or map in an environment variable."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS).decode()
