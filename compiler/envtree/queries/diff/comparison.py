"""Two trees of which each is known by a run, or by what came of many: what there is in them, and what was found."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from envtree.diagnostics.codes import CODES, WHOLE_TREE_CODES
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.fingerprint import fingerprint_findings
from envtree.engine.request import Request, RunOutcome
from envtree.model.tree_layout import ROOT_FILE
from envtree.model.workspace import Workspace

_ENVIRONMENT_TYPES = ("production", "staging", "development")


class LabelledTree(NamedTuple):
    """What to run over a tree, and what the user calls the tree, with its commit if it has one."""

    name: str
    request: Request
    commit: str = ""


class ComparisonScope(NamedTuple):
    """What there is in two trees: the inputs that either declares, and all bundles.

    Without an organization in the head there are no inputs to know, which is None; over errors no `ids`.
    """

    inputs: frozenset[str] | None
    ids: frozenset[str]


def declared_inputs(base: Workspace | None, head: Workspace | None) -> frozenset[str] | None:
    """The inputs that either of two trees declares, None without a head."""
    return frozenset(name for one in (base, head) if one for name in one.organization.inputs) if head else None


def rank_environments(types: Iterable[Mapping[str, str]], ids: Iterable[str]) -> tuple[str, ...]:
    """The environments of some bundles, those of production first; `types` has those of each project, by name."""
    ranks: dict[str, int] = {}
    for project in types:
        for name, kind in project.items():
            # What one project calls production is told like production.
            ranks[name] = min(ranks.get(name, len(_ENVIRONMENT_TYPES)), _rank(kind))
    names = {id.partition("@")[2] for id in ids}
    return tuple(sorted(names, key=lambda name: (ranks.get(name, len(_ENVIRONMENT_TYPES)), name)))


def _rank(kind: str) -> int:
    return _ENVIRONMENT_TYPES.index(kind) if kind in _ENVIRONMENT_TYPES else len(_ENVIRONMENT_TYPES)


class RunSummary(NamedTuple):
    """What a run has found; all could be looked at if it `is_sound`, and nothing in the files that are `unread`."""

    outcome: RunOutcome
    is_error_free: bool
    unread_files: frozenset[str]


def compare_findings(base: RunSummary, head: RunSummary) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """The findings that only the head has, and those that are gone with the base.

    What the head could not look at is not gone.
    """
    comparable = _comparability_test(base, head)
    old, new = (_by_fingerprint(one.outcome) for one in (base, head))
    spoiled = {*head.outcome.selected} - {*head.outcome.checked}
    gone = (old[key] for key in old if key not in new and old[key].diagnostic.span.path not in head.unread_files)
    return (
        tuple(new[key] for key in new if key not in old and comparable(new[key])),
        tuple(one for one in gone if comparable(one) and not (one.bundles and spoiled.issuperset(one.bundles))),
    )


def _comparability_test(base: RunSummary, head: RunSummary) -> Callable[[Finding], bool]:
    """Whether a kind of finding was looked for on both sides.

    What is said of all of a tree needs a tree without errors, and what an organization can silence needs one that
    could be read.
    """
    whole = base.is_error_free and head.is_error_free
    configured = ROOT_FILE not in base.unread_files | head.unread_files

    def holds(finding: Finding) -> bool:
        code = finding.diagnostic.code
        return (whole or code not in WHOLE_TREE_CODES) and (configured or CODES[code].is_fixed)

    return holds


def _by_fingerprint(outcome: RunOutcome) -> Mapping[str, Finding]:
    return {fingerprint: finding for finding, fingerprint in fingerprint_findings(outcome.findings)}
