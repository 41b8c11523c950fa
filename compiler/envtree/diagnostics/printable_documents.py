"""JSON and XML documents that remain safe when they are printed on a terminal or in the log of a runner."""

from json import dumps
from typing import Any

from envtree.model.canonical_json import encode_canonical

# The prefix of a runner command, which GitHub's runner obeys anywhere in a line, and its escapes for JSON and XML.
_COMMAND, _IN_JSON, _IN_XML = "##[", "##\\u005b", "##&#91;"


def json_document(data: Any) -> bytes:
    """Encode data as canonical JSON, with unprintable characters and runner commands escaped."""
    lines = encode_canonical(data).decode().split("\n")
    text = "\n".join(line if line.isprintable() else _escape_unprintable(line) for line in lines)
    return text.replace(_COMMAND, _IN_JSON).encode()


def xml_document(text: str) -> bytes:
    """Encode an XML document, with runner commands escaped."""
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.replace(_COMMAND, _IN_XML).encode()


def _escape_unprintable(line: str) -> str:
    return "".join(c if c.isprintable() else dumps(c)[1:-1] for c in line)
