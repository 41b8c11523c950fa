"""Findings as JSON, in the form of `schema/output/check.schema.json`."""

from dataclasses import asdict
from typing import Any

from envtree.diagnostics.findings import Finding
from envtree.diagnostics.printable_documents import json_document
from envtree.diagnostics.summary import RunReport, count_by_code
from envtree.model.diagnostic import RelatedSpan, Severity, SkippedCheck
from envtree.model.span import Span


def report_to_json(report: RunReport) -> bytes:
    """Encode a report as JSON."""
    data: dict[str, Any] = {
        "envtree": "1",
        "findings": [finding_data(finding) for finding in report.findings],
        "not_checked": [_skipped_check_data(check) for check in report.skipped_checks()],
        "summary": {
            "agents": report.agent_count,
            "bundles": len(report.checked_bundles),
            "errors": report.count(Severity.ERROR),
            "infos": report.count(Severity.INFO),
            "warnings": report.count(Severity.WARNING),
        },
    }
    if report.differences is not None:
        data["differences"] = list(report.differences)
    if report.counts_codes:
        data["statistics"] = [asdict(entry) for entry in count_by_code(report.findings)]
    return json_document(data)


def finding_data(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON data."""
    diagnostic = finding.diagnostic
    span = diagnostic.span
    return _span_data(span) | {
        "code": diagnostic.code,
        "severity": str(finding.severity),
        "message": _escape_surrogates(diagnostic.message),
        "end_line": span.end_line or None,
        "end_column": span.end_column or None,
        "key": _escape_surrogates(diagnostic.key) or None,
        "hint": _escape_surrogates(diagnostic.hint) or None,
        "related": [_related_data(related) for related in diagnostic.related],
        "bundles": list(finding.bundles),
    }


def _related_data(related: RelatedSpan) -> dict[str, Any]:
    return _span_data(related.span) | {"message": _escape_surrogates(related.message)}


def _skipped_check_data(check: SkippedCheck) -> dict[str, Any]:
    location = _span_data(check.span)
    return {
        "code": check.code,
        "path": location["path"],
        "line": location["line"],
        "key": _escape_surrogates(check.key) or None,
    }


def _span_data(span: Span) -> dict[str, Any]:
    return {"path": _escape_surrogates(span.path) or None, "line": span.line or None, "column": span.column or None}


def _escape_surrogates(text: str) -> str:
    # Lone surrogates, which a file name may contain, cannot be encoded as JSON.
    return text.encode("utf-8", "backslashreplace").decode()
