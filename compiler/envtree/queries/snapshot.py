"""How a tree stands after one run and after the next: which files, bundles and findings came, changed and went."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from envtree.diagnostics.codes import WHOLE_TREE_CODES, is_read_failure
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
    """A tree, and in `digests` what was read of it: path to the SHA-256 of the content."""

    digests: dict[str, str] = field(default_factory=dict)

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """The bytes of a file."""
        data = self.base.read(path, limit=limit)
        # A manifest is looked at to tell that its folder is an output, and says nothing about the tree.
        if isinstance(data, bytes) and not path.endswith(f"/{MANIFEST_FILE}"):
            self.digests[path] = sha256(data).hexdigest()
        return data


class Snapshot(NamedTuple):
    """How a tree stood: its files by digest, its bundles by what tells two versions apart, and what was found.

    `held` are findings from before that the last run could not look for; `stop` is what kept it from ending.
    """

    files: Mapping[str, str] = {}
    bundles: Mapping[str, object] = {}
    report: RunReport = RunReport()
    carried_over: tuple[Finding, ...] = ()
    interruption: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is known to be wrong."""
        return (*self.interruption, *self.report.findings, *self.carried_over)


class SnapshotDiff(NamedTuple):
    """What one run found otherwise than the one before: paths of files, the number of bundles, findings."""

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
    """How the tree stands after a run that came to its end, with the files it read and the bundles it made."""
    report = RunReport(outcome.findings, outcome.not_checked, outcome.checked)
    # With an error somewhere a bundle that is not there may only be spoiled, and nobody looked for some findings.
    broken = any(finding.severity is Severity.ERROR for finding in outcome.findings)
    if not broken:
        return Snapshot(files, bundles, report)
    return Snapshot(files, {**previous.bundles, **bundles}, report, tuple(_carried_over_findings(previous, outcome)))


def interrupted(previous: Snapshot, reason: ReportedError, files: Mapping[str, str]) -> Snapshot:
    """How it stands after a run that was stopped: as before, but for that."""
    return previous._replace(files={**previous.files, **files}, interruption=error_report(reason).findings)


def compare_snapshots(previous: Snapshot, current: Snapshot) -> SnapshotDiff:
    """What differs."""
    old, new = previous.files, current.files
    known, found = _findings_by_fingerprint(previous.findings), _findings_by_fingerprint(current.findings)
    return SnapshotDiff(
        tuple(sorted(path for path in new if old.get(path, new[path]) != new[path])),
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        sum(
            previous.bundles.get(id) != current.bundles.get(id)
            for id in previous.bundles.keys() | current.bundles.keys()
        ),
        tuple(finding for key, finding in found.items() if key not in known),
        tuple(finding for key, finding in known.items() if key not in found),
    )


def evict_stale_documents(memory: DocumentCache, files: Mapping[str, str]) -> None:
    """Take out of a memory what no file says any more."""
    for key in [key for key in memory if files.get(key[0]) != key[2]]:
        del memory[key]


def _carried_over_findings(previous: Snapshot, outcome: RunOutcome) -> Iterable[Finding]:
    """The findings from before that a run over a broken tree had no way to repeat."""
    found = _findings_by_fingerprint(outcome.findings)
    unread = {one.diagnostic.span.path for one in outcome.findings if is_read_failure(one.diagnostic.code)}
    spoiled = {*outcome.ids, *previous.bundles} - {*outcome.checked}
    for key, finding in _findings_by_fingerprint((*previous.report.findings, *previous.carried_over)).items():
        one = finding.diagnostic
        hidden = one.code in WHOLE_TREE_CODES or (finding.bundles and spoiled.issuperset(finding.bundles))
        if key not in found and finding.severity is not Severity.ERROR and (hidden or one.span.path in unread):
            yield finding


def _findings_by_fingerprint(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {key: finding for finding, key in fingerprint_findings(findings)}
