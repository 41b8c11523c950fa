"""Read collections in brackets on one line, for `plain_block_reader`: simple scalars, and nested brackets."""

import re
from typing import Any

from envtree.frontend.parse.plain_scalars import RESERVED_WORDS, read_plain_scalar
from envtree.model.nodes import MappingNode, Node, PlainValue, ScalarNode, SequenceNode
from envtree.model.span import Mark

# In brackets, a plain value contains no ':' and no character that has a meaning in YAML.
_SCALAR = re.compile(r""""[^"\\]*"|'[^']*'|-?[\w./$(+][\w./$()+@=~%^|-]*(?: +[\w./$()+@=~%^|-]+)*""")
_KEY = re.compile(r"([A-Za-z_$][\w.$-]{0,255}): +")
_BLANKS = re.compile(r" *")
_COMMA = re.compile(r", *")
_CLOSING = {"[": "]", "{": "}"}
# Too little nesting to reach the limit of the parser.
_MAX_DEPTH = 8


class NotPlainBlockError(Exception):
    """The text is not in plain block form, and is left to `compose`."""


def read_flow(text: str, line: int, column: int) -> Node:
    """Return the collection that makes up the whole text, which begins at this position of the file."""
    node, end = _read_node(text, 0, (line, column), 0)
    if end != len(text):
        raise NotPlainBlockError
    return node


def read_scalar(text: str, at: Mark) -> ScalarNode:
    """Return the scalar for a text as written, quotes included."""
    if text[0] in "\"'":
        return ScalarNode(text[1:-1], text[1:-1], False, at)
    return ScalarNode(read_unambiguous(text), text, True, at)


def read_unambiguous(text: str) -> PlainValue:
    """Return the value of a plain scalar; raise NotPlainBlockError if there is a finding about its spelling."""
    value, problem = read_plain_scalar(text)
    if problem is not None:
        raise NotPlainBlockError
    return value


def _read_node(text: str, index: int, start: tuple[int, int], depth: int) -> tuple[Node, int]:
    """Return the node that begins at an index, and the index after it; `start` is the position of the text."""
    line, column = start
    if depth < _MAX_DEPTH and text[index : index + 1] in ("[", "{"):
        return _read_collection(text, index, start, depth)
    match = _SCALAR.match(text, index)
    if match is None:
        raise NotPlainBlockError
    end = match.end()
    return read_scalar(match.group(), (line, column + index, line, column + end)), end


def _read_collection(text: str, index: int, start: tuple[int, int], depth: int) -> tuple[Node, int]:
    line, column = start
    first_column, closing = column + index, _CLOSING[text[index]]
    nodes: list[Node] = []
    keys: dict[str, Mark] = {}
    index = _skip_pattern(_BLANKS, text, index + 1)
    while not text.startswith(closing, index):
        if nodes:
            index = _skip_pattern(_COMMA, text, index)
        if closing == "}":
            match = _KEY.match(text, index)
            if match is None or match[1] in keys or match[1] in RESERVED_WORDS:
                raise NotPlainBlockError
            keys[match[1]] = (line, column + index, line, column + match.end(1))
            index = match.end()
        node, index = _read_node(text, index, start, depth + 1)
        nodes.append(node)
        index = _skip_pattern(_BLANKS, text, index)
    at = (line, first_column, line, column + index + 1)
    values: Any = [node.value for node in nodes]
    if closing == "]":
        return SequenceNode(values, tuple(nodes), at), index + 1
    return MappingNode(dict(zip(keys, values, strict=True)), dict(zip(keys, nodes, strict=True)), keys, at), index + 1


def _skip_pattern(pattern: re.Pattern[str], text: str, index: int) -> int:
    match = pattern.match(text, index)
    if match is None:
        raise NotPlainBlockError
    return match.end()
