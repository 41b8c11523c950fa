"""From the bytes of one file to its document."""

import re

from envtree.frontend.parse.allowances import WORD, read_allowances
from envtree.frontend.parse.backend import Backend
from envtree.frontend.parse.characters import decode
from envtree.frontend.parse.dotenv import read_dotenv
from envtree.frontend.parse.plain_block_reader import read_block
from envtree.frontend.parse.report import Refused, Report, mark_at
from envtree.model.diagnostic import Diagnostics
from envtree.model.nodes import Document, Mapping
from envtree.model.source import Source

# The lines that may hold directives: those before the first one with content or '---'.
_HEAD = re.compile(r"(?:[ ]*(?:#[^\n]*)?\r?\n|%[^\n]*\n?)*")


def parse(source: Source, diags: Diagnostics, *, backend: Backend | None = None) -> Document | None:
    """Read one file; None when nothing in it can be used, which has been reported then.

    With a `backend` all of it is read by that one.
    """
    report = Report(source.path, diags, set(), {}, [])
    text = decode(source.data, report)
    if text is None:
        return None
    try:
        root = _read(text, report, backend)
    except Refused as refusal:
        if not _follows(refusal, text, report):
            report.refuse(refusal)
        return None
    if root is None:
        return None
    allowances = read_allowances(text, root, report) if WORD in text and source.path.endswith(".yaml") else ()
    holes = frozenset(report.holes)
    where = (source.path, source.location, source.digest)
    return Document(*where, root, allowances, report.aliases, holes, frozenset(report.rounded))


def _follows(refusal: Refused, text: str, report: Report) -> bool:
    """Whether a syntax error stands right behind a misread value, as the rest of a text without quotes does."""
    line, column = refusal.at[:2]
    ends = [hole[3] for hole in report.holes if hole[2] == line and hole[3] <= column]
    between = text.split("\n")[line - 1][max(ends) - 1 : column - 1] if ends else "-"
    return refusal.code == "ET101" and not between.strip(" ")


def _read(text: str, report: Report, backend: Backend | None) -> Mapping | None:
    if report.path.endswith(".env"):
        return read_dotenv(text, report)
    if "\t" in text:
        from envtree.frontend.parse.tabs import blank_tabs, refuse_tabs  # noqa: PLC0415 -- as below

        if report.path.endswith(".json"):
            text = blank_tabs(text)
        elif refuse_tabs(text, backend, report):
            return None
    if "%" in text:
        text = _refuse_directives(text, report)
    root = None if backend else read_block(text)
    return _compose(text, report, backend) if root is None else root


def _compose(text: str, report: Report, backend: Backend | None) -> Mapping | None:
    # PyYAML takes 10 ms to load, and many trees are of files in plain block form only.
    from envtree.frontend.parse.event_reader import compose  # noqa: PLC0415
    from envtree.frontend.parse.events import YAMLError, fastest  # noqa: PLC0415
    from envtree.frontend.parse.problems import syntax_error  # noqa: PLC0415

    try:
        return compose(text, (backend or fastest())(text), report)
    except YAMLError as error:
        raise syntax_error(error, text) from None


def _refuse_directives(text: str, report: Report) -> str:
    """The text with its directives as comments, so that what follows is read like any other file."""
    hint = "remove the line, or quote a text that begins with '%'"
    head = _HEAD.match(text)
    end = head.end() if head else 0
    for line in re.finditer(r"^%", text[:end], re.MULTILINE):
        report.add(mark_at(text, line.start()), "ET115", "found a YAML directive", hint)
    return re.sub(r"^%", "#", text[:end], flags=re.MULTILINE) + text[end:]
