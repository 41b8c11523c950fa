"""Findings for programs: one JSON object, as `schema/output/check.schema.json` describes it."""

from typing import Any

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.printable_documents import json_document
from envtree.model.diagnostic import NotChecked, Related, Severity
from envtree.model.span import Span
from envtree.report import Report


def json(report: Report) -> bytes:
    """The JSON of a report."""
    data: dict[str, Any] = {
        "envtree": "1",
        "findings": [finding_data(finding) for finding in report.findings],
        "not_checked": [_not_checked(check) for check in report.skipped()],
        "summary": {
            "agents": report.agents,
            "bundles": len(report.checked),
            "errors": report.count(Severity.ERROR),
            "infos": report.count(Severity.INFO),
            "warnings": report.count(Severity.WARNING),
        },
    }
    if report.differences is not None:
        data["differences"] = list(report.differences)
    return json_document(data)


def finding_data(finding: Finding) -> dict[str, Any]:
    """One finding as JSON data."""
    diagnostic = finding.diagnostic
    span = diagnostic.span
    return _place(span) | {
        "code": diagnostic.code,
        "severity": str(finding.severity),
        "message": _text(diagnostic.message),
        "end_line": span.end_line or None,
        "end_column": span.end_column or None,
        "key": _text(diagnostic.key) or None,
        "hint": _text(diagnostic.hint) or None,
        "related": [_related(related) for related in diagnostic.related],
        "bundles": list(finding.bundles),
    }


def _related(related: Related) -> dict[str, Any]:
    return _place(related.span) | {"message": _text(related.message)}


def _not_checked(check: NotChecked) -> dict[str, Any]:
    place = _place(check.span)
    return {"code": check.code, "path": place["path"], "line": place["line"], "key": _text(check.key) or None}


def _place(span: Span) -> dict[str, Any]:
    return {"path": _text(span.path) or None, "line": span.line or None, "column": span.column or None}


def _text(text: str) -> str:
    # Half a surrogate pair, as a name on disk may hold, has no JSON.
    return text.encode("utf-8", "backslashreplace").decode()
