"""Findings as SARIF 2.1.0, which code scanning reads: one run, whose rules contain the pages of their codes."""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

from envtree import __version__
from envtree.diagnostics.codes import CODES
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.fingerprint import fingerprint_findings
from envtree.diagnostics.pages import read_page
from envtree.diagnostics.printable_documents import json_document
from envtree.diagnostics.summary import finding_sentences, plural, repository_path
from envtree.model.diagnostic import RelatedSpan, Severity
from envtree.model.span import FILE_START, Span
from envtree.model.tree_layout import ROOT_FILE, escape_unprintable

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note", Severity.OFF: "none"}
_RANKS = list(_LEVELS)
# GitHub rejects a log with more.
_MAX_RESULTS = 25_000
_MAX_RELATED = 1_000


def render_sarif(findings: Iterable[Finding], prefix: str) -> bytes:
    """Return the JSON log; `prefix` is the tree's path in the repository, empty or with a final `/`."""
    fingerprinted = list(fingerprint_findings(findings))
    selected = _select_worst(fingerprinted)
    codes = sorted({finding.diagnostic.code for finding, _ in selected})
    run: dict[str, Any] = {
        "tool": {"driver": {"name": "envtree", "semanticVersion": __version__, "rules": [*map(_rule, codes)]}},
        # Without a final slash, the last part would be read as the number of the run.
        "automationDetails": {"id": f"envtree/{_uri(prefix)}"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, fingerprint, codes, prefix) for finding, fingerprint in selected],
    }
    if len(selected) < len(fingerprinted):
        run["invocations"] = [_truncation_notice(len(fingerprinted) - len(selected))]
    return json_document({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]})


def _select_worst(fingerprinted_findings: list[tuple[Finding, str]]) -> list[tuple[Finding, str]]:
    """Return as many findings as a log may have, the worst ones, in their order."""
    if len(fingerprinted_findings) <= _MAX_RESULTS:
        return fingerprinted_findings
    indexes = sorted(
        range(len(fingerprinted_findings)), key=lambda index: _RANKS.index(fingerprinted_findings[index][0].severity)
    )
    return [fingerprinted_findings[index] for index in sorted(indexes[:_MAX_RESULTS])]


def _truncation_notice(count: int) -> dict[str, Any]:
    text = f"and {plural(count, 'more finding')}, which a log for code scanning cannot hold"
    notification = {"level": "warning", "message": {"text": text}}
    return {"executionSuccessful": True, "toolExecutionNotifications": [notification]}


def _rule(code: str) -> dict[str, Any]:
    text = read_page(code)
    return {
        "id": code,
        "shortDescription": {"text": CODES[code].title},
        "fullDescription": {"text": " ".join(text.split("\n\n")[1].split())},
        "help": {"text": text, "markdown": text},
        "defaultConfiguration": {"level": _LEVELS[CODES[code].severity]},
    }


def _result(finding: Finding, fingerprint: str, codes: Sequence[str], prefix: str) -> dict[str, Any]:
    diagnostic = finding.diagnostic
    related = diagnostic.related[:_MAX_RELATED]
    return {
        "ruleId": diagnostic.code,
        "ruleIndex": codes.index(diagnostic.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join(map(_escape_message, finding_sentences(finding)))},
        "locations": [_location(diagnostic.span, prefix)],
        # GitHub's action computes `primaryLocationLineHash` from the lines that it sees.
        "partialFingerprints": {"envtree/v1": fingerprint},
        "relatedLocations": [
            _location(related_span.span, prefix) | _related_label(number, related_span)
            for number, related_span in enumerate(related, start=1)
        ],
    }


def _related_label(number: int, related: RelatedSpan) -> dict[str, Any]:
    return {"id": number, "message": {"text": _escape_message(related.message)}}


def _escape_message(text: str) -> str:
    # `[text](address)` is a link in a message; text of a file must not become one.
    return escape_unprintable(text).replace("](", "\\](")


def _location(span: Span, prefix: str) -> dict[str, Any]:
    # A result without a location is not shown, so a finding about no file gets that of the root file.
    path, position = (span.path, span[1:]) if span.path else (ROOT_FILE, FILE_START)
    line, column, end_line, end_column = position
    region = {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}
    return {"physicalLocation": {"artifactLocation": {"uri": _uri(repository_path(prefix, path))}, "region": region}}


def _uri(path: str) -> str:
    return quote(path.encode("utf-8", "surrogateescape"))
