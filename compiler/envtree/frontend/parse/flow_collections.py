"""Collections in brackets that stand on one line, for `block`: scalars as simple as there, and brackets inside them."""

import re
from typing import Any

from envtree.frontend.parse.plain_scalars import RESERVED_WORDS, read_plain_scalar
from envtree.model.nodes import MappingNode, Node, PlainValue, ScalarNode, SequenceNode
from envtree.model.span import Mark

# Inside of brackets a plain value holds no ':' here, and nothing that means something to YAML anywhere.
_SCALAR = re.compile(r""""[^"\\]*"|'[^']*'|-?[\w./$(+][\w./$()+@=~%^|-]*(?: +[\w./$()+@=~%^|-]+)*""")
_KEY = re.compile(r"([A-Za-z_$][\w.$-]{0,255}): +")
_BLANKS = re.compile(r" *")
_COMMA = re.compile(r", *")
_CLOSING = {"[": "]", "{": "}"}
# No limit of nesting can be reached.
_MAX_DEPTH = 8


class NotPlainBlockError(Exception):
    """Something that is left to `compose`."""


def read_flow(text: str, line: int, column: int) -> Node:
    """The collection that is all of a text, which begins in this place."""
    node, end = _read_node(text, 0, (line, column), 0)
    if end != len(text):
        raise NotPlainBlockError
    return node


def read_scalar(text: str, at: Mark) -> ScalarNode:
    """A text of a file as a scalar, with its quotes if it has any."""
    if text[0] in "\"'":
        return ScalarNode(text[1:-1], text[1:-1], False, at)
    return ScalarNode(read_unambiguous(text), text, True, at)


def read_unambiguous(text: str) -> PlainValue:
    """What a plain scalar means, if there is nothing to say about it."""
    value, doubt = read_plain_scalar(text)
    if doubt is not None:
        raise NotPlainBlockError
    return value


def _read_node(text: str, n: int, start: tuple[int, int], depth: int) -> tuple[Node, int]:
    """What begins at an index, and the index behind it; `start` is the place of the whole text."""
    line, column = start
    if depth < _MAX_DEPTH and text[n : n + 1] in ("[", "{"):
        return _read_collection(text, n, start, depth)
    match = _SCALAR.match(text, n)
    if match is None:
        raise NotPlainBlockError
    end = match.end()
    return read_scalar(match.group(), (line, column + n, line, column + end)), end


def _read_collection(text: str, n: int, start: tuple[int, int], depth: int) -> tuple[Node, int]:
    line, column = start
    begin, closing = column + n, _CLOSING[text[n]]
    nodes: list[Node] = []
    keys: dict[str, Mark] = {}
    n = _skip_pattern(_BLANKS, text, n + 1)
    while not text.startswith(closing, n):
        if nodes:
            n = _skip_pattern(_COMMA, text, n)
        if closing == "}":
            match = _KEY.match(text, n)
            if match is None or match[1] in keys or match[1] in RESERVED_WORDS:
                raise NotPlainBlockError
            keys[match[1]] = (line, column + n, line, column + match.end(1))
            n = match.end()
        node, n = _read_node(text, n, start, depth + 1)
        nodes.append(node)
        n = _skip_pattern(_BLANKS, text, n)
    at = (line, begin, line, column + n + 1)
    values: Any = [node.value for node in nodes]
    if closing == "]":
        return SequenceNode(values, tuple(nodes), at), n + 1
    return MappingNode(dict(zip(keys, values, strict=True)), dict(zip(keys, nodes, strict=True)), keys, at), n + 1


def _skip_pattern(pattern: re.Pattern[str], text: str, n: int) -> int:
    match = pattern.match(text, n)
    if match is None:
        raise NotPlainBlockError
    return match.end()
