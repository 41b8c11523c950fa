"""Documents for programs that somebody prints all the same: in a terminal, or in the log of a runner."""

from json import dumps
from typing import Any

from envtree.model.canonical_json import encode_canonical

# What GitHub's runner obeys anywhere in a line, and how JSON and XML may spell it.
_COMMAND, _IN_JSON, _IN_XML = "##[", "##\\u005b", "##&#91;"


def json_document(data: Any) -> bytes:
    """Canonical JSON, but with escapes for what does not print and for what a runner obeys."""
    lines = encode_canonical(data).decode().split("\n")
    return (
        "\n".join(line if line.isprintable() else _escaped(line) for line in lines).replace(_COMMAND, _IN_JSON).encode()
    )


def xml_document(text: str) -> bytes:
    """XML, but with escapes for what a runner obeys."""
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.replace(_COMMAND, _IN_XML).encode()


def _escaped(line: str) -> str:
    return "".join(c if c.isprintable() else dumps(c)[1:-1] for c in line)
