"""What a run has to say, in the form that the reader wants: findings in, text out."""

from posixpath import normpath
from typing import NamedTuple

from envtree.diagnostics.findings import Finding
from envtree.model.diagnostic import Diagnostic, ReportedError, Severity, SkippedCheck
from envtree.model.span import Span

# A finding about no file: what a Failure or a Refusal is to a program.
NO_SPAN = Span("", 0, 0, 0, 0)


class RunReport(NamedTuple):
    """All that a run found; `checked` are the ids it looked at, `differences` the paths that `--check` found."""

    findings: tuple[Finding, ...] = ()
    not_checked: tuple[SkippedCheck, ...] = ()
    checked_bundles: tuple[str, ...] = ()
    differences: tuple[str, ...] | None = None

    @property
    def agent_count(self) -> int:
        """How many agents were checked."""
        return len({id.partition("@")[0] for id in self.checked_bundles})

    def count(self, severity: Severity) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def skipped_checks(self) -> tuple[SkippedCheck, ...]:
        """The checks that were not made, once each however many bundles there are."""
        return tuple(dict.fromkeys(check._replace(bundle="") for check in self.not_checked))


def error_report(reason: ReportedError) -> RunReport:
    """The report of a run that did not come to its end."""
    diagnostic = Diagnostic(NO_SPAN, reason.code, reason.message, reason.hint)
    return RunReport((Finding(diagnostic, Severity.ERROR, ()),))


def repository_path(prefix: str, path: str) -> str:
    """A path from the root of the repository; `prefix` leads there to that of the tree, and a file may lie above it."""
    return normpath(prefix + path) if path.startswith("../") else prefix + path


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def bundles_phrase(bundles: tuple[str, ...]) -> str:
    """Which bundles show a finding, for people; empty when a file alone does."""
    if len(bundles) > 1:
        return f"in {len(bundles)} bundles, the first '{bundles[0]}'"
    return f"in bundle '{bundles[0]}'" if bundles else ""


def finding_sentences(finding: Finding) -> list[str]:
    """What there is to say of a finding: its message, which bundles show it, and what to do."""
    hint = f"hint: {finding.diagnostic.hint}" if finding.diagnostic.hint else ""
    return [finding.diagnostic.message, *filter(None, (bundles_phrase(finding.bundles), hint))]


def count_summary(report: RunReport) -> str:
    """The number of findings in a few words."""
    counts = {severity: report.count(severity) for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO)}
    return ", ".join(plural(count, severity) for severity, count in counts.items() if count) or "no errors"
