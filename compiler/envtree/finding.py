"""Findings as they are told: each mistake once, with its severity and the bundles that show it, sorted by place."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from envtree.codes import CODES
from envtree.diagnostic import Diagnostic, Diagnostics, Severity


class Finding(NamedTuple):
    """A diagnostic with its severity; `bundles` are the ids that show it, empty when a file alone does."""

    diagnostic: Diagnostic
    severity: Severity
    bundles: tuple[str, ...]


class Severities:
    """The severity of each code: the register's, unless the organization sets another."""

    def __init__(self, configured: Mapping[str, str] | None = None) -> None:
        self._configured = {code: Severity(severity) for code, severity in (configured or {}).items()}

    def of(self, code: str) -> Severity:
        """The severity of a code."""
        return self._configured.get(code, CODES[code].severity)

    def errors(self, diagnostics: Iterable[Diagnostic]) -> frozenset[str]:
        """The paths in which an error stands."""
        return frozenset(d.span.path for d in diagnostics if self.of(d.code) is Severity.ERROR)


class ErrorWatch:
    """Whether any error, under `strict` any warning, has been reported so far; each diagnostic is looked at once."""

    def __init__(self, diags: Diagnostics, severities: Severities, *, strict: bool = False) -> None:
        self._diags = diags
        self._severities = severities
        self._grave = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
        self._seen = 0
        self._found = False

    def found(self) -> bool:
        """Whether there is an error by now."""
        if not self._found and len(self._diags) > self._seen:
            new = self._diags.since(self._seen)
            self._seen = len(self._diags)
            self._found = any(self._severities.of(diagnostic.code) in self._grave for diagnostic in new)
        return self._found


def settle(diags: Iterable[Diagnostic], severities: Severities) -> tuple[Finding, ...]:
    """The findings of a run: what many bundles show is one finding."""
    bundles: dict[Diagnostic, dict[str, None]] = {}
    for diagnostic in diags:
        shown = bundles.setdefault(diagnostic._replace(bundle=""), {})
        if diagnostic.bundle:
            shown[diagnostic.bundle] = None
    found = (Finding(each, severities.of(each.code), tuple(sorted(ids))) for each, ids in bundles.items())
    return tuple(sorted(finding for finding in found if finding.severity is not Severity.OFF))
