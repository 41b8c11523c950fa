"""Parse the bytes of one file to a document."""

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

# The lines that may contain directives: those before the first line with content or '---'.
_DIRECTIVE_LINES = re.compile(r"(?:[ ]*(?:#[^\n]*)?\r?\n|%[^\n]*\n?)*")


def parse(source: Source, diags: Diagnostics, *, backend: Backend | None = None) -> Document | None:
    """Parse one file; return None if nothing of it can be used, after reporting why.

    With a `backend`, all of the file is parsed by it.
    """
    report = ParseReport(path=source.path, diags=diags, invalid_marks=set(), aliases={}, rounded_marks=[])
    text = decode(source.data, report)
    if text is None:
        return None
    try:
        root = _read_root(text, report, backend)
    except FatalParseError as error:
        if not _follows_misread_value(error, text, report):
            report.add_fatal(error)
        return None
    if root is None:
        return None
    suppressions = (
        read_suppressions(text, root, report) if SUPPRESSION_PREFIX in text and source.path.endswith(".yaml") else ()
    )
    return Document(
        path=source.path,
        location=source.location,
        digest=source.digest,
        root=root,
        suppressions=suppressions,
        aliases=report.aliases,
        invalid_marks=frozenset(report.invalid_marks),
        rounded_marks=frozenset(report.rounded_marks),
    )


def _follows_misread_value(error: FatalParseError, text: str, report: ParseReport) -> bool:
    """Report whether a syntax error directly follows a misread value, as with the rest of an unquoted text."""
    line, column = error.at[:2]
    ends = [mark[3] for mark in report.invalid_marks if mark[2] == line and mark[3] <= column]
    between = text.split("\n")[line - 1][max(ends) - 1 : column - 1] if ends else "-"
    return error.code == "ET101" and not between.strip(" ")


def _read_root(text: str, report: ParseReport, backend: Backend | None) -> MappingNode | None:
    if report.path.endswith(".env"):
        return read_dotenv(text, report)
    if "\t" in text:
        from envtree.frontend.parse.tabs import blank_tabs, report_tabs  # noqa: PLC0415 -- imports PyYAML, see below

        if report.path.endswith(".json"):
            text = blank_tabs(text)
        elif report_tabs(text, backend, report):
            return None
    if "%" in text:
        text = _refuse_directives(text, report)
    root = None if backend else read_plain_block(text)
    return _compose_events(text, report, backend) if root is None else root


def _compose_events(text: str, report: ParseReport, backend: Backend | None) -> MappingNode | None:
    # Importing PyYAML takes 10 ms, and many trees contain only files in plain block form.
    from envtree.frontend.parse.event_reader import compose  # noqa: PLC0415
    from envtree.frontend.parse.syntax_errors import syntax_error  # noqa: PLC0415
    from envtree.frontend.parse.yaml_events import YAMLError, fastest_backend  # noqa: PLC0415

    try:
        return compose(text, (backend or fastest_backend())(text), report)
    except YAMLError as error:
        raise syntax_error(error, text) from None


def _refuse_directives(text: str, report: ParseReport) -> str:
    """Report YAML directives, and return the text with them as comments, so that the rest can be parsed."""
    hint = "remove the line, or quote a text that begins with '%'"
    head = _DIRECTIVE_LINES.match(text)
    end = head.end() if head else 0
    for line in re.finditer(r"^%", text[:end], re.MULTILINE):
        report.add(mark_at(text, line.start()), "ET115", "found a YAML directive", hint)
    return re.sub(r"^%", "#", text[:end], flags=re.MULTILINE) + text[end:]
