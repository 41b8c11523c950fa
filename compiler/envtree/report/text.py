"""Findings for people: the place, the sentence, the line with a caret, related places, and what to do."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple
from unicodedata import combining, east_asian_width

from envtree.codes import UNSHOWN
from envtree.diagnostic import NotChecked, Severity
from envtree.finding import Finding
from envtree.layout import shown
from envtree.report import shown_in
from envtree.span import START, Span

Lines = Callable[[str], Sequence[str]]
"""The lines of a file by its path; none where they must not, or cannot, be shown."""

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
    return "".join(f"{line}\n" for finding in findings for line in _lines_of(finding, lines, color))


def skipped(checks: Iterable[NotChecked]) -> str:
    """The checks that were not made, one a line."""
    return "".join(f"{_place(check.span)}: not checked {check.code}: {printable(check.key)}\n" for check in checks)


def printable(data: str) -> str:
    """Text from a file or a command line, fit for one line of a terminal and a CI log: no control, no commands."""
    return shown(data).replace("##[", "##\\[")


def printable_lines(words: str) -> str:
    """Words for people, line by line; a line that begins with two colons is a command to GitHub's runner."""
    lines = map(printable, words.split("\n"))
    return "\n".join(line.replace("::", "\\::", 1) if line.lstrip().startswith("::") else line for line in lines)


def _lines_of(finding: Finding, lines: Lines, color: bool) -> Iterator[str]:
    diagnostic, hue = finding.diagnostic, _COLORS[finding.severity]
    label = _paint(f"{finding.severity} {diagnostic.code}", hue, color)
    place = _paint(_place(diagnostic.span), _BOLD, color) + ": " if diagnostic.span.path else ""
    yield f"{place}{label}: {printable(diagnostic.message)}"
    if diagnostic.code not in UNSHOWN:
        yield from _excerpt_lines(diagnostic.span, lines, hue if color else "")
    for related in diagnostic.related:
        yield f"  {_place(related.span)}: {printable(related.message)}"
    if finding.bundles:
        yield f"  {printable(shown_in(finding.bundles))}"
    if diagnostic.hint:
        yield f"  {_paint('hint:', _BOLD, color)} {printable(diagnostic.hint)}"


def _excerpt_lines(span: Span, lines: Lines, hue: str) -> Iterator[str]:
    # A finding about a file as such stands at its beginning and has no width.
    if span[1:] == START or not span.path:
        return
    content = lines(span.path)
    if span.line > len(content):
        return
    found = excerpt(content[span.line - 1], span)
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
