"""Two trees to compare, each known by one run or by many: the scope of the comparison, and their findings."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from envtree.diagnostics.codes import CODES, Scope
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.fingerprint import fingerprint_findings
from envtree.engine.request import Request, RunOutcome
from envtree.model.tree_layout import ROOT_FILE
from envtree.model.workspace import Workspace

_ENVIRONMENT_TYPES = ("production", "staging", "development")


class LabelledTree(NamedTuple):
    """A tree to run over, with the user's name for it, and its commit if it has one."""

    name: str
    request: Request
    commit: str = ""


class ComparisonScope(NamedTuple):
    """The inputs that either tree declares, and the ids of all bundles.

    `inputs` is None if the head has no organization; with errors `ids` is empty.
    """

    inputs: frozenset[str] | None
    ids: frozenset[str]


def declared_inputs(base: Workspace | None, head: Workspace | None) -> frozenset[str] | None:
    """Return the inputs that either tree declares, or None without a head."""
    return (
        frozenset(name for workspace in (base, head) if workspace for name in workspace.organization.inputs)
        if head
        else None
    )


def rank_environments(types: Iterable[Mapping[str, str]], ids: Iterable[str]) -> tuple[str, ...]:
    """Return the environments of bundles, production first; `types` maps environments to types, per project."""
    ranks: dict[str, int] = {}
    for types_by_name in types:
        for name, type in types_by_name.items():
            # An environment that is production in one project ranks as production.
            ranks[name] = min(ranks.get(name, len(_ENVIRONMENT_TYPES)), _type_rank(type))
    names = {id.partition("@")[2] for id in ids}
    return tuple(sorted(names, key=lambda name: (ranks.get(name, len(_ENVIRONMENT_TYPES)), name)))


def _type_rank(type: str) -> int:
    return _ENVIRONMENT_TYPES.index(type) if type in _ENVIRONMENT_TYPES else len(_ENVIRONMENT_TYPES)


class RunSummary(NamedTuple):
    """The outcome of a run.

    `is_error_free` means that everything was checked; of `unread_files` nothing is known.
    """

    outcome: RunOutcome
    is_error_free: bool
    unread_files: frozenset[str]


def compare_findings(base: RunSummary, head: RunSummary) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return the findings that only the head has, and those that only the base has.

    A finding that the head could not check is not gone.
    """
    is_comparable = _comparability_test(base, head)
    old, new = (_by_fingerprint(summary.outcome) for summary in (base, head))
    unchecked = {*head.outcome.selected} - {*head.outcome.checked}
    removed = (old[key] for key in old if key not in new and old[key].diagnostic.span.path not in head.unread_files)
    return (
        tuple(new[key] for key in new if key not in old and is_comparable(new[key])),
        tuple(
            finding
            for finding in removed
            if is_comparable(finding) and not (finding.bundles and unchecked.issuperset(finding.bundles))
        ),
    )


def _comparability_test(base: RunSummary, head: RunSummary) -> Callable[[Finding], bool]:
    """Return a predicate that reports whether a kind of finding was checked on both sides.

    Whole-tree findings need trees without errors; codes that an organization can silence need a readable root file.
    """
    both_error_free = base.is_error_free and head.is_error_free
    is_root_readable = ROOT_FILE not in base.unread_files | head.unread_files

    def is_comparable(finding: Finding) -> bool:
        code = CODES[finding.diagnostic.code]
        return (both_error_free or code.scope is not Scope.TREE) and (is_root_readable or code.is_fixed)

    return is_comparable


def _by_fingerprint(outcome: RunOutcome) -> Mapping[str, Finding]:
    return {fingerprint: finding for finding, fingerprint in fingerprint_findings(outcome.findings)}
