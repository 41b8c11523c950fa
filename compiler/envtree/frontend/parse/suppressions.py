"""Read the comments that suppress a finding: `# envtree: allow ET452 until 2027-01-31: why`."""

import re
from datetime import date

from envtree.diagnostics.codes import CODES
from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.parse.parse_report import ParseReport, mark_at
from envtree.model.nodes import MappingNode, ScalarNode, iter_scalars
from envtree.model.span import Mark, Span
from envtree.model.suppression import Suppression

# Also matches other words and a missing blank: such a comment would suppress nothing, and no one would notice.
SUPPRESSION_PREFIX = "envtree:"
_COMMENT = re.compile(r"(?:^|(?<=[ \t]))#[ \t]*envtree:[ \t]*(?:allow|ignore|disable|off)\b[^\r\n]*", re.MULTILINE)
_SUPPRESSION_PATTERN = re.compile(
    r"#\s*envtree: allow\s+(ET\d{3}(?:\s*,\s*ET\d{3})*)(?:\s+until\s+(\d{4}-\d{2}-\d{2}))?\s*:\s*(\S.*)"
)
_NO_CONTENT = re.compile(r"\s*(#.*)?")
# The first line of a literal or folded text, up to a comment; the position of the text may be that of its anchor.
_BLOCK_HEADER = re.compile(r"(?:[&!]\S*[ \t]+)*[|>][-+1-9]*[ \t]+")
_EXAMPLE = "write '# envtree: allow ET452: why', with 'until 2027-01-31' before the ':' if it is to end"


def read_suppressions(text: str, root: MappingNode, report: ParseReport) -> tuple[Suppression, ...]:
    """Return the suppressions of a file, and report malformed ones."""
    lines = text.split("\n")
    comments = [(match.group(), mark_at(text, match.start())) for match in _COMMENT.finditer(text)]
    outside_values = [
        (comment, at)
        for comment, at in comments
        if not any(_contains_mark(node, at) and not _is_beside_header(node, at, lines) for node in iter_scalars(root))
    ]
    suppressions = (_read_comment(comment, at, lines, report) for comment, at in outside_values)
    return tuple(suppression for suppression in suppressions if suppression)


def _read_comment(comment: str, at: Mark, lines: list[str], report: ParseReport) -> Suppression | None:
    line, column = at[:2]
    mark = (line, column, line, column + len(comment.rstrip()))
    match = _SUPPRESSION_PATTERN.fullmatch(comment.rstrip())
    if match is None:
        report.add(mark, "ET116", "found a malformed allowance, expected a code and a reason", _EXAMPLE)
        return None
    codes = frozenset(re.split(r"\s*,\s*", match[1]))
    for code in sorted(codes):
        if code not in CODES:
            report.add(mark, "ET116", f"there is no code '{code}'", did_you_mean(code, CODES))
            return None
        if CODES[code].is_fixed:
            report.add(mark, "ET116", f"'{code}' cannot be allowed", "what it finds would spoil a bundle: correct it")
            return None
    try:
        until = date.fromisoformat(match[2]) if match[2] else None
    except ValueError:
        report.add(mark, "ET116", f"'{match[2]}' is not a day", _EXAMPLE)
        return None
    is_own_line = not lines[line - 1][: column - 1].strip()
    target_line = (
        next((number for number in range(line + 1, len(lines) + 1) if _has_content(lines[number - 1])), line)
        if is_own_line
        else line
    )
    is_file_level = not any(map(_has_content, lines[: line - 1])) and is_own_line
    return Suppression(
        codes=codes,
        until=until,
        reason=match[3],
        line=target_line,
        is_file_level=is_file_level,
        span=Span(report.path, *mark),
    )


def _has_content(line: str) -> bool:
    return not _NO_CONTENT.fullmatch(line)


def _contains_mark(node: ScalarNode, at: Mark) -> bool:
    return node.mark[:2] <= at[:2] < node.mark[2:]


def _is_beside_header(node: ScalarNode, at: Mark, lines: list[str]) -> bool:
    """Report whether a position in a literal or folded text is behind its header, where YAML permits a comment."""
    line, column = node.mark[:2]
    return at[0] == line and bool(_BLOCK_HEADER.fullmatch(lines[line - 1], column - 1, at[1] - 1))
