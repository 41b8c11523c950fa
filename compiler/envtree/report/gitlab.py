"""Findings as GitLab's code quality report."""

from collections.abc import Iterable
from typing import Any

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.fingerprint import fingerprinted
from envtree.diagnostics.printable_documents import json_document
from envtree.model.diagnostic import Severity
from envtree.model.tree_layout import ROOT_FILE, shown
from envtree.report import from_repository

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info", Severity.OFF: "info"}


def gitlab(findings: Iterable[Finding], prefix: str) -> bytes:
    """The JSON of a report; `prefix` leads from the repository's root to the tree's."""
    return json_document([_issue(finding, mark, prefix) for finding, mark in fingerprinted(findings)])


def _issue(finding: Finding, fingerprint: str, prefix: str) -> dict[str, Any]:
    diagnostic = finding.diagnostic
    hint = f" ({diagnostic.hint})" if diagnostic.hint else ""
    return {
        "check_name": diagnostic.code,
        "description": shown(diagnostic.message + hint),
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[finding.severity],
        # What is about no file has to stand somewhere.
        "location": {
            "path": shown(from_repository(prefix, diagnostic.span.path or ROOT_FILE)),
            "lines": {"begin": max(diagnostic.span.line, 1)},
        },
    }
