"""Write a layer as YAML, which three of the forms use."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.benchmarks.model import Expression, Layer

# Texts that every YAML parser reads as text, even without quotes.
PLAIN = re.compile(r"(?!(?:true|false|null|yes|no|on|off|y|n)$)[A-Za-z][A-Za-z0-9_.@-]*", re.IGNORECASE)

# Returns a tool's expression for the value at a dotted path.
Notation = Callable[[str], str]


def write_text(path: Path, text: str) -> None:
    """Write a file, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_yaml(path: Path, document: Layer, notation: Notation = str) -> None:
    """Write a document with its expressions in this notation."""
    write_text(path, "\n".join(_lines(document, notation, "")) + "\n")


def _lines(value: Layer, notation: Notation, indent: str) -> Iterator[str]:
    for key, item in value.items():
        if isinstance(item, dict):
            yield f"{indent}{key}:"
            yield from _lines(item, notation, indent + "  ")
        elif isinstance(item, list):
            yield f"{indent}{key}:"
            yield from (f"{indent}  - {_scalar(child, notation)}" for child in item)
        else:
            yield f"{indent}{key}: {_scalar(item, notation)}"


def _scalar(value: Any, notation: Notation) -> str:
    if isinstance(value, Expression):
        return f'"{value.text(notation)}"'
    return value if isinstance(value, str) and PLAIN.fullmatch(value) else json.dumps(value)
