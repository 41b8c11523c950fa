"""Collections in brackets that stand on one line, for `block`: scalars as simple as there, and brackets inside them."""

import re
from typing import Any

from envtree.frontend.parse.plain import WORDS, read_plain
from envtree.model.nodes import Mapping, Node, Plain, Scalar, Sequence
from envtree.model.span import Mark

# Inside of brackets a plain value holds no ':' here, and nothing that means something to YAML anywhere.
_SCALAR = re.compile(r""""[^"\\]*"|'[^']*'|-?[\w./$(+][\w./$()+@=~%^|-]*(?: +[\w./$()+@=~%^|-]+)*""")
_KEY = re.compile(r"([A-Za-z_$][\w.$-]{0,255}): +")
_BLANKS = re.compile(r" *")
_COMMA = re.compile(r", *")
_CLOSING = {"[": "]", "{": "}"}
# No limit of nesting can be reached.
_DEEPEST = 8


class LeftError(Exception):
    """Something that is left to `compose`."""


def flow(text: str, line: int, column: int) -> Node:
    """The collection that is all of a text, which begins in this place."""
    node, end = _node(text, 0, (line, column), 0)
    if end != len(text):
        raise LeftError
    return node


def scalar(text: str, at: Mark) -> Scalar:
    """A text of a file as a scalar, with its quotes if it has any."""
    if text[0] in "\"'":
        return Scalar(text[1:-1], text[1:-1], False, at)
    return Scalar(read(text), text, True, at)


def read(text: str) -> Plain:
    """What a plain scalar means, if there is nothing to say about it."""
    value, doubt = read_plain(text)
    if doubt is not None:
        raise LeftError
    return value


def _node(text: str, n: int, start: tuple[int, int], depth: int) -> tuple[Node, int]:
    """What begins at an index, and the index behind it; `start` is the place of the whole text."""
    line, column = start
    if depth < _DEEPEST and text[n : n + 1] in ("[", "{"):
        return _collection(text, n, start, depth)
    match = _SCALAR.match(text, n)
    if match is None:
        raise LeftError
    end = match.end()
    return scalar(match.group(), (line, column + n, line, column + end)), end


def _collection(text: str, n: int, start: tuple[int, int], depth: int) -> tuple[Node, int]:
    line, column = start
    begin, closing = column + n, _CLOSING[text[n]]
    nodes: list[Node] = []
    keys: dict[str, Mark] = {}
    n = _behind(_BLANKS, text, n + 1)
    while not text.startswith(closing, n):
        if nodes:
            n = _behind(_COMMA, text, n)
        if closing == "}":
            match = _KEY.match(text, n)
            if match is None or match[1] in keys or match[1] in WORDS:
                raise LeftError
            keys[match[1]] = (line, column + n, line, column + match.end(1))
            n = match.end()
        node, n = _node(text, n, start, depth + 1)
        nodes.append(node)
        n = _behind(_BLANKS, text, n)
    at = (line, begin, line, column + n + 1)
    values: Any = [node.value for node in nodes]
    if closing == "]":
        return Sequence(values, tuple(nodes), at), n + 1
    return Mapping(dict(zip(keys, values, strict=True)), dict(zip(keys, nodes, strict=True)), keys, at), n + 1


def _behind(pattern: re.Pattern[str], text: str, n: int) -> int:
    match = pattern.match(text, n)
    if match is None:
        raise LeftError
    return match.end()
