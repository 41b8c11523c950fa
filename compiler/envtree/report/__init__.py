"""What a run has to say, in the form that the reader wants: findings in, text out."""

from posixpath import normpath
from typing import NamedTuple

from envtree.diagnostics.findings import Finding
from envtree.model.diagnostic import Diagnostic, NotChecked, ReportedError, Severity
from envtree.model.span import Span

# A finding about no file: what a Failure or a Refusal is to a program.
NOWHERE = Span("", 0, 0, 0, 0)


class Report(NamedTuple):
    """All that a run found; `checked` are the ids it looked at, `differences` the paths that `--check` found."""

    findings: tuple[Finding, ...] = ()
    not_checked: tuple[NotChecked, ...] = ()
    checked: tuple[str, ...] = ()
    differences: tuple[str, ...] | None = None

    @property
    def agents(self) -> int:
        """How many agents were checked."""
        return len({id.partition("@")[0] for id in self.checked})

    def count(self, severity: Severity) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def skipped(self) -> tuple[NotChecked, ...]:
        """The checks that were not made, once each however many bundles there are."""
        return tuple(dict.fromkeys(check._replace(bundle="") for check in self.not_checked))


def stopped(reason: ReportedError) -> Report:
    """The report of a run that did not come to its end."""
    diagnostic = Diagnostic(NOWHERE, reason.code, reason.message, reason.hint)
    return Report((Finding(diagnostic, Severity.ERROR, ()),))


def from_repository(prefix: str, path: str) -> str:
    """A path from the root of the repository; `prefix` leads there to that of the tree, and a file may lie above it."""
    return normpath(prefix + path) if path.startswith("../") else prefix + path


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def shown_in(bundles: tuple[str, ...]) -> str:
    """Which bundles show a finding, for people; empty when a file alone does."""
    if len(bundles) > 1:
        return f"in {len(bundles)} bundles, the first '{bundles[0]}'"
    return f"in bundle '{bundles[0]}'" if bundles else ""


def sentences(finding: Finding) -> list[str]:
    """What there is to say of a finding: its message, which bundles show it, and what to do."""
    hint = f"hint: {finding.diagnostic.hint}" if finding.diagnostic.hint else ""
    return [finding.diagnostic.message, *filter(None, (shown_in(finding.bundles), hint))]


def tally(report: Report) -> str:
    """The number of findings in a few words."""
    counts = {severity: report.count(severity) for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO)}
    return ", ".join(plural(count, severity) for severity, count in counts.items() if count) or "no errors"
