"""Findings for people: the location, the message, the line with a caret, related locations, and the hint."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from unicodedata import combining, east_asian_width

from envtree.diagnostics.codes import CODES, Topic
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.printable import printable
from envtree.diagnostics.summary import bundles_phrase
from envtree.model.diagnostic import Severity, SkippedCheck
from envtree.model.span import FILE_START, Span

# Returns the lines of a file by its path; none if they must not, or cannot, be shown.
FileLines = Callable[[str], Sequence[str | None]]

LineAt = Callable[[str, int], str | None]

_MAX_LINE_WIDTH = 100
_CONTEXT_BEFORE = 40
_BOLD, _DIM = "1", "2"
_COLORS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.INFO: "1;34", Severity.OFF: _DIM}


class Excerpt(NamedTuple):
    """A printable line, and the blanks and carets to print under it."""

    line: str
    blanks: str
    carets: str


def _is_private(finding: Finding) -> bool:
    return CODES[finding.diagnostic.code].topic is Topic.CREDENTIALS


def render_text(findings: Iterable[Finding], lines: FileLines, *, color: bool) -> str:
    """Return all findings."""
    all_findings = list(findings)
    private = {finding.diagnostic.span[:2] for finding in all_findings if _is_private(finding)}

    def public_line(path: str, number: int) -> str | None:
        """Return a line that may be printed; None if it does not exist, or may show a secret."""
        content = lines(path)
        return content[number - 1] if (path, number) not in private and number <= len(content) else None

    return "".join(f"{line}\n" for finding in all_findings for line in _finding_lines(finding, public_line, color))


def render_headlines(findings: Iterable[Finding], *, color: bool) -> list[str]:
    """Return each finding as one line, without excerpts, whose files may have changed."""
    return [_headline(finding, color) for finding in findings]


def render_skipped_checks(checks: Iterable[SkippedCheck]) -> str:
    """Return the checks that were not made, one a line."""
    return "".join(f"{_location(check.span)}: not checked {check.code}: {printable(check.key)}\n" for check in checks)


def _finding_lines(finding: Finding, line_at: LineAt, color: bool) -> Iterator[str]:
    diagnostic, style = finding.diagnostic, _COLORS[finding.severity]
    yield _headline(finding, color)
    yield from _excerpt_lines(diagnostic.span, line_at, style if color else "")
    for related in diagnostic.related:
        yield f"  {_location(related.span)}: {printable(related.message)}"
    if finding.bundles:
        yield f"  {printable(bundles_phrase(finding.bundles))}"
    if diagnostic.hint:
        yield f"  {_styled('hint:', _BOLD, color)} {printable(diagnostic.hint)}"


def _headline(finding: Finding, color: bool) -> str:
    diagnostic = finding.diagnostic
    label = _styled(f"{finding.severity} {diagnostic.code}", _COLORS[finding.severity], color)
    location = _styled(_location(diagnostic.span), _BOLD, color) + ": " if diagnostic.span.path else ""
    return f"{location}{label}: {printable(diagnostic.message)}"


def _excerpt_lines(span: Span, line_at: LineAt, style: str) -> Iterator[str]:
    # A finding about a whole file is at its start, without a width.
    if span[1:] == FILE_START or not span.path:
        return
    line = line_at(span.path, span.line)
    if line is None:
        return
    excerpt = build_excerpt(line, span)
    number = str(span.line)
    yield f"  {number} | {excerpt.line}"
    yield f"  {' ' * len(number)} | {excerpt.blanks}{_styled(excerpt.carets, style, bool(style))}"


def build_excerpt(line: str, span: Span) -> Excerpt:
    """Return the part of a line around the reported token; a multi-line token is marked to the end of the line."""
    line = line.rstrip()
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    first = max(0, start - _CONTEXT_BEFORE) if len(line) > _MAX_LINE_WIDTH else 0
    last = min(len(line), first + _MAX_LINE_WIDTH)
    before, token = printable(line[first:start]), printable(line[start : min(end, last)])
    head, tail = "…" if first else "", "…" if last < len(line) else ""
    rest = printable(line[max(start, min(end, last)) : last])
    carets = "^" * max(1, _display_width(token))
    return Excerpt(f"{head}{before}{token}{rest}{tail}", " " * _display_width(head + before), carets)


def _display_width(data: str) -> int:
    """Return the number of terminal columns that a text takes."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in data)


def _location(span: Span) -> str:
    path = printable(span.path)
    # `./` keeps a path with a leading `::` valid; `printable_lines` would add a backslash instead.
    return f"{'./' if path.lstrip().startswith('::') else ''}{path}:{span.line}:{span.column}"


def _styled(data: str, style: str, color: bool) -> str:
    return f"\x1b[{style}m{data}\x1b[0m" if color else data
