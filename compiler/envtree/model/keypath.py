"""Dotted paths: `config.limits.cpu`; a segment that is not a plain word is double-quoted, JSON's way."""

import json
import re

KeyPath = tuple[str, ...]

_PLAIN_SEGMENT = re.compile(r"[^.\"\s]+")
_SEGMENT = re.compile(r'"(?:[^"\\]|\\.)*"|[^."]+')


def format_path(path: KeyPath) -> str:
    """Write a path so that `parse_path` reads the same segments back."""
    return ".".join(part if _PLAIN_SEGMENT.fullmatch(part) else json.dumps(part, ensure_ascii=False) for part in path)


def parse_path(text: str) -> KeyPath:
    """Read a dotted path; ValueError says what is wrong with it."""
    parts: list[str] = []
    at = 0
    while True:
        match = _SEGMENT.match(text, at)
        if match is None:
            raise ValueError(f"a segment is missing at character {at + 1}")
        segment = match.group()
        parts.append(json.loads(segment) if segment.startswith('"') else segment)
        at = match.end()
        if at == len(text):
            return tuple(parts)
        if text[at] != ".":
            raise ValueError(f"'.' expected at character {at + 1}")
        at += 1
