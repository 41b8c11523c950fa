"""Files in plain block form, as most are: one regular expression reads all lines, in half of libyaml's time for events.

It knows `key: value` and `- item`, values without quotes or in simple ones, brackets that close on their line, texts
behind `|`, comments and blank lines. All else, and all that is wrong, is left to `compose`: a file is read here as it
would be there and without a finding, or not at all.
"""

import re
from typing import Any

from envtree.frontend.parse.flow_collections import NotPlainBlockError, read_flow, read_scalar, read_unambiguous
from envtree.frontend.parse.plain_scalars import NUMBER_STARTS, RESERVED_WORDS
from envtree.model.nodes import MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.span import Mark

# The header with its key, and all lines that stand deeper or are empty; no other line of blanks may follow.
_LITERAL = re.compile(r"^( *)(- )?([\w$][\w.$-]*): (\|-?)\n((?:(?:\1 +\S[^\n]*)?\n)++)(?!\1 | +$)", re.MULTILINE)


def extract_literals(text: str) -> tuple[str, dict[int, ScalarNode]]:
    """The text with blank lines in the place of such texts, which are told by the lines of their headers.

    What is not quite plain is left as it is, so that it is refused where the lines are read.
    """
    found: dict[int, ScalarNode] = {}
    parts: list[str] = []
    at, header = 0, 1
    for match in _LITERAL.finditer(text):
        lines = match[5].split("\n")
        if not _is_well_indented(match, lines):
            continue
        header += text.count("\n", at, match.start(5)) - 1
        depth = _indent(lines[0])
        body = "\n".join([line[depth:] for line in lines]).rstrip("\n")
        value = body if match[4] == "|-" else f"{body}\n"
        column = match.end(3) - match.start() + 3
        found[header] = ScalarNode(value, value, False, (header, column, header + len(lines), 1))
        parts += text[at : match.start(5)], "\n" * (len(lines) - 1)
        at, header = match.end(), header + len(lines)
    return "".join((*parts, text[at:])), found


def _is_well_indented(match: re.Match[str], lines: list[str]) -> bool:
    """Whether all lines have the depth of the first one at least, which is more than that of the key."""
    depth, key = _indent(lines[0]), len(match[1]) + len(match[2] or "")
    return key < depth and "\r" not in match[5] and all(not line or _indent(line) >= depth for line in lines)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


# Indentation, '- ', key and value. A plain value begins with what means nothing else to YAML, and a quoted one holds no
# escape. So short are keys, and so deep is the nesting, that no limit can be reached. A key is of ASCII, for to ask of
# each character whether it is a letter anywhere takes a fifth of the time, and few keys are not.
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
# Texts of many lines by the line where they begin.
_Literals = dict[int, ScalarNode]
_END_ROW: _Row = (0, 0, "", "", "")


def read_plain_block(text: str) -> MappingNode | None:
    """The root of a file, all of whose lines are understood."""
    if len(text) > _MAX_TEXT:
        return None
    text, literals = extract_literals(text) if ": |" in text else (text, {})
    lines = _LINE.findall(text)
    if len(lines) != text.count("\n") + 1:
        return None
    rows = [
        (number, len(blanks) + 1, dash, key, value)
        for number, (blanks, dash, key, value) in enumerate(lines, 1)
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


def _read_map(rows: list[_Row], n: int, literals: _Literals) -> tuple[MappingNode, int]:
    """The map that begins in a row, and the row behind it."""
    # As in `compose`, this loop takes most of the time: nodes are made by tuple's own constructor.
    new, words, number_starts = tuple.__new__, RESERVED_WORDS, NUMBER_STARTS
    data: dict[str, Any] = {}
    nodes: dict[str, Node] = {}
    keys: dict[str, Mark] = {}
    node: Any
    begin, column, row = rows[n][0], rows[n][1], rows[n]
    while True:
        line, indent, dash, key, text = row
        if indent != column or dash:
            break
        if not key or key in nodes or key in words:
            raise NotPlainBlockError
        n += 1
        row = rows[n]
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
                value = read_unambiguous(text) if text in words or start in number_starts else text
                node = new(ScalarNode, (value, text, True, at))
        elif row[1] > column or (row[1] == column and row[2]):
            node, n = (_read_list if row[2] else _read_map)(rows, n, literals)
            at, row = node.mark, rows[n]
        else:
            node = new(ScalarNode, (None, "", True, at))
        data[key] = node[0]  # its value, whatever it is
        nodes[key] = node
    if indent > column:
        raise NotPlainBlockError
    return new(MappingNode, (data, nodes, keys, (begin, column, at[2], at[3]))), n


def _read_list(rows: list[_Row], n: int, literals: _Literals) -> tuple[SequenceNode, int]:
    """The list that begins in a row, and the row behind it."""
    items: list[Node] = []
    begin, column = rows[n][:2]
    while rows[n][1] == column and rows[n][2]:
        line, _, _, key, text = rows[n]
        item: Node
        if key:
            # A map, whose other keys stand below this one.
            rows[n] = (line, column + 2, "", key, text)
            item, n = _read_map(rows, n, literals)
        else:
            item, n = _read_item(text, line, column + 2), n + 1
        items.append(item)
    if rows[n][1] > column:
        raise NotPlainBlockError
    return SequenceNode([item.value for item in items], tuple(items), (begin, column, *items[-1].mark[2:])), n


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
