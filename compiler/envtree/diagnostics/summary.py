"""The report of a run, and the phrases that all text formats use for findings."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from posixpath import normpath
from typing import NamedTuple

from envtree.diagnostics.codes import CODES
from envtree.diagnostics.findings import Finding
from envtree.model.diagnostic import Diagnostic, ReportedError, Severity, SkippedCheck
from envtree.model.span import Span

# The span of a finding about no file, such as a `MachineError` or `RefusedError` in JSON output.
NO_SPAN = Span("", 0, 0, 0, 0)


class RunReport(NamedTuple):
    """The results of a run; `checked_bundles` are ids, `differences` the paths that `--check` found to differ.

    With `counts_codes`, text shows how many findings each code has instead of the findings, and JSON has both.
    """

    findings: tuple[Finding, ...] = ()
    not_checked: tuple[SkippedCheck, ...] = ()
    checked_bundles: tuple[str, ...] = ()
    differences: tuple[str, ...] | None = None
    counts_codes: bool = False

    @property
    def agent_count(self) -> int:
        """The number of agents that were checked."""
        return len({id.partition("@")[0] for id in self.checked_bundles})

    def count(self, severity: Severity) -> int:
        """Return the number of findings of a severity."""
        return sum(finding.severity is severity for finding in self.findings)

    def skipped_checks(self) -> tuple[SkippedCheck, ...]:
        """Return the skipped checks, each once for all bundles."""
        return tuple(dict.fromkeys(check._replace(bundle="") for check in self.not_checked))


def error_report(error: ReportedError) -> RunReport:
    """Return the report of a run that was aborted by an error."""
    diagnostic = Diagnostic(NO_SPAN, error.code, error.message, error.hint)
    return RunReport((Finding(diagnostic, Severity.ERROR, ()),))


@dataclass(frozen=True, slots=True)
class CodeCount:
    """How many findings a code has; `fixable` means that `--fix` may correct them."""

    code: str
    severity: Severity
    count: int
    fixable: bool
    title: str


def count_by_code(findings: Iterable[Finding]) -> list[CodeCount]:
    """Return the number of findings of each code, the most frequent first."""
    counts = Counter((finding.diagnostic.code, finding.severity) for finding in findings)
    return [
        CodeCount(code, severity, count, CODES[code].fixable, CODES[code].title)
        for (code, severity), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def repository_path(prefix: str, path: str) -> str:
    """Return a path relative to the root of the repository.

    `prefix` is the path from there to the root of the tree; `path` is relative to the tree and may begin with `../`.
    """
    return normpath(prefix + path) if path.startswith("../") else prefix + path


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: `1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def bundles_phrase(bundles: tuple[str, ...]) -> str:
    """Describe the bundles that show a finding; empty for a finding about a file only."""
    if len(bundles) > 1:
        return f"in {len(bundles)} bundles, the first '{bundles[0]}'"
    return f"in bundle '{bundles[0]}'" if bundles else ""


def finding_sentences(finding: Finding) -> list[str]:
    """Return the message of a finding, the bundles that show it, and its hint."""
    hint = f"hint: {finding.diagnostic.hint}" if finding.diagnostic.hint else ""
    return [finding.diagnostic.message, *filter(None, (bundles_phrase(finding.bundles), hint))]


def count_summary(report: RunReport) -> str:
    """Describe the number of findings by severity."""
    counts = {severity: report.count(severity) for severity in (Severity.ERROR, Severity.WARNING, Severity.INFO)}
    return ", ".join(plural(count, severity) for severity, count in counts.items() if count) or "no errors"
