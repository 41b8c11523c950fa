"""Findings as they are told: each mistake once, with its severity and the bundles that show it, sorted by place."""

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from typing import NamedTuple

from envtree.diagnostics.codes import CODES
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity, grave
from envtree.model.span import Span
from envtree.model.suppression import Allowances


class Finding(NamedTuple):
    """A diagnostic with its severity; `bundles` are the ids that show it, empty when a file alone does."""

    diagnostic: Diagnostic
    severity: Severity
    bundles: tuple[str, ...]


class Severities:
    """The severity of each finding: its code's, unless the organization sets another or the file allows it."""

    def __init__(self, configured: Mapping[str, str], allowances: Allowances) -> None:
        self._configured = {code: Severity(severity) for code, severity in configured.items()}
        self._allowances = allowances

    def of(self, diagnostic: Diagnostic) -> Severity:
        """The severity of a finding."""
        if not CODES[diagnostic.code].fixed and self._allowances.covers(diagnostic):
            return Severity.OFF
        return self._configured.get(diagnostic.code, CODES[diagnostic.code].severity)

    def errors(self, diagnostics: Iterable[Diagnostic]) -> frozenset[str]:
        """The paths in which an error stands."""
        return frozenset(each.span.path for each in diagnostics if self.of(each) is Severity.ERROR)


class ErrorWatch:
    """Whether any error, under `strict` any warning, has been reported so far; each diagnostic is looked at once."""

    def __init__(self, diags: Diagnostics, severities: Severities, *, strict: bool = False) -> None:
        self._diags = diags
        self._severities = severities
        self._grave = grave(strict=strict)
        self._seen = 0
        self._found = False

    def found(self) -> bool:
        """Whether there is an error by now."""
        if not self._found and len(self._diags) > self._seen:
            new = self._diags.since(self._seen)
            self._seen = len(self._diags)
            self._found = any(self._severities.of(diagnostic) in self._grave for diagnostic in new)
        return self._found


def settle(diags: Iterable[Diagnostic], severities: Severities) -> tuple[Finding, ...]:
    """The findings of a run: what many bundles show is one finding, with the hint for the first of them."""
    bundles: dict[Diagnostic, dict[str, str]] = {}
    for diagnostic in diags:
        bundles.setdefault(diagnostic._replace(bundle="", hint=""), {})[diagnostic.bundle] = diagnostic.hint
    found = [_finding(each, hints, severities) for each, hints in bundles.items()]
    told = [finding for finding in found if finding.severity is not Severity.OFF]
    wrong = {finding.diagnostic.span for finding in told if finding.severity is Severity.ERROR}
    places = Counter(finding.diagnostic.span for finding in told)
    return tuple(sorted(finding for finding in told if not _is_idle(finding.diagnostic, wrong, places)))


def _finding(diagnostic: Diagnostic, hints: Mapping[str, str], severities: Severities) -> Finding:
    told = diagnostic._replace(hint=hints[min(hints)])
    return Finding(told, severities.of(told), tuple(sorted(filter(None, hints))))


def _is_idle(diagnostic: Diagnostic, wrong: Container[Span], places: Mapping[Span, int]) -> bool:
    """Whether a remark is about what has to be written otherwise anyway: in quotes, or in another place."""
    if diagnostic.code == "ET150":
        return diagnostic.span in wrong
    return diagnostic.code == "ET354" and places[diagnostic.span] > 1
