"""Check tabs: allowed as text in quotes and block scalars, refused where they would be white space of YAML itself."""

import re
from bisect import bisect
from typing import Any

from yaml.error import YAMLError
from yaml.events import ScalarEvent

from envtree.frontend.parse.backend import Backend
from envtree.frontend.parse.parse_report import ParseReport, mark_at
from envtree.frontend.parse.syntax_errors import TAB_HINT, syntax_error
from envtree.frontend.parse.yaml_events import fastest_backend

_MAX_FINDINGS = 20
_STRING_OR_TAB = re.compile(r'("(?:[^"\\]|\\.)*+")|\t')


def blank_tabs(text: str) -> str:
    """Return JSON with a blank for every tab outside its strings, because SOPS indents JSON with tabs."""
    return _STRING_OR_TAB.sub(lambda match: match[1] or " ", text)


def report_tabs(text: str, backend: Backend | None, report: ParseReport) -> bool:
    """Report the tabs that are not text; return whether there are any.

    The parsers disagree about such tabs, so the ranges of texts are read from a copy without tabs.
    """
    try:
        ranges = _text_ranges(text.replace("\t", " "), backend or fastest_backend())
    except YAMLError as error:
        raise syntax_error(error, text) from None
    tabs = [match.start() for match in re.finditer(r"\t[ \t]*", text)]
    misplaced = [tab for tab in tabs if not _is_inside(tab, ranges)]
    for tab in misplaced[:_MAX_FINDINGS]:
        report.add(mark_at(text, tab), "ET114", "found a tab", TAB_HINT)
    return bool(misplaced)


def _text_ranges(text: str, backend: Backend) -> list[tuple[int, int]]:
    texts = filter(_is_text, iter(backend(text), None))
    return [(event.start_mark.index, event.end_mark.index) for event in texts]


def _is_text(event: Any) -> bool:
    return event.__class__ is ScalarEvent and bool(event.style)


def _is_inside(tab: int, ranges: list[tuple[int, int]]) -> bool:
    before = bisect(ranges, (tab, 0))
    return before > 0 and tab < ranges[before - 1][1]
