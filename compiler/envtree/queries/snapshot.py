"""Snapshots of a watched tree after each run, and their difference in files, bundles and findings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from envtree.diagnostics.codes import CODES, Scope, is_read_failure
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.fingerprint import fingerprint_findings
from envtree.diagnostics.summary import RunReport, error_report
from envtree.engine.request import RunOutcome
from envtree.frontend.read_files import DocumentCache
from envtree.model.diagnostic import ReportedError, Severity
from envtree.sources.tree import FILE_LIMIT, ReadProblem, TreeWrapper
from envtree.system.disk import MANIFEST_FILE


@dataclass(frozen=True)
class DigestingTree(TreeWrapper):
    """A tree that records the SHA-256 of each file that is read, by path, in `digests`."""

    digests: dict[str, str] = field(default_factory=dict)

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """Read a file, and record its digest."""
        data = self.base.read(path, limit=limit)
        # A manifest is read only to recognise an output folder; it is not a part of the tree.
        if isinstance(data, bytes) and not path.endswith(f"/{MANIFEST_FILE}"):
            self.digests[path] = sha256(data).hexdigest()
        return data


class Snapshot(NamedTuple):
    """A tree after a run: the digests of its files, a comparison value for each of its bundles, and the findings.

    `carried_over` are earlier findings that the last run could not check; `interruption` is the error that stopped it.
    """

    files: Mapping[str, str] = {}
    bundles: Mapping[str, object] = {}
    report: RunReport = RunReport()
    carried_over: tuple[Finding, ...] = ()
    interruption: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All current findings."""
        return (*self.interruption, *self.report.findings, *self.carried_over)


class SnapshotDiff(NamedTuple):
    """Differences between two snapshots: paths of files, the number of bundles, and findings."""

    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed_bundle_count: int
    new_findings: tuple[Finding, ...]
    removed_findings: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return any(self)


def next_snapshot(
    previous: Snapshot, outcome: RunOutcome, files: Mapping[str, str], bundles: Mapping[str, object]
) -> Snapshot:
    """Return the snapshot after a completed run, with the files that it read and the bundles that it made."""
    report = RunReport(outcome.findings, outcome.not_checked, outcome.checked)
    # With an error, a missing bundle may only have failed, and some checks were not made.
    has_errors = any(finding.severity is Severity.ERROR for finding in outcome.findings)
    if not has_errors:
        return Snapshot(files, bundles, report)
    return Snapshot(files, {**previous.bundles, **bundles}, report, tuple(_carried_over_findings(previous, outcome)))


def interrupted(previous: Snapshot, reason: ReportedError, files: Mapping[str, str]) -> Snapshot:
    """Return the snapshot after a run that was stopped: the previous one with the reason, and the files read."""
    return previous._replace(files={**previous.files, **files}, interruption=error_report(reason).findings)


def compare_snapshots(previous: Snapshot, current: Snapshot) -> SnapshotDiff:
    """Compare two snapshots."""
    old_files, new_files = previous.files, current.files
    old_findings, new_findings = _findings_by_fingerprint(previous.findings), _findings_by_fingerprint(current.findings)
    return SnapshotDiff(
        changed=tuple(sorted(path for path in new_files if old_files.get(path, new_files[path]) != new_files[path])),
        added=tuple(sorted(new_files.keys() - old_files.keys())),
        removed=tuple(sorted(old_files.keys() - new_files.keys())),
        changed_bundle_count=sum(
            previous.bundles.get(id) != current.bundles.get(id)
            for id in previous.bundles.keys() | current.bundles.keys()
        ),
        new_findings=tuple(finding for key, finding in new_findings.items() if key not in old_findings),
        removed_findings=tuple(finding for key, finding in old_findings.items() if key not in new_findings),
    )


def evict_stale_documents(cache: DocumentCache, files: Mapping[str, str]) -> None:
    """Remove cached documents whose content no file of the tree has any more."""
    for key in [key for key in cache if files.get(key[0]) != key[2]]:
        del cache[key]


def _carried_over_findings(previous: Snapshot, outcome: RunOutcome) -> Iterable[Finding]:
    """Yield the earlier findings that a run over a tree with errors could not check again."""
    current = _findings_by_fingerprint(outcome.findings)
    unread_files = {
        finding.diagnostic.span.path for finding in outcome.findings if is_read_failure(finding.diagnostic.code)
    }
    unchecked_ids = {*outcome.ids, *previous.bundles} - {*outcome.checked}
    for key, finding in _findings_by_fingerprint((*previous.report.findings, *previous.carried_over)).items():
        diagnostic = finding.diagnostic
        unchecked = CODES[diagnostic.code].scope is Scope.TREE or (
            finding.bundles and unchecked_ids.issuperset(finding.bundles)
        )
        if (
            key not in current
            and finding.severity is not Severity.ERROR
            and (unchecked or diagnostic.span.path in unread_files)
        ):
            yield finding


def _findings_by_fingerprint(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {key: finding for finding, key in fingerprint_findings(findings)}
