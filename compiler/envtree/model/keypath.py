"""Dotted paths such as `config.limits.cpu`; a segment with special characters is quoted as a JSON string."""

import json
import re

KeyPath = tuple[str, ...]

_PLAIN_SEGMENT = re.compile(r"[^.\"\s]+")
_SEGMENT = re.compile(r'"(?:[^"\\]|\\.)*"|[^."]+')


def format_path(path: KeyPath) -> str:
    """Format a path so that `parse_path` returns the same segments."""
    return ".".join(
        segment if _PLAIN_SEGMENT.fullmatch(segment) else json.dumps(segment, ensure_ascii=False) for segment in path
    )


def parse_path(text: str) -> KeyPath:
    """Parse a dotted path; raise ValueError with the reason if it is malformed."""
    segments: list[str] = []
    position = 0
    while True:
        match = _SEGMENT.match(text, position)
        if match is None:
            raise ValueError(f"a segment is missing at character {position + 1}")
        segment = match.group()
        segments.append(json.loads(segment) if segment.startswith('"') else segment)
        position = match.end()
        if position == len(text):
            return tuple(segments)
        if text[position] != ".":
            raise ValueError(f"'.' expected at character {position + 1}")
        position += 1
