"""Findings as SARIF 2.1.0, which code scanning reads: one run, its rules with the pages of their codes."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from envtree import __version__
from envtree.diagnostics.codes import CODES
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.fingerprint import fingerprinted
from envtree.diagnostics.pages import page
from envtree.diagnostics.printable_documents import json_document
from envtree.model.diagnostic import Related, Severity
from envtree.model.span import START, Span
from envtree.model.tree_layout import ROOT_FILE, shown
from envtree.report import from_repository, plural, sentences

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note", Severity.OFF: "none"}
_RANKS = list(_LEVELS)
# GitHub refuses a log with more.
_MOST_RESULTS = 25_000
_MOST_RELATED = 1_000


def sarif(findings: Iterable[Finding], prefix: str) -> bytes:
    """The JSON of a log; `prefix` leads from the repository's root to the tree's, is empty or ends in `/`."""
    found = list(fingerprinted(findings))
    kept = _worst(found)
    codes = sorted({finding.diagnostic.code for finding, _ in kept})
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "envtree", "semanticVersion": __version__, "rules": [*map(_rule, codes)]}},
        # Without the slash at its end, the last part would be taken for the number of the run.
        "automationDetails": {"id": f"envtree/{_uri(prefix)}"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, mark, codes, prefix) for finding, mark in kept],
    }
    if len(kept) < len(found):
        run["invocations"] = [_left_out(len(found) - len(kept))]
    return json_document({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _worst(found: list[tuple[Finding, str]]) -> list[tuple[Finding, str]]:
    """As many as may be in a log, errors before all others, in their order."""
    if len(found) <= _MOST_RESULTS:
        return found
    numbers = sorted(range(len(found)), key=lambda number: _RANKS.index(found[number][0].severity))
    return [found[number] for number in sorted(numbers[:_MOST_RESULTS])]


def _left_out(count: int) -> dict[str, Any]:
    told = f"and {plural(count, 'more finding')}, which a log for code scanning cannot hold"
    notification = {"level": "warning", "message": {"text": told}}
    return {"executionSuccessful": True, "toolExecutionNotifications": [notification]}


def _rule(code: str) -> dict[str, Any]:
    text = page(code)
    return {
        "id": code,
        "shortDescription": {"text": CODES[code].title},
        "fullDescription": {"text": " ".join(text.split("\n\n")[1].split())},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": _LEVELS[CODES[code].severity]},
    }


def _result(finding: Finding, fingerprint: str, codes: Sequence[str], prefix: str) -> dict[str, Any]:
    diagnostic = finding.diagnostic
    related = diagnostic.related[:_MOST_RELATED]
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": codes.index(diagnostic.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join(map(_words, sentences(finding)))},
        "locations": [_location(diagnostic.span, prefix)],
        # GitHub's `primaryLocationLineHash` is left to its action, which computes it from the lines that it sees.
        "partialFingerprints": {"envtree/v1": fingerprint},
        "relatedLocations": [_location(one.span, prefix) | _label(n, one) for n, one in enumerate(related, start=1)],
    }


def _label(number: int, related: Related) -> dict[str, Any]:
    return {"id": number, "message": {"text": _words(related.message)}}


def _words(text: str) -> str:
    # `[words](address)` is a link in a message, and what a file says must not become one.
    return shown(text).replace("](", "\\](")


def _location(span: Span, prefix: str) -> dict[str, Any]:
    # What is about no file has to stand somewhere: a result without a place is not shown.
    path, at = (span.path, span[1:]) if span.path else (ROOT_FILE, START)
    line, column, end_line, end_column = at
    region = {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(from_repository(prefix, path))}, "region": region}}


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))
