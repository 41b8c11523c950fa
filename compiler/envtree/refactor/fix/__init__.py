"""`check --fix`: the findings that can be mended without asking, and what is found once they are.

Every change is tried on a tree in memory first. What would bring up anything new is not made.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from envtree.diagnostics.codes import WHOLE_TREE_CODES
from envtree.diagnostics.findings import Finding
from envtree.engine.check import check
from envtree.engine.request import Request, RunOutcome
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Severity
from envtree.refactor.fix.file_changes import FileEdit, FileRename, PatchedTree
from envtree.refactor.fix.parsed_file import FindingIdentity, count_by_identity, finding_identity
from envtree.refactor.fix.plan_changes import FIXABLE_CODES, plan_changes, plan_edits, plan_renames
from envtree.refactor.fix.render_diff import render_diff
from envtree.refactor.fix.write_changes import write_changes

__all__ = [
    "FIXABLE_CODES",
    "FileEdit",
    "FileRename",
    "FixResult",
    "fix",
    "plan_changes",
    "render_diff",
    "write_changes",
]

_ChangeT = TypeVar("_ChangeT", FileEdit, FileRename)


class FixResult(NamedTuple):
    """What to do to the tree, what a check will find then, and how many findings will be gone."""

    changes: tuple[FileEdit | FileRename, ...]
    outcome: RunOutcome
    fixed_count: int


class _CheckedTree(NamedTuple):
    """A tree and what a check of all of it finds."""

    tree: PatchedTree
    outcome: RunOutcome


def fix(request: Request) -> FixResult:
    """Mend what is safe to mend, wherever in the tree it is; nothing is written."""
    mender = _Fixer(request._replace(selectors=(), restrict_ids=None, decrypter=None))
    first = state = mender.check_tree(PatchedTree(request.tree))
    while True:
        edited = mender.apply_edits(state)
        state = mender.apply_renames(edited)
        if state is edited:
            break
    narrowed = request.selectors or request.restrict_ids or request.decrypter
    outcome = check(request._replace(tree=state.tree)) if narrowed else state.outcome
    mended = _finding_counts(first.outcome.findings) - _finding_counts(state.outcome.findings)
    return FixResult(state.tree.changes(), outcome, mended.total())


class _Fixer:
    def __init__(self, request: Request) -> None:
        self._request = request
        self._schemas = Schemas()

    def check_tree(self, tree: PatchedTree) -> _CheckedTree:
        """Check a tree."""
        return _CheckedTree(tree, check(self._request._replace(tree=tree)))

    def apply_edits(self, state: _CheckedTree) -> _CheckedTree:
        """The tree with all edits that can be made; one may make room for another."""
        while True:
            edits = plan_edits(state.outcome.findings, state.tree, self._schemas)
            better = _apply_by_bisection(state, edits, self._try_edits)
            if better is state:
                return state
            state = better

    def apply_renames(self, state: _CheckedTree) -> _CheckedTree:
        """The tree with all files renamed that can be, and edited where they have not been read before."""
        return _apply_by_bisection(state, plan_renames(state.outcome.findings, state.tree), self._try_renames)

    def _try_edits(self, state: _CheckedTree, edits: Sequence[FileEdit]) -> _CheckedTree | None:
        tried = self.check_tree(state.tree.with_edits(edits))
        return None if _caused_findings(state.outcome, tried.outcome) else tried

    def _try_renames(self, state: _CheckedTree, renames: Sequence[FileRename]) -> _CheckedTree | None:
        tried = self.apply_edits(self.check_tree(state.tree.with_renames(renames)))
        return None if _new_findings(state.outcome, tried.outcome) else tried


def _apply_by_bisection(
    state: _CheckedTree,
    changes: Sequence[_ChangeT],
    attempt: Callable[[_CheckedTree, Sequence[_ChangeT]], _CheckedTree | None],
) -> _CheckedTree:
    """The state with as many of the changes as can be made: all of them, or what each half allows."""
    if not changes:
        return state
    tried = attempt(state, changes)
    if tried is not None or len(changes) == 1:
        return tried or state
    half = len(changes) // 2
    return _apply_by_bisection(_apply_by_bisection(state, changes[:half], attempt), changes[half:], attempt)


def _new_findings(before: RunOutcome, after: RunOutcome) -> list[Finding]:
    """The findings that were not there before, wherever their tokens have moved.

    What is said only of a tree without errors was there before, too.
    """
    new = _finding_counts(after.findings) - _finding_counts(before.findings)
    broken = any(finding.severity is Severity.ERROR for finding in before.findings)
    withheld = WHOLE_TREE_CODES if broken else frozenset()
    found = (finding for finding in after.findings if finding_identity(finding.diagnostic) in new)
    return [finding for finding in found if finding.diagnostic.code not in withheld]


def _caused_findings(before: RunOutcome, after: RunOutcome) -> list[Finding]:
    """The new findings that a change is to blame for.

    Over a broken file no bundle is computed. What the bundles show that are computed at last was there before.
    """
    unseen = set(before.ids) - set(before.checked)
    return [finding for finding in _new_findings(before, after) if not (unseen and _was_hidden(finding, unseen))]


def _was_hidden(finding: Finding, unseen: set[str]) -> bool:
    # What is found in merging is told without a bundle.
    return finding.diagnostic.code >= "ET4" and unseen.issuperset(finding.bundles)


def _finding_counts(findings: Sequence[Finding]) -> Counter[FindingIdentity]:
    return count_by_identity(finding.diagnostic for finding in findings)
