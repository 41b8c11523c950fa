"""Test tables in Go source: string literals with their context, and structs of strings."""

import json
import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKENS = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<raw>`[^`]*`)|(?P<text>"(?:\\.|[^"\\\n])*")|(?P<rune>'(?:\\.|[^'\\\n])+')"""
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)|(?P<other>\S)",
    re.DOTALL,
)
_HEX = re.compile(r"\\x([0-9a-f]{2})")
_Token = tuple[str, str]


class Literal(NamedTuple):
    """A string, and the name of the innermost call around it, or of the field that it is the value of."""

    text: str
    context: str


def tokens(source: str) -> Iterator[_Token]:
    """Yield the tokens, each with its kind; strings have the kind `string` and their value."""
    for match in _TOKENS.finditer(source):
        kind, text = match.lastgroup or "", match[0]
        if kind == "raw":
            yield "string", text[1:-1].replace("\r", "")
        elif kind == "text":
            yield "string", _interpret(text)
        elif kind != "comment":
            yield kind, text


def _interpret(text: str) -> str:
    """Return the value of an interpreted string, whose other escapes are those of JSON."""
    escapes = {"\\a": "\\u0007", "\\v": "\\u000b"}
    rewritten = re.sub(r"\\[av]", lambda match: escapes[match[0]], _HEX.sub(r"\\u00\1", text))
    return str(json.loads(rewritten, strict=False))


def literals(source: str) -> Iterator[Literal]:
    """Yield the strings of a file."""
    calls: list[str] = []
    word = previous = ""
    for kind, text in tokens(source):
        if kind == "string":
            yield Literal(text, word if previous == ":" else calls[-1] if calls else "")
        elif text in "({[":
            calls.append(word if text == "(" and previous == word else calls[-1] if text != "(" and calls else "")
        elif text in ")}]" and calls:
            calls.pop()
        if kind == "word":
            word = text
        previous = text if kind != "string" else ""


def structs(source: str, first: str) -> Iterator[dict[str, str]]:
    """Yield the fields of each struct whose first field has this name; values other than strings are source text."""
    stream = tokens(source)
    before: tuple[_Token, _Token] = (("", ""), ("", ""))
    for token in stream:
        if (*before, token) == (("other", "{"), ("word", first), ("other", ":")):
            yield _read_struct(stream, first)
        before = (before[1], token)


def _read_struct(stream: Iterator[_Token], name: str) -> dict[str, str]:
    """Read from the value of the first field to the end of the struct."""
    fields: dict[str, str] = {name: ""}
    depth, expects_name = 0, False
    for kind, text in stream:
        if depth == 0 and text == "}" and kind == "other":
            break
        depth += (kind == "other") * ((text in "({[") - (text in ")}]"))
        if depth == 0 and text == "," and kind == "other":
            expects_name = True
        elif expects_name:
            name, expects_name = text, False
            fields[name] = ""
        elif kind != "other" or text not in ":+" or fields[name] or depth:
            fields[name] += text
    return fields
