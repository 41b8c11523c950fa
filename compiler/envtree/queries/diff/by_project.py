"""Compare two trees project by project.

A project that is alike in both trees is read on one side only, and none of its bundles is compared.
"""

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
    """Comparison of one project: its result on each side that has it, and the differences."""

    results: tuple[ProjectResult | None, ProjectResult | None]
    unchanged: int
    not_compared: frozenset[str]
    groups: Mapping[tuple[object, ...], ValueChangeGroup] = {}
    bundles: tuple[BundleChange, ...] = ()
    rules: tuple[RuleChange, ...] = ()


def compare_by_project(
    base: LabelledTree, head: LabelledTree, check_scope: Callable[[ComparisonScope], None]
) -> Diff | None:
    """Compare two trees project by project.

    Returns None if there is an error outside of projects in either tree, or something needs a whole tree at once.
    """
    runners = ProjectRunner(base.request, continue_on_error=True), ProjectRunner(head.request, continue_on_error=True)
    if not all(runner.is_possible(()) for runner in runners):
        return None
    project_diffs = _ProjectComparison(*runners, head.request.progress).compare_all()
    if project_diffs is None:
        return None
    for number, runner in enumerate(runners):
        runner.conclude(
            {
                project: result
                for project, project_diff in project_diffs.items()
                if (result := project_diff.results[number])
            }
        )
    if not all(runner.is_done for runner in runners):
        return None
    base_summary, head_summary = (_summarize_run(runner) for runner in runners)
    # With errors the list of bundles is not reliable.
    ids = (
        (*base_summary.outcome.ids, *head_summary.outcome.ids)
        if base_summary.is_error_free and head_summary.is_error_free
        else ()
    )
    check_scope(
        ComparisonScope(declared_inputs(base_summary.outcome.workspace, head_summary.outcome.workspace), frozenset(ids))
    )
    return _assemble_diff((base, head), runners, (base_summary, head_summary), project_diffs.values())


def _assemble_diff(
    trees: tuple[LabelledTree, LabelledTree],
    runners: tuple[ProjectRunner, ProjectRunner],
    summaries: tuple[RunSummary, RunSummary],
    project_diffs: Collection[_ProjectDiff],
) -> Diff:
    (base, head), (base_summary, head_summary), roots = (
        trees,
        summaries,
        (_root_side(runners[0]), _root_side(runners[1])),
    )
    new_findings, removed_findings = compare_findings(base_summary, head_summary)
    return Diff(
        base=base.name,
        head=head.name,
        base_commit=base.commit,
        head_commit=head.commit,
        environments=rank_environments(
            (result.environment_types for project_diff in project_diffs for result in project_diff.results if result),
            (*base_summary.outcome.selected, *head_summary.outcome.selected),
        ),
        changes=merge_changes(project_diff.groups for project_diff in project_diffs),
        bundles=tuple(sorted(chain.from_iterable(project_diff.bundles for project_diff in project_diffs))),
        unchanged=sum(project_diff.unchanged for project_diff in project_diffs),
        not_compared=tuple(sorted(chain.from_iterable(project_diff.not_compared for project_diff in project_diffs))),
        secrets=tuple(_diff_secrets_files(runners, roots)),
        rules=tuple(
            sorted(
                chain(diff_rules(*roots), *(project_diff.rules for project_diff in project_diffs)), key=rule_sort_key
            )
        ),
        new_findings=new_findings,
        removed_findings=removed_findings,
        has_errors=any(finding.severity is Severity.ERROR for finding in head_summary.outcome.findings),
    )


def _summarize_run(runner: ProjectRunner) -> RunSummary:
    # By now the diagnostics are complete.
    unread = frozenset(diagnostic.span.path for diagnostic in runner.root.diags if is_read_failure(diagnostic.code))
    return RunSummary(runner.outcome(), not runner.has_errors, unread)


def _root_side(runner: ProjectRunner) -> TreeSide:
    """Return the files outside of projects, which have no errors."""
    workspace = runner.root.workspace
    return TreeSide(
        workspace=workspace,
        files=runner.root.files,
        files_with_errors=frozenset(),
        unread_files=frozenset(),
        entity_index=EntityIndex(workspace),
    )


class _ProjectComparison:
    """Compares the projects of two trees, in several processes if the request allows."""

    def __init__(self, base: ProjectRunner, head: ProjectRunner, progress: Callable[[str, int, int], None]) -> None:
        self._runners, self._progress = (base, head), progress
        self._has_same_names = base.name_index.digest == head.name_index.digest

    def compare_all(self) -> dict[str, _ProjectDiff] | None:
        """Compare every project; returns None on an error."""
        base, head = self._runners
        projects = sorted({*base.projects, *head.projects})
        project_diffs = {project: cached for project in projects if (cached := self._cached_diff(project))}
        shares = head.split_into_shares(project for project in projects if project not in project_diffs)

        def compare_share(number: int) -> tuple[dict[str, _ProjectDiff], list[object]]:
            return {project: self._compare_project(project) for project in shares[number]}, [
                base.drain_reads(),
                head.drain_reads(),
            ]

        def merge_share(number: int, share_result: tuple[dict[str, _ProjectDiff], list[object]]) -> None:
            project_diffs.update(share_result[0])
            for runner, reads in zip(self._runners, share_result[1], strict=True):
                runner.merge_reads(reads)
            self._progress("projects", len(project_diffs), len(projects))

        for runner in self._runners:
            runner.content_digests.prefetch(chain.from_iterable(shares))
            # Reads so far belong to this process, and must not be reported again by a worker.
            runner.drain_reads()
        return (
            {project: project_diffs[project] for project in projects}
            if head.map_shares(shares, compare_share, merge_share)
            else None
        )

    def _is_unchanged(self, project: str) -> bool:
        """Report whether all inputs of the project's bundles are the same, except for names in other projects."""
        base, head = (runner.project_digests.get(project) for runner in self._runners)
        return base == head

    def _cached_diff(self, project: str) -> _ProjectDiff | None:
        """Return the comparison of an unchanged project from cached results, or None."""
        results = tuple(runner.cached_results.get(project) for runner in self._runners)
        base_result, head_result = results
        is_same = (
            self._is_unchanged(project)
            and base_result
            and head_result
            and (self._has_same_names or not base_result.names_digest)
        )
        return _unchanged_diff(head_result) if is_same and head_result else None

    def _compare_project(self, project: str) -> _ProjectDiff:
        base, head = self._runners
        documents = head.load_documents(project)
        head_run = head.start(project, documents)
        has_external_references = head_run.workspace is not None and head_run.workspace.has_external_references
        if self._is_unchanged(project) and (self._has_same_names or not has_external_references):
            deque(head_run.results(), maxlen=0)
            project_diff = _unchanged_diff(head.finish(head_run))
        else:
            project_diff = self._diff_runs(project, base.start(project, documents), head_run)
        head.store_documents(documents)
        return project_diff

    def _diff_runs(self, project: str, base_run: Run, head_run: Run) -> _ProjectDiff:
        """Compare two runs over a project."""
        cached_results = [runner.cached_results.get(project) for runner in self._runners]
        old, new = frozenset(base_run.selected), frozenset(head_run.selected)
        affected = old & new & find_affected(base_run, head_run)
        for run, result in zip((base_run, head_run), cached_results, strict=True):
            # The findings are cached; only bundles that may differ have to be computed again.
            if result:
                run.restrict_to(affected)
        before, after = make_tree_side(base_run), make_tree_side(head_run)
        groups: ValueChangeGroups | None = None
        for pair in pair_bundles(base_run, head_run, affected):
            groups = groups or ValueChangeGroups(
                before, after, find_reencrypted_leaves(diff_secrets_files(before, after))
            )
            groups.add(pair)
        changes = groups.groups if groups else {}
        own_sides = before._replace(files=base_run.files), after._replace(files=head_run.files)
        results = [
            (result or runner.finish(run)) if project in runner.projects else None
            for runner, run, result in zip(self._runners, (base_run, head_run), cached_results, strict=True)
        ]
        bundles, uncertain = diff_bundle_sets(old, new, before, after)
        checked = (old & new).intersection(*(result.checked for result in results if result))
        unchanged = len(checked) - len({id for group in changes.values() for id in group.bundles})
        not_compared = uncertain | (old & new) - checked
        return _ProjectDiff(
            results=(results[0], results[1]),
            unchanged=unchanged,
            not_compared=not_compared,
            groups=changes,
            bundles=bundles,
            rules=tuple(diff_rules(*own_sides)),
        )


def _unchanged_diff(result: ProjectResult) -> _ProjectDiff:
    return _ProjectDiff((result, result), len(result.checked), frozenset(result.selected).difference(result.checked))


def _diff_secrets_files(
    runners: tuple[ProjectRunner, ProjectRunner], roots: tuple[TreeSide, TreeSide]
) -> Iterable[SecretsFileChange]:
    """Return the secrets files that differ; the origin of a new one may be any other secrets file."""
    base_digests, head_digests = (runner.secrets_file_digests() for runner in runners)

    def read(paths: Container[str]) -> list[TreeSide]:
        return [
            root._replace(files=runner.read_secrets_files(paths)) for root, runner in zip(roots, runners, strict=True)
        ]

    base, head = read(
        {path for path in base_digests.keys() | head_digests.keys() if base_digests.get(path) != head_digests.get(path)}
    )
    # A file counts as new only once it has been read: the other side may have it in a form that cannot be read.
    if not head.files.keys() <= base.files.keys():
        base, head = read(base_digests.keys() | head_digests.keys())
    return diff_secrets_files(base, head)
