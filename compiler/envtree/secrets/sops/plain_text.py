"""Plain data as YAML that sops reads back as it was, on its way through a pipe."""

import json
import re
from collections.abc import Mapping
from typing import Any

# What no reader of YAML takes for a line break, or for half a character.
_ESCAPED_CHARACTERS = re.compile(r'[^\x20-\x7e]|["\\]')


def to_flow_yaml(data: Any) -> str:
    """Maps, lists and scalars in YAML's flow style."""
    if isinstance(data, Mapping):
        return "{" + ", ".join(f"{_quote(key)}: {to_flow_yaml(value)}" for key, value in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(to_flow_yaml, data)) + "]"
    return _quote(data) if isinstance(data, str) else json.dumps(data, allow_nan=False)


def _quote(text: str) -> str:
    return '"' + _ESCAPED_CHARACTERS.sub(lambda found: f"\\U{ord(found[0]):08x}", text) + '"'
