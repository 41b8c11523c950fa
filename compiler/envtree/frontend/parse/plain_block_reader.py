"""Read files in plain block form with one regular expression, in half the time that libyaml takes for its events.

Most files have this form: `key: value` and `- item`, plain or simply quoted values, brackets that close on their line,
literal texts behind `|`, comments and blank lines. Everything else, errors included, is left to `compose`: this reader
either gives the same result as `compose` would, without a finding, or none.
"""

import re
from typing import Any

from envtree.frontend.parse.flow_collections import NotPlainBlockError, read_flow, read_scalar, read_unambiguous
from envtree.frontend.parse.plain_scalars import NUMBER_STARTS, RESERVED_WORDS
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.span import Mark

# The header with its key, and all lines that are deeper or empty; no other line of blanks may follow.
_LITERAL = re.compile(r"^( *)(- )?([\w$][\w.$-]*): (\|-?)\n((?:(?:\1 +\S[^\n]*)?\n)++)(?!\1 | +$)", re.MULTILINE)


def extract_literals(text: str) -> tuple[str, dict[int, ScalarNode]]:
    """Replace literal texts by blank lines; return the text, and the literals by the line numbers of their headers.

    Literals of any other form are left in place, so that the line reader refuses them.
    """
    literals: dict[int, ScalarNode] = {}
    parts: list[str] = []
    copied_to, header_line = 0, 1
    for match in _LITERAL.finditer(text):
        lines = match[5].split("\n")
        if not _is_well_indented(match, lines):
            continue
        header_line += text.count("\n", copied_to, match.start(5)) - 1
        depth = _indent(lines[0])
        body = "\n".join([line[depth:] for line in lines]).rstrip("\n")
        value = body if match[4] == "|-" else f"{body}\n"
        column = match.end(3) - match.start() + 3
        literals[header_line] = ScalarNode(value, value, False, (header_line, column, header_line + len(lines), 1))
        parts += text[copied_to : match.start(5)], "\n" * (len(lines) - 1)
        copied_to, header_line = match.end(), header_line + len(lines)
    return "".join((*parts, text[copied_to:])), literals


def _is_well_indented(match: re.Match[str], lines: list[str]) -> bool:
    """Report whether all lines are at least as deep as the first one, which must be deeper than the key."""
    depth, key_depth = _indent(lines[0]), len(match[1]) + len(match[2] or "")
    return key_depth < depth and "\r" not in match[5] and all(not line or _indent(line) >= depth for line in lines)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


# Indentation, '- ', key and value. A plain value begins with a character without another meaning in YAML, and a quoted
# one contains no escape. Keys are so short and nesting is so shallow that no limit can be reached. Keys are ASCII:
# testing each character for a letter of any script takes a fifth of the time, and few keys need it.
_LINE = re.compile(
    r"^( {0,48}+)(- )?+(?:([A-Za-z_$][A-Za-z0-9_.$-]{0,255}+):(?: |$))?+"
    r"""("[^"\\\r\n\t]*"|'[^'\r\n\t]*'|-?[\w./$(+][^\s:#]*(?:(?: +|:)[^\s:#]+)*|"""
    r"[\[{][^\t\r\n#\\]*[\]}]|\|-?|)(?:$| *(?:(?<!\S)#[^\n]*)?$)",
    re.MULTILINE,
)
# Larger files may reach a limit.
_MAX_TEXT = 64 * 1024

# Line, column, '- ', key, value.
_Row = tuple[int, int, str, str, str]
# Literal texts by the line number of their header.
_Literals = dict[int, ScalarNode]
_END_ROW: _Row = (0, 0, "", "", "")


def read_plain_block(text: str) -> MappingNode | None:
    """Return the root of a file, or None if any part of it is not in plain block form."""
    if len(text) > _MAX_TEXT:
        return None
    text, literals = extract_literals(text) if ": |" in text else (text, {})
    lines = _LINE.findall(text)
    if len(lines) != text.count("\n") + 1:
        return None
    rows = [
        (number, len(indent) + 1, dash, key, value)
        for number, (indent, dash, key, value) in enumerate(lines, 1)
        if key or dash or value
    ]
    rows.append(_END_ROW)
    if rows[0][2]:
        return None
    try:
        root, end = _read_map(rows, 0, literals)
    except NotPlainBlockError:
        return None
    return root if rows[end] is _END_ROW else None


def _read_map(rows: list[_Row], index: int, literals: _Literals) -> tuple[MappingNode, int]:
    """Return the map that begins at a row, and the index of the row after it."""
    # As in `compose`, most of the time is spent in this loop, so nodes are created by tuple's own constructor.
    new, reserved_words, number_starts = tuple.__new__, RESERVED_WORDS, NUMBER_STARTS
    data: dict[str, Any] = {}
    nodes: dict[str, Node] = {}
    keys: dict[str, Mark] = {}
    node: Any
    first_line, column, row = rows[index][0], rows[index][1], rows[index]
    while True:
        line, indent, dash, key, text = row
        if indent != column or dash:
            break
        if not key or key in nodes or key in reserved_words:
            raise NotPlainBlockError
        index += 1
        row = rows[index]
        end = column + len(key)
        keys[key] = at = (line, column, line, end)
        if text:
            at, start = (line, end + 2, line, end + 2 + len(text)), text[0]
            if start in "\"'":
                text = text[1:-1]
                node = new(ScalarNode, (text, text, False, at))
            elif start in "[{|":
                node = read_flow(text, line, end + 2) if start != "|" else _find_literal(literals, line)
                at = node.mark
            else:
                value = read_unambiguous(text) if text in reserved_words or start in number_starts else text
                node = new(ScalarNode, (value, text, True, at))
        elif row[1] > column or (row[1] == column and row[2]):
            node, index = (_read_list if row[2] else _read_map)(rows, index, literals)
            at, row = node.mark, rows[index]
        else:
            node = new(ScalarNode, (None, "", True, at))
        data[key] = node[0]  # its `value`
        nodes[key] = node
    if indent > column:
        raise NotPlainBlockError
    return new(MappingNode, (data, nodes, keys, (first_line, column, at[2], at[3]))), index


def _read_list(rows: list[_Row], index: int, literals: _Literals) -> tuple[SequenceNode, int]:
    """Return the list that begins at a row, and the index of the row after it."""
    items: list[Node] = []
    first_line, column = rows[index][:2]
    while rows[index][1] == column and rows[index][2]:
        line, _, _, key, text = rows[index]
        item: Node
        if key:
            # A map: turn '- key' into the row of its first key, above the others.
            rows[index] = (line, column + 2, "", key, text)
            item, index = _read_map(rows, index, literals)
        else:
            item, index = _read_item(text, line, column + 2), index + 1
        items.append(item)
    if rows[index][1] > column:
        raise NotPlainBlockError
    return SequenceNode([item.value for item in items], tuple(items), (first_line, column, *items[-1].mark[2:])), index


def _find_literal(literals: _Literals, line: int) -> ScalarNode:
    if line not in literals:
        raise NotPlainBlockError
    return literals[line]


def _read_item(text: str, line: int, column: int) -> Node:
    if not text or text[0] == "|":
        raise NotPlainBlockError
    return (
        read_flow(text, line, column)
        if text[0] in "[{"
        else read_scalar(text, (line, column, line, column + len(text)))
    )
