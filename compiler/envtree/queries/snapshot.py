"""How a tree stands after one run and after the next: which files, bundles and findings came, changed and went."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from envtree.diagnostics.codes import OVERALL, is_unread
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.fingerprint import fingerprinted
from envtree.engine.run import Outcome
from envtree.frontend.read_files import Memory
from envtree.model.diagnostic import ReportedError, Severity
from envtree.report import Report, stopped
from envtree.sources.tree import FILE_LIMIT, Refusal, TreeOver
from envtree.system.disk import MANIFEST


@dataclass(frozen=True)
class Noted(TreeOver):
    """A tree, and in `digests` what was read of it: path to the SHA-256 of the content."""

    digests: dict[str, str] = field(default_factory=dict)

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | Refusal:
        """The bytes of a file."""
        data = self.base.read(path, limit=limit)
        # A manifest is looked at to tell that its folder is an output, and says nothing about the tree.
        if isinstance(data, bytes) and not path.endswith(f"/{MANIFEST}"):
            self.digests[path] = sha256(data).hexdigest()
        return data


class Standing(NamedTuple):
    """How a tree stood: its files by digest, its bundles by what tells two versions apart, and what was found.

    `held` are findings from before that the last run could not look for; `stop` is what kept it from ending.
    """

    files: Mapping[str, str] = {}
    bundles: Mapping[str, object] = {}
    report: Report = Report()
    held: tuple[Finding, ...] = ()
    stop: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All that is known to be wrong."""
        return (*self.stop, *self.report.findings, *self.held)


class Change(NamedTuple):
    """What one run found otherwise than the one before: paths of files, the number of bundles, findings."""

    changed: tuple[str, ...]
    added: tuple[str, ...]
    removed: tuple[str, ...]
    bundles: int
    new: tuple[Finding, ...]
    gone: tuple[Finding, ...]

    def __bool__(self) -> bool:
        return any(self)


def after(before: Standing, outcome: Outcome, files: Mapping[str, str], bundles: Mapping[str, object]) -> Standing:
    """How the tree stands after a run that came to its end, with the files it read and the bundles it made."""
    report = Report(outcome.findings, outcome.not_checked, outcome.checked)
    # With an error somewhere a bundle that is not there may only be spoiled, and nobody looked for some findings.
    broken = any(finding.severity is Severity.ERROR for finding in outcome.findings)
    if not broken:
        return Standing(files, bundles, report)
    return Standing(files, {**before.bundles, **bundles}, report, tuple(_unseen(before, outcome)))


def halted(before: Standing, reason: ReportedError, files: Mapping[str, str]) -> Standing:
    """How it stands after a run that was stopped: as before, but for that."""
    return before._replace(files={**before.files, **files}, stop=stopped(reason).findings)


def since(before: Standing, now: Standing) -> Change:
    """What differs."""
    old, new = before.files, now.files
    known, found = _known(before.findings), _known(now.findings)
    return Change(
        tuple(sorted(path for path in new if old.get(path, new[path]) != new[path])),
        tuple(sorted(new.keys() - old.keys())),
        tuple(sorted(old.keys() - new.keys())),
        sum(before.bundles.get(id) != now.bundles.get(id) for id in before.bundles.keys() | now.bundles.keys()),
        tuple(finding for key, finding in found.items() if key not in known),
        tuple(finding for key, finding in known.items() if key not in found),
    )


def forget(memory: Memory, files: Mapping[str, str]) -> None:
    """Take out of a memory what no file says any more."""
    for key in [key for key in memory if files.get(key[0]) != key[2]]:
        del memory[key]


def _unseen(before: Standing, outcome: Outcome) -> Iterable[Finding]:
    """The findings from before that a run over a broken tree had no way to repeat."""
    found = _known(outcome.findings)
    unread = {one.diagnostic.span.path for one in outcome.findings if is_unread(one.diagnostic.code)}
    spoiled = {*outcome.ids, *before.bundles} - {*outcome.checked}
    for key, finding in _known((*before.report.findings, *before.held)).items():
        one = finding.diagnostic
        hidden = one.code in OVERALL or (finding.bundles and spoiled.issuperset(finding.bundles))
        if key not in found and finding.severity is not Severity.ERROR and (hidden or one.span.path in unread):
            yield finding


def _known(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {key: finding for finding, key in fingerprinted(findings)}
