"""From the bytes of one file to its document."""

import re

from envtree.frontend.parse.backend import Backend
from envtree.frontend.parse.characters import decode
from envtree.frontend.parse.dotenv import read_dotenv
from envtree.frontend.parse.parse_report import FatalParseError, ParseReport, mark_at
from envtree.frontend.parse.plain_block_reader import read_plain_block
from envtree.frontend.parse.suppressions import SUPPRESSION_PREFIX, read_suppressions
from envtree.model.diagnostic import Diagnostics
from envtree.model.nodes import Document, MappingNode
from envtree.model.source import Source

# The lines that may hold directives: those before the first one with content or '---'.
_DIRECTIVE_LINES = re.compile(r"(?:[ ]*(?:#[^\n]*)?\r?\n|%[^\n]*\n?)*")


def parse(source: Source, diags: Diagnostics, *, backend: Backend | None = None) -> Document | None:
    """Read one file; None when nothing in it can be used, which has been reported then.

    With a `backend` all of it is read by that one.
    """
    report = ParseReport(source.path, diags, set(), {}, [])
    text = decode(source.data, report)
    if text is None:
        return None
    try:
        root = _read_root(text, report, backend)
    except FatalParseError as refusal:
        if not _follows_misread_value(refusal, text, report):
            report.add_fatal(refusal)
        return None
    if root is None:
        return None
    allowances = (
        read_suppressions(text, root, report) if SUPPRESSION_PREFIX in text and source.path.endswith(".yaml") else ()
    )
    holes = frozenset(report.invalid_marks)
    where = (source.path, source.location, source.digest)
    return Document(*where, root, allowances, report.aliases, holes, frozenset(report.rounded_marks))


def _follows_misread_value(error: FatalParseError, text: str, report: ParseReport) -> bool:
    """Whether a syntax error stands right behind a misread value, as the rest of a text without quotes does."""
    line, column = error.at[:2]
    ends = [hole[3] for hole in report.invalid_marks if hole[2] == line and hole[3] <= column]
    between = text.split("\n")[line - 1][max(ends) - 1 : column - 1] if ends else "-"
    return error.code == "ET101" and not between.strip(" ")


def _read_root(text: str, report: ParseReport, backend: Backend | None) -> MappingNode | None:
    if report.path.endswith(".env"):
        return read_dotenv(text, report)
    if "\t" in text:
        from envtree.frontend.parse.tabs import blank_tabs, report_tabs  # noqa: PLC0415 -- as below

        if report.path.endswith(".json"):
            text = blank_tabs(text)
        elif report_tabs(text, backend, report):
            return None
    if "%" in text:
        text = _refuse_directives(text, report)
    root = None if backend else read_plain_block(text)
    return _compose_events(text, report, backend) if root is None else root


def _compose_events(text: str, report: ParseReport, backend: Backend | None) -> MappingNode | None:
    # PyYAML takes 10 ms to load, and many trees are of files in plain block form only.
    from envtree.frontend.parse.event_reader import compose  # noqa: PLC0415
    from envtree.frontend.parse.syntax_errors import syntax_error  # noqa: PLC0415
    from envtree.frontend.parse.yaml_events import YAMLError, fastest_backend  # noqa: PLC0415

    try:
        return compose(text, (backend or fastest_backend())(text), report)
    except YAMLError as error:
        raise syntax_error(error, text) from None


def _refuse_directives(text: str, report: ParseReport) -> str:
    """The text with its directives as comments, so that what follows is read like any other file."""
    hint = "remove the line, or quote a text that begins with '%'"
    head = _DIRECTIVE_LINES.match(text)
    end = head.end() if head else 0
    for line in re.finditer(r"^%", text[:end], re.MULTILINE):
        report.add(mark_at(text, line.start()), "ET115", "found a YAML directive", hint)
    return re.sub(r"^%", "#", text[:end], flags=re.MULTILINE) + text[end:]
