"""Findings for reports: deduplicated over bundles, with their severity and bundles, sorted by position."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from envtree.diagnostics.codes import CODES
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity, failing_severities
from envtree.model.span import Span
from envtree.model.suppression import Suppressions


class Finding(NamedTuple):
    """A diagnostic with its severity; `bundles` are the ids that show it, empty if it is about a file only."""

    diagnostic: Diagnostic
    severity: Severity
    bundles: tuple[str, ...]


class SeverityResolver:
    """Determines severities: that of the code, unless the organization sets another or a file allows the finding."""

    def __init__(self, configured: Mapping[str, str], suppressions: Suppressions) -> None:
        self._configured = {code: Severity(severity) for code, severity in configured.items()}
        self._suppressions = suppressions

    def severity_of(self, diagnostic: Diagnostic) -> Severity:
        """Return the severity of a finding."""
        if not CODES[diagnostic.code].is_fixed and self._suppressions.suppresses(diagnostic):
            return Severity.OFF
        return self._configured.get(diagnostic.code, CODES[diagnostic.code].severity)

    def error_paths(self, diagnostics: Iterable[Diagnostic]) -> frozenset[str]:
        """Return the paths of the files with an error."""
        return frozenset(
            diagnostic.span.path for diagnostic in diagnostics if self.severity_of(diagnostic) is Severity.ERROR
        )


class ErrorMonitor:
    """Tracks whether an error, with `strict` also a warning, has been reported; examines each diagnostic once."""

    def __init__(self, diags: Diagnostics, severities: SeverityResolver, *, strict: bool = False) -> None:
        self._diags = diags
        self._severities = severities
        self._failing_severities = failing_severities(strict=strict)
        self._checked_count = 0
        self._has_errors = False

    def has_errors(self) -> bool:
        """Report whether there is an error so far."""
        if not self._has_errors and len(self._diags) > self._checked_count:
            new = self._diags.since(self._checked_count)
            self._checked_count = len(self._diags)
            self._has_errors = any(
                self._severities.severity_of(diagnostic) in self._failing_severities for diagnostic in new
            )
        return self._has_errors


def build_findings(diags: Iterable[Diagnostic], severities: SeverityResolver) -> tuple[Finding, ...]:
    """Return the findings of a run; a diagnostic of several bundles is one finding, with the first bundle's hint."""
    hints_by_bundle: dict[Diagnostic, dict[str, str]] = {}
    for diagnostic in diags:
        hints_by_bundle.setdefault(diagnostic._replace(bundle="", hint=""), {})[diagnostic.bundle] = diagnostic.hint
    findings = [_build_finding(diagnostic, hints, severities) for diagnostic, hints in hints_by_bundle.items()]
    enabled = [finding for finding in findings if finding.severity is not Severity.OFF]
    error_spans = {finding.diagnostic.span for finding in enabled if finding.severity is Severity.ERROR}
    counts = Counter(finding.diagnostic.span for finding in enabled)
    return tuple(sorted(finding for finding in enabled if not _is_superseded(finding.diagnostic, error_spans, counts)))


def _build_finding(diagnostic: Diagnostic, hints: Mapping[str, str], severities: SeverityResolver) -> Finding:
    diagnostic = diagnostic._replace(hint=hints[min(hints)])
    return Finding(diagnostic, severities.severity_of(diagnostic), tuple(sorted(filter(None, hints))))


def _is_superseded(diagnostic: Diagnostic, error_spans: Container[Span], counts: Mapping[Span, int]) -> bool:
    """Report whether another finding already requires the value to be quoted (ET150) or moved (ET354)."""
    if diagnostic.code == "ET150":
        return diagnostic.span in error_spans
    return diagnostic.code == "ET354" and counts[diagnostic.span] > 1
