"""Compare two trees project by project; of a project that is alike in both no bundle is compared, and one side read."""

from collections import deque
from collections.abc import Callable, Collection, Container, Iterable, Mapping
from itertools import chain
from typing import NamedTuple

from envtree.diagnostics.codes import is_read_failure
from envtree.engine.affected import find_affected
from envtree.engine.by_project import ProjectRunner
from envtree.engine.project_facts import ProjectResult
from envtree.engine.run import Run
from envtree.model.bundle_entities import EntityIndex
from envtree.model.diagnostic import Severity
from envtree.queries.diff.bundle_pairs import diff_bundle_sets, pair_bundles
from envtree.queries.diff.change_groups import ValueChangeGroup, ValueChangeGroups, merge_changes
from envtree.queries.diff.comparison import (
    ComparisonScope,
    LabelledTree,
    RunSummary,
    compare_findings,
    declared_inputs,
    rank_environments,
)
from envtree.queries.diff.diff_model import BundleChange, Diff, RuleChange, SecretsFileChange
from envtree.queries.diff.rule_changes import diff_rules, rule_sort_key
from envtree.queries.diff.secrets_file_changes import diff_secrets_files, find_reencrypted_leaves
from envtree.queries.diff.tree_side import TreeSide, make_tree_side


class _ProjectDiff(NamedTuple):
    """What came of a project: what was found on each side that has it, and what differs."""

    results: tuple[ProjectResult | None, ProjectResult | None]
    unchanged: int
    not_compared: frozenset[str]
    groups: Mapping[tuple[object, ...], ValueChangeGroup] = {}
    bundles: tuple[BundleChange, ...] = ()
    rules: tuple[RuleChange, ...] = ()


def compare_by_project(
    base: LabelledTree, head: LabelledTree, check_scope: Callable[[ComparisonScope], None]
) -> Diff | None:
    """What differs; None if anything is wrong with either tree outside of projects, or needs all of one at once."""
    sides = ProjectRunner(base.request, continue_on_error=True), ProjectRunner(head.request, continue_on_error=True)
    if not all(side.is_possible(()) for side in sides):
        return None
    told = _ProjectComparison(*sides, head.request.progress).compare_all()
    if told is None:
        return None
    for n, side in enumerate(sides):
        side.conclude({project: unit for project, one in told.items() if (unit := one.results[n])})
    if not all(side.is_done for side in sides):
        return None
    one, other = (_summarize_run(side) for side in sides)
    # Over errors nobody knows what there would be.
    ids = (*one.outcome.ids, *other.outcome.ids) if one.is_error_free and other.is_error_free else ()
    check_scope(ComparisonScope(declared_inputs(one.outcome.workspace, other.outcome.workspace), frozenset(ids)))
    return _assemble_diff((base, head), sides, (one, other), told.values())


def _assemble_diff(
    named: tuple[LabelledTree, LabelledTree],
    sides: tuple[ProjectRunner, ProjectRunner],
    looked: tuple[RunSummary, RunSummary],
    parts: Collection[_ProjectDiff],
) -> Diff:
    (base, head), (one, other), roots = named, looked, (_root_side(sides[0]), _root_side(sides[1]))
    new, gone = compare_findings(one, other)
    return Diff(
        base=base.name,
        head=head.name,
        base_commit=base.commit,
        head_commit=head.commit,
        environments=rank_environments(
            (unit.environment_types for part in parts for unit in part.results if unit),
            (*one.outcome.selected, *other.outcome.selected),
        ),
        changes=merge_changes(part.groups for part in parts),
        bundles=tuple(sorted(chain.from_iterable(part.bundles for part in parts))),
        unchanged=sum(part.unchanged for part in parts),
        not_compared=tuple(sorted(chain.from_iterable(part.not_compared for part in parts))),
        secrets=tuple(_diff_secrets_files(sides, roots)),
        rules=tuple(sorted(chain(diff_rules(*roots), *(part.rules for part in parts)), key=rule_sort_key)),
        new_findings=new,
        removed_findings=gone,
        has_errors=any(finding.severity is Severity.ERROR for finding in other.outcome.findings),
    )


def _summarize_run(side: ProjectRunner) -> RunSummary:
    # All that was found is there by now.
    unread = frozenset(each.span.path for each in side.root.diags if is_read_failure(each.code))
    return RunSummary(side.outcome(), not side.has_errors, unread)


def _root_side(side: ProjectRunner) -> TreeSide:
    """What stands outside of projects, where nothing is wrong."""
    workspace = side.root.workspace
    return TreeSide(workspace, side.root.files, frozenset(), frozenset(), EntityIndex(workspace))


class _ProjectComparison:
    """The projects of two trees, compared in the processes that there are."""

    def __init__(self, base: ProjectRunner, head: ProjectRunner, progress: Callable[[str, int, int], None]) -> None:
        self._sides, self._progress = (base, head), progress
        self._has_same_names = base.name_index.digest == head.name_index.digest

    def compare_all(self) -> dict[str, _ProjectDiff] | None:
        """What came of each project; None if there is an error."""
        base, head = self._sides
        projects = sorted({*base.projects, *head.projects})
        found = {project: known for project in projects if (known := self._cached_diff(project))}
        shares = head.split_into_shares(project for project in projects if project not in found)

        def work(number: int) -> tuple[dict[str, _ProjectDiff], list[object]]:
            return {project: self._compare_project(project) for project in shares[number]}, [
                base.drain_reads(),
                head.drain_reads(),
            ]

        def take(number: int, told: tuple[dict[str, _ProjectDiff], list[object]]) -> None:
            found.update(told[0])
            for side, noted in zip(self._sides, told[1], strict=True):
                side.merge_reads(noted)
            self._progress("projects", len(found), len(projects))

        for side in self._sides:
            side.content_digests.prefetch(chain.from_iterable(shares))
            # What has been read so far is no news from another process.
            side.drain_reads()
        return {project: found[project] for project in projects} if head.map_shares(shares, work, take) else None

    def _is_unchanged(self, project: str) -> bool:
        """Whether all that the bundles of a project are made from is the same, but for names in other projects."""
        base, head = (side.project_digests.get(project) for side in self._sides)
        return base == head

    def _cached_diff(self, project: str) -> _ProjectDiff | None:
        """A project of which all is known."""
        units = tuple(side.cached_results.get(project) for side in self._sides)
        one, other = units
        alike = self._is_unchanged(project) and one and other and (self._has_same_names or not one.names_digest)
        return _unchanged_diff(other) if alike and other else None

    def _compare_project(self, project: str) -> _ProjectDiff:
        base, head = self._sides
        memory = head.load_documents(project)
        other = head.start(project, memory)
        is_mentioning = other.workspace is not None and other.workspace.has_external_references
        if self._is_unchanged(project) and (self._has_same_names or not is_mentioning):
            deque(other.results(), maxlen=0)
            told = _unchanged_diff(head.finish(other))
        else:
            told = self._diff_runs(project, base.start(project, memory), other)
        head.store_documents(memory)
        return told

    def _diff_runs(self, project: str, one: Run, other: Run) -> _ProjectDiff:
        """What differs between two runs over a project."""
        known = [side.cached_results.get(project) for side in self._sides]
        old, new = frozenset(one.selected), frozenset(other.selected)
        reached = old & new & find_affected(one, other)
        for run, unit in zip((one, other), known, strict=True):
            # What was found is known; only what may differ has to be computed again.
            if unit:
                run.restrict_to(reached)
        before, after = make_tree_side(one), make_tree_side(other)
        groups: ValueChangeGroups | None = None
        for pair in pair_bundles(one, other, reached):
            groups = groups or ValueChangeGroups(
                before, after, find_reencrypted_leaves(diff_secrets_files(before, after))
            )
            groups.add(pair)
        found = groups.groups if groups else {}
        own = before._replace(files=one.files), after._replace(files=other.files)
        units = [
            (unit or side.finish(run)) if project in side.projects else None
            for side, run, unit in zip(self._sides, (one, other), known, strict=True)
        ]
        bundles, uncertain = diff_bundle_sets(old, new, before, after)
        checked = (old & new).intersection(*(unit.checked for unit in units if unit))
        unchanged = len(checked) - len({id for group in found.values() for id in group.bundles})
        spoiled = uncertain | (old & new) - checked
        return _ProjectDiff((units[0], units[1]), unchanged, spoiled, found, bundles, tuple(diff_rules(*own)))


def _unchanged_diff(unit: ProjectResult) -> _ProjectDiff:
    return _ProjectDiff((unit, unit), len(unit.checked), frozenset(unit.selected).difference(unit.checked))


def _diff_secrets_files(
    sides: tuple[ProjectRunner, ProjectRunner], roots: tuple[TreeSide, TreeSide]
) -> Iterable[SecretsFileChange]:
    """The secrets files that differ; where a new one comes from, any of the others can tell."""
    before, after = (side.secrets_file_digests() for side in sides)

    def read(paths: Container[str]) -> list[TreeSide]:
        return [root._replace(files=side.read_secrets_files(paths)) for root, side in zip(roots, sides, strict=True)]

    one, other = read({path for path in before.keys() | after.keys() if before.get(path) != after.get(path)})
    # Whether one is new is not known before it is read: the other side may have it, and nobody can read it there.
    if not other.files.keys() <= one.files.keys():
        one, other = read(before.keys() | after.keys())
    return diff_secrets_files(one, other)
