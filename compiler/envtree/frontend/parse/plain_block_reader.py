"""Files in plain block form, as most are: one regular expression reads all lines, in half of libyaml's time for events.

It knows `key: value` and `- item`, values without quotes or in simple ones, brackets that close on their line, texts
behind `|`, comments and blank lines. All else, and all that is wrong, is left to `compose`: a file is read here as it
would be there and without a finding, or not at all.
"""

import re
from typing import Any

from envtree.frontend.parse.flow import LeftError, flow, read, scalar
from envtree.frontend.parse.literal import cut
from envtree.frontend.parse.plain import NUMBER_STARTS, WORDS
from envtree.model.nodes import Mapping, Node, Scalar, Sequence
from envtree.model.span import Mark

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
_LONGEST = 64 * 1024

# Line, column, '- ', key, value.
_Row = tuple[int, int, str, str, str]
# Texts of many lines by the line where they begin.
_Literals = dict[int, Scalar]
_END: _Row = (0, 0, "", "", "")


def read_block(text: str) -> Mapping | None:
    """The root of a file, all of whose lines are understood."""
    if len(text) > _LONGEST:
        return None
    text, literals = cut(text) if ": |" in text else (text, {})
    lines = _LINE.findall(text)
    if len(lines) != text.count("\n") + 1:
        return None
    rows = [
        (number, len(blanks) + 1, dash, key, value)
        for number, (blanks, dash, key, value) in enumerate(lines, 1)
        if key or dash or value
    ]
    rows.append(_END)
    if rows[0][2]:
        return None
    try:
        root, end = _map(rows, 0, literals)
    except LeftError:
        return None
    return root if rows[end] is _END else None


def _map(rows: list[_Row], n: int, literals: _Literals) -> tuple[Mapping, int]:
    """The map that begins in a row, and the row behind it."""
    # As in `compose`, this loop takes most of the time: nodes are made by tuple's own constructor.
    new, words, number_starts = tuple.__new__, WORDS, NUMBER_STARTS
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
            raise LeftError
        n += 1
        row = rows[n]
        end = column + len(key)
        keys[key] = at = (line, column, line, end)
        if text:
            at = (line, end + 2, line, end + 2 + len(text))
            start = text[0]
            if start in "\"'":
                text = text[1:-1]
                node = new(Scalar, (text, text, False, at))
            elif start in "[{|":
                node = flow(text, line, end + 2) if start != "|" else _literal(literals, line)
                at = node.at
            else:
                node = new(Scalar, (read(text) if text in words or start in number_starts else text, text, True, at))
        elif row[1] > column or (row[1] == column and row[2]):
            node, n = (_list if row[2] else _map)(rows, n, literals)
            at, row = node.at, rows[n]
        else:
            node = new(Scalar, (None, "", True, at))
        data[key] = node[0]  # its value, whatever it is
        nodes[key] = node
    if indent > column:
        raise LeftError
    return new(Mapping, (data, nodes, keys, (begin, column, at[2], at[3]))), n


def _list(rows: list[_Row], n: int, literals: _Literals) -> tuple[Sequence, int]:
    """The list that begins in a row, and the row behind it."""
    items: list[Node] = []
    begin, column = rows[n][:2]
    while rows[n][1] == column and rows[n][2]:
        line, _, _, key, text = rows[n]
        item: Node
        if key:
            # A map, whose other keys stand below this one.
            rows[n] = (line, column + 2, "", key, text)
            item, n = _map(rows, n, literals)
        else:
            item, n = _item(text, line, column + 2), n + 1
        items.append(item)
    if rows[n][1] > column:
        raise LeftError
    return Sequence([item.value for item in items], tuple(items), (begin, column, *items[-1].at[2:])), n


def _literal(literals: _Literals, line: int) -> Scalar:
    if line not in literals:
        raise LeftError
    return literals[line]


def _item(text: str, line: int, column: int) -> Node:
    if not text or text[0] == "|":
        raise LeftError
    return flow(text, line, column) if text[0] in "[{" else scalar(text, (line, column, line, column + len(text)))
