"""Texts of many lines behind `|`, for `block`: cut out of a file, so that what is left of it is read line by line."""

import re

from envtree.model.nodes import ScalarNode

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
