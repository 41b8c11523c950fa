"""Findings for people: the place, the sentence, the line with a caret, related places, and what to do."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from unicodedata import combining, east_asian_width

from envtree.diagnostics.codes import UNSHOWN
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.printable import printable
from envtree.model.diagnostic import NotChecked, Severity
from envtree.model.span import START, Span
from envtree.report import shown_in

# The lines of a file by its path; none where they must not, or cannot, be shown.
Lines = Callable[[str], Sequence[str | None]]

LineAt = Callable[[str, int], str | None]

_WIDTH = 100
_BEFORE = 40
_BOLD, _DIM = "1", "2"
_COLORS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.INFO: "1;34", Severity.OFF: _DIM}


class Excerpt(NamedTuple):
    """A line of a file that may be printed, and the blanks and carets to print under it."""

    line: str
    blanks: str
    carets: str


def text(findings: Iterable[Finding], lines: Lines, *, color: bool) -> str:
    """All findings, one below the other."""
    found = list(findings)
    private = {finding.diagnostic.span[:2] for finding in found if finding.diagnostic.code in UNSHOWN}

    def public(path: str, number: int) -> str | None:
        """A line that may be printed; None for one that is not there, or may show a secret."""
        content = lines(path)
        return content[number - 1] if (path, number) not in private and number <= len(content) else None

    return "".join(f"{line}\n" for finding in found for line in _lines_of(finding, public, color))


def heads(findings: Iterable[Finding], *, color: bool) -> list[str]:
    """The findings in one line each, without what may stand there by now."""
    return [_head(finding, color) for finding in findings]


def skipped(checks: Iterable[NotChecked]) -> str:
    """The checks that were not made, one a line."""
    return "".join(f"{_place(check.span)}: not checked {check.code}: {printable(check.key)}\n" for check in checks)


def _lines_of(finding: Finding, line_at: LineAt, color: bool) -> Iterator[str]:
    diagnostic, hue = finding.diagnostic, _COLORS[finding.severity]
    yield _head(finding, color)
    yield from _excerpt_lines(diagnostic.span, line_at, hue if color else "")
    for related in diagnostic.related:
        yield f"  {_place(related.span)}: {printable(related.message)}"
    if finding.bundles:
        yield f"  {printable(shown_in(finding.bundles))}"
    if diagnostic.hint:
        yield f"  {_paint('hint:', _BOLD, color)} {printable(diagnostic.hint)}"


def _head(finding: Finding, color: bool) -> str:
    diagnostic = finding.diagnostic
    label = _paint(f"{finding.severity} {diagnostic.code}", _COLORS[finding.severity], color)
    place = _paint(_place(diagnostic.span), _BOLD, color) + ": " if diagnostic.span.path else ""
    return f"{place}{label}: {printable(diagnostic.message)}"


def _excerpt_lines(span: Span, line_at: LineAt, hue: str) -> Iterator[str]:
    # A finding about a file as such stands at its beginning and has no width.
    if span[1:] == START or not span.path:
        return
    line = line_at(span.path, span.line)
    if line is None:
        return
    found = excerpt(line, span)
    number = str(span.line)
    yield f"  {number} | {found.line}"
    yield f"  {' ' * len(number)} | {found.blanks}{_paint(found.carets, hue, bool(hue))}"


def excerpt(line: str, span: Span) -> Excerpt:
    """The part of a line around the token at fault; a token that goes on is marked up to the end of the line."""
    line = line.rstrip()
    start = min(span.column - 1, len(line))
    end = span.end_column - 1 if span.end_line == span.line else len(line)
    first = max(0, start - _BEFORE) if len(line) > _WIDTH else 0
    last = min(len(line), first + _WIDTH)
    before, token = printable(line[first:start]), printable(line[start : min(end, last)])
    head, tail = "…" if first else "", "…" if last < len(line) else ""
    rest = printable(line[max(start, min(end, last)) : last])
    carets = "^" * max(1, _cells(token))
    return Excerpt(f"{head}{before}{token}{rest}{tail}", " " * _cells(head + before), carets)


def _cells(data: str) -> int:
    """How many columns of a terminal a text fills."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in data)


def _place(span: Span) -> str:
    path = printable(span.path)
    # A path stays one, where `printable_lines` would only put a backslash.
    return f"{'./' if path.lstrip().startswith('::') else ''}{path}:{span.line}:{span.column}"


def _paint(data: str, hue: str, color: bool) -> str:
    return f"\x1b[{hue}m{data}\x1b[0m" if color else data
