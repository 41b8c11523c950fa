"""Render a file of a tree as a person would write it: plain words, block style for long texts, else quotes."""

import json
import re
from collections.abc import Iterator
from typing import Any

from envtree.output.emit.yaml_text import quote

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
# Words that some YAML parser reads as something other than text.
_RESERVED_SCALARS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n"})
_BLOCK_TEXT = re.compile(r"\S[^\0-\x08\x0b-\x1f\x7f-\xa0\u2028\u2029\ufeff]*")


def render_tree_file(data: dict[str, Any]) -> str:
    """Return the text of a file."""
    return "".join(f"{line}\n" for line in _map_lines(data)) if data else "{}\n"


def _map_lines(data: dict[str, Any]) -> Iterator[str]:
    for key, value in data.items():
        head = f"{_scalar_text(str(key))}:"
        if isinstance(value, dict) and value:
            yield head
            yield from (f"  {line}" for line in _map_lines(value))
        elif isinstance(value, list) and any(isinstance(item, dict | list) and item for item in value):
            yield head
            yield from (f"  {line}" for item in value for line in _item_lines(item))
        elif isinstance(value, str) and _is_block(value):
            yield f"{head} {'|' if value.endswith(chr(10)) else '|-'}"
            yield from (f"  {line}" if line else "" for line in value.removesuffix("\n").split("\n"))
        else:
            yield f"{head} {_flow_text(value)}"


def _item_lines(value: Any) -> Iterator[str]:
    if not (isinstance(value, dict) and value):
        yield f"- {_flow_text(value)}"
        return
    first, *rest = _map_lines(value)
    yield f"- {first}"
    yield from (f"  {line}" for line in rest)


def _flow_text(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_flow_text, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar_text(str(key))}: {_flow_text(child)}" for key, child in value.items()) + "}"
    return _scalar_text(value) if isinstance(value, str) else json.dumps(value)


def _scalar_text(text: str) -> str:
    return text if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED_SCALARS else quote(text)


def _is_block(text: str) -> bool:
    body = text.removesuffix("\n")
    return "\n" in body and bool(_BLOCK_TEXT.fullmatch(body)) and not body.endswith("\n") and "\t" not in body
