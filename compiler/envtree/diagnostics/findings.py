"""Findings as they are told: each mistake once, with its severity and the bundles that show it, sorted by place."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from envtree.diagnostics.codes import CODES
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity, failing_severities
from envtree.model.span import Span
from envtree.model.suppression import Suppressions


class Finding(NamedTuple):
    """A diagnostic with its severity; `bundles` are the ids that show it, empty when a file alone does."""

    diagnostic: Diagnostic
    severity: Severity
    bundles: tuple[str, ...]


class SeverityResolver:
    """The severity of each finding: its code's, unless the organization sets another or the file allows it."""

    def __init__(self, configured: Mapping[str, str], allowances: Suppressions) -> None:
        self._configured = {code: Severity(severity) for code, severity in configured.items()}
        self._allowances = allowances

    def severity_of(self, diagnostic: Diagnostic) -> Severity:
        """The severity of a finding."""
        if not CODES[diagnostic.code].is_fixed and self._allowances.suppresses(diagnostic):
            return Severity.OFF
        return self._configured.get(diagnostic.code, CODES[diagnostic.code].severity)

    def error_paths(self, diagnostics: Iterable[Diagnostic]) -> frozenset[str]:
        """The paths in which an error stands."""
        return frozenset(each.span.path for each in diagnostics if self.severity_of(each) is Severity.ERROR)


class ErrorMonitor:
    """Whether any error, under `strict` any warning, has been reported so far; each diagnostic is looked at once."""

    def __init__(self, diags: Diagnostics, severities: SeverityResolver, *, strict: bool = False) -> None:
        self._diags = diags
        self._severities = severities
        self._failing_severities = failing_severities(strict=strict)
        self._checked_count = 0
        self._has_errors = False

    def has_errors(self) -> bool:
        """Whether there is an error by now."""
        if not self._has_errors and len(self._diags) > self._checked_count:
            new = self._diags.since(self._checked_count)
            self._checked_count = len(self._diags)
            self._has_errors = any(
                self._severities.severity_of(diagnostic) in self._failing_severities for diagnostic in new
            )
        return self._has_errors


def build_findings(diags: Iterable[Diagnostic], severities: SeverityResolver) -> tuple[Finding, ...]:
    """The findings of a run: what many bundles show is one finding, with the hint for the first of them."""
    bundles: dict[Diagnostic, dict[str, str]] = {}
    for diagnostic in diags:
        bundles.setdefault(diagnostic._replace(bundle="", hint=""), {})[diagnostic.bundle] = diagnostic.hint
    found = [_build_finding(each, hints, severities) for each, hints in bundles.items()]
    told = [finding for finding in found if finding.severity is not Severity.OFF]
    wrong = {finding.diagnostic.span for finding in told if finding.severity is Severity.ERROR}
    places = Counter(finding.diagnostic.span for finding in told)
    return tuple(sorted(finding for finding in told if not _is_superseded(finding.diagnostic, wrong, places)))


def _build_finding(diagnostic: Diagnostic, hints: Mapping[str, str], severities: SeverityResolver) -> Finding:
    told = diagnostic._replace(hint=hints[min(hints)])
    return Finding(told, severities.severity_of(told), tuple(sorted(filter(None, hints))))


def _is_superseded(diagnostic: Diagnostic, wrong: Container[Span], places: Mapping[Span, int]) -> bool:
    """Whether a remark is about what has to be written otherwise anyway: in quotes, or in another place."""
    if diagnostic.code == "ET150":
        return diagnostic.span in wrong
    return diagnostic.code == "ET354" and places[diagnostic.span] > 1
