"""`check --fix`: correct what is safe to correct, and check the corrected tree.

Every change is first tried on a tree in memory, and dropped if it would cause a new finding.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from envtree.diagnostics.codes import CODES, Scope
from envtree.diagnostics.findings import Finding
from envtree.engine.check import check
from envtree.engine.request import Request, RunOutcome
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Severity
from envtree.refactor.fix.file_changes import FileEdit, FileRename, PatchedTree
from envtree.refactor.fix.parsed_file import FindingIdentity, count_by_identity, finding_identity
from envtree.refactor.fix.plan_changes import plan_changes, plan_edits, plan_renames
from envtree.refactor.fix.render_diff import render_diff
from envtree.refactor.fix.write_changes import write_changes

__all__ = [
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
    """The changes to make, the outcome of a check after them, and the number of findings that they correct."""

    changes: tuple[FileEdit | FileRename, ...]
    outcome: RunOutcome
    fixed_count: int


class _CheckedTree(NamedTuple):
    """A tree and the outcome of a check of all of it."""

    tree: PatchedTree
    outcome: RunOutcome


def fix(request: Request) -> FixResult:
    """Correct what is safe to correct anywhere in the tree, in memory; nothing is written."""
    fixer = _Fixer(request._replace(selectors=(), restrict_ids=None, decrypter=None))
    first = state = fixer.check_tree(PatchedTree(request.tree))
    while True:
        edited = fixer.apply_edits(state)
        state = fixer.apply_renames(edited)
        if state is edited:
            break
    is_narrowed = request.selectors or request.restrict_ids or request.decrypter
    outcome = check(request._replace(tree=state.tree)) if is_narrowed else state.outcome
    fixed = _finding_counts(first.outcome.findings) - _finding_counts(state.outcome.findings)
    return FixResult(state.tree.changes(), outcome, fixed.total())


class _Fixer:
    """A check of the tree in memory that is repeated after each attempted change."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._schemas = Schemas()

    def check_tree(self, tree: PatchedTree) -> _CheckedTree:
        """Check all of a tree."""
        return _CheckedTree(tree, check(self._request._replace(tree=tree)))

    def apply_edits(self, state: _CheckedTree) -> _CheckedTree:
        """Return the tree with all possible edits; repeated, since one edit may make another possible."""
        while True:
            edits = plan_edits(state.outcome.findings, state.tree, self._schemas)
            improved = _apply_by_bisection(state, edits, self._try_edits)
            if improved is state:
                return state
            state = improved

    def apply_renames(self, state: _CheckedTree) -> _CheckedTree:
        """Return the tree with all possible renames, and with edits of the files that can only now be read."""
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
    """Return the state after as many of the changes as possible: all of them, or those that each half allows."""
    if not changes:
        return state
    tried = attempt(state, changes)
    if tried is not None or len(changes) == 1:
        return tried or state
    middle = len(changes) // 2
    return _apply_by_bisection(_apply_by_bisection(state, changes[:middle], attempt), changes[middle:], attempt)


def _new_findings(before: RunOutcome, after: RunOutcome) -> list[Finding]:
    """Return the findings of `after` that `before` does not have, wherever their tokens have moved.

    Findings that are only reported for a tree without errors do not count as new if there were errors before.
    """
    new = _finding_counts(after.findings) - _finding_counts(before.findings)
    had_errors = any(finding.severity is Severity.ERROR for finding in before.findings)
    candidates = (finding for finding in after.findings if finding_identity(finding.diagnostic) in new)
    return [finding for finding in candidates if not (had_errors and _is_about_tree(finding))]


def _is_about_tree(finding: Finding) -> bool:
    return CODES[finding.diagnostic.code].scope is Scope.TREE


def _caused_findings(before: RunOutcome, after: RunOutcome) -> list[Finding]:
    """Return the new findings that a change has caused.

    Bundles of a broken file are not computed. Findings in bundles that are computed for the first time after a change
    existed before it.
    """
    unchecked = set(before.ids) - set(before.checked)
    return [finding for finding in _new_findings(before, after) if not (unchecked and _was_hidden(finding, unchecked))]


def _was_hidden(finding: Finding, unchecked: set[str]) -> bool:
    # Findings of the merge name no bundle.
    return finding.diagnostic.code >= "ET4" and unchecked.issuperset(finding.bundles)


def _finding_counts(findings: Sequence[Finding]) -> Counter[FindingIdentity]:
    return count_by_identity(finding.diagnostic for finding in findings)
