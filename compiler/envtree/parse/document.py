"""From the bytes of one file to its document."""

import re

from envtree.diagnostic import Diagnostics
from envtree.node import Document, Mapping
from envtree.parse.characters import decode
from envtree.parse.compose import compose
from envtree.parse.dotenv import read_dotenv
from envtree.parse.events import Backend, YAMLError, fastest
from envtree.parse.problems import syntax_error
from envtree.parse.report import Refused, Report, mark_at
from envtree.parse.tabs import blank_tabs, refuse_tabs
from envtree.source import Source

_FASTEST = fastest()
# The lines that may hold directives: those before the first one with content or '---'.
_HEAD = re.compile(r"(?:[ ]*(?:#[^\n]*)?\r?\n|%[^\n]*\n?)*")


def parse(source: Source, diags: Diagnostics, *, backend: Backend = _FASTEST) -> Document | None:
    """Read one file; None when nothing in it can be used, which has been reported then."""
    report = Report(source.path, diags)
    text = decode(source.data, report)
    if text is None:
        return None
    try:
        root = _read(text, report, backend)
    except Refused as refusal:
        report.refuse(refusal)
        return None
    return Document(source.path, source.location, source.digest, root) if root is not None else None


def _read(text: str, report: Report, backend: Backend) -> Mapping | None:
    if report.path.endswith(".env"):
        return read_dotenv(text, report)
    if "\t" in text:
        if report.path.endswith(".json"):
            text = blank_tabs(text)
        elif refuse_tabs(text, backend, report):
            return None
    if "%" in text:
        text = _refuse_directives(text, report)
    try:
        return compose(text, backend(text), report)
    except YAMLError as error:
        raise syntax_error(error, text) from None


def _refuse_directives(text: str, report: Report) -> str:
    """The text with its directives as comments, so that what follows is read like any other file."""
    head = _HEAD.match(text)
    end = head.end() if head else 0
    for line in re.finditer(r"^%", text[:end], re.MULTILINE):
        report.add(mark_at(text, line.start()), "ET115", "found a YAML directive", "remove the line")
    return re.sub(r"^%", "#", text[:end], flags=re.MULTILINE) + text[end:]
