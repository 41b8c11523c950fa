"""Findings as GitLab's code quality report."""

from collections.abc import Iterable
from typing import Any

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.fingerprint import fingerprint_findings
from envtree.diagnostics.printable_documents import json_document
from envtree.diagnostics.summary import repository_path
from envtree.model.diagnostic import Severity
from envtree.model.tree_layout import ROOT_FILE, escape_unprintable

_SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info", Severity.OFF: "info"}


def render_gitlab(findings: Iterable[Finding], prefix: str) -> bytes:
    """Return the JSON report; `prefix` is the tree's path in the repository, empty or with a final `/`."""
    return json_document(
        [_issue(finding, fingerprint, prefix) for finding, fingerprint in fingerprint_findings(findings)]
    )


def _issue(finding: Finding, fingerprint: str, prefix: str) -> dict[str, Any]:
    diagnostic = finding.diagnostic
    hint = f" ({diagnostic.hint})" if diagnostic.hint else ""
    return {
        "check_name": diagnostic.code,
        "description": escape_unprintable(diagnostic.message + hint),
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[finding.severity],
        # GitLab requires a path; a finding about no file gets that of the root file.
        "location": {
            "path": escape_unprintable(repository_path(prefix, diagnostic.span.path or ROOT_FILE)),
            "lines": {"begin": max(diagnostic.span.line, 1)},
        },
    }
