"""`check --fix`: the findings that can be mended without asking, and what is found once they are.

Every change is tried on a tree in memory first. What would bring up anything new is not made.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from envtree.diagnostics.codes import OVERALL
from envtree.diagnostics.findings import Finding
from envtree.engine.check import check
from envtree.engine.run import Outcome, Request
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Severity
from envtree.refactor.fix.apply import apply
from envtree.refactor.fix.change import Edit, Patched, Rename
from envtree.refactor.fix.diff import diff
from envtree.refactor.fix.plan import MENDABLE, plan, plan_edits, plan_renames
from envtree.refactor.fix.reading import Identity, count, identity

__all__ = ["MENDABLE", "Edit", "Fixed", "Rename", "apply", "diff", "fix", "plan"]

_Change = TypeVar("_Change", Edit, Rename)


class Fixed(NamedTuple):
    """What to do to the tree, what a check will find then, and how many findings will be gone."""

    changes: tuple[Edit | Rename, ...]
    outcome: Outcome
    mended: int


class _State(NamedTuple):
    """A tree and what a check of all of it finds."""

    tree: Patched
    outcome: Outcome


def fix(request: Request) -> Fixed:
    """Mend what is safe to mend, wherever in the tree it is; nothing is written."""
    mender = _Mender(request._replace(selectors=(), within=None, decrypter=None))
    first = state = mender.look(Patched(request.tree))
    while True:
        edited = mender.edited(state)
        state = mender.renamed(edited)
        if state is edited:
            break
    narrowed = request.selectors or request.within or request.decrypter
    outcome = check(request._replace(tree=state.tree)) if narrowed else state.outcome
    mended = _counted(first.outcome.findings) - _counted(state.outcome.findings)
    return Fixed(state.tree.changes(), outcome, mended.total())


class _Mender:
    def __init__(self, request: Request) -> None:
        self._request = request
        self._schemas = Schemas()

    def look(self, tree: Patched) -> _State:
        """Check a tree."""
        return _State(tree, check(self._request._replace(tree=tree)))

    def edited(self, state: _State) -> _State:
        """The tree with all edits that can be made; one may make room for another."""
        while True:
            edits = plan_edits(state.outcome.findings, state.tree, self._schemas)
            better = _adopt(state, edits, self._try_edits)
            if better is state:
                return state
            state = better

    def renamed(self, state: _State) -> _State:
        """The tree with all files renamed that can be, and edited where they have not been read before."""
        return _adopt(state, plan_renames(state.outcome.findings, state.tree), self._try_renames)

    def _try_edits(self, state: _State, edits: Sequence[Edit]) -> _State | None:
        tried = self.look(state.tree.edited(edits))
        return None if _caused(state.outcome, tried.outcome) else tried

    def _try_renames(self, state: _State, renames: Sequence[Rename]) -> _State | None:
        tried = self.edited(self.look(state.tree.renamed(renames)))
        return None if _new(state.outcome, tried.outcome) else tried


def _adopt(
    state: _State, changes: Sequence[_Change], attempt: Callable[[_State, Sequence[_Change]], _State | None]
) -> _State:
    """The state with as many of the changes as can be made: all of them, or what each half allows."""
    if not changes:
        return state
    tried = attempt(state, changes)
    if tried is not None or len(changes) == 1:
        return tried or state
    half = len(changes) // 2
    return _adopt(_adopt(state, changes[:half], attempt), changes[half:], attempt)


def _new(before: Outcome, after: Outcome) -> list[Finding]:
    """The findings that were not there before, wherever their tokens have moved.

    What is said only of a tree without errors was there before, too.
    """
    new = _counted(after.findings) - _counted(before.findings)
    broken = any(finding.severity is Severity.ERROR for finding in before.findings)
    withheld = OVERALL if broken else frozenset()
    found = (finding for finding in after.findings if identity(finding.diagnostic) in new)
    return [finding for finding in found if finding.diagnostic.code not in withheld]


def _caused(before: Outcome, after: Outcome) -> list[Finding]:
    """The new findings that a change is to blame for.

    Over a broken file no bundle is computed. What the bundles show that are computed at last was there before.
    """
    unseen = set(before.ids) - set(before.checked)
    return [finding for finding in _new(before, after) if not (unseen and _was_hidden(finding, unseen))]


def _was_hidden(finding: Finding, unseen: set[str]) -> bool:
    # What is found in merging is told without a bundle.
    return finding.diagnostic.code >= "ET4" and unseen.issuperset(finding.bundles)


def _counted(findings: Sequence[Finding]) -> Counter[Identity]:
    return count(finding.diagnostic for finding in findings)
