"""Write data as YAML that versions 1.1 and 1.2 read alike: every text is in double quotes, so its type is clear."""

import json
import re
from typing import Any

# Characters that a reader may refuse, take for a line end, or not show; all other Unicode characters stay.
_ESCAPED = re.compile(
    '[\0-\x1f"\\\\\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\uf8ff\ufeff'
    "\ufff0-\uffff\U000e0000-\U0010ffff]"
)
_SHORT_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# A key that every reader takes for text without quotes.
_PLAIN_KEY = re.compile(r"[a-z][a-zA-Z]+")
_RESERVED_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off"})


def format_document(data: Any) -> str:
    """Return data as block style YAML; an empty map or list is `{}` or `[]`."""
    return "".join(f"{line}\n" for line in _format_block(data))


def quote(text: str) -> str:
    """Return a text in double quotes."""
    return '"' + _ESCAPED.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return _SHORT_ESCAPES.get(match[0]) or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def _format_block(data: Any) -> list[str]:
    if isinstance(data, dict) and data:
        return [line for key, value in data.items() for line in _format_entry(f"{_format_key(key)}:", value)]
    if isinstance(data, list) and data:
        return [line for value in data for line in _format_item(_format_block(value))]
    if isinstance(data, dict | list):
        return ["{}" if isinstance(data, dict) else "[]"]
    return [quote(data) if isinstance(data, str) else json.dumps(data)]


def _format_entry(head: str, value: Any) -> list[str]:
    block = _format_block(value)
    if isinstance(value, dict | list) and value:
        return [head, *(f"  {line}" for line in block)]
    return [f"{head} {block[0]}"]


def _format_item(block: list[str]) -> list[str]:
    return [f"- {block[0]}", *(f"  {line}" for line in block[1:])]


def _format_key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key not in _RESERVED_WORDS else quote(key)
