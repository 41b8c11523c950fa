"""Run project by project, in one process or in several, and keep only the result of each project.

The findings are those of a run over the whole tree. Where that is not certain, because of files outside of projects or
relations between projects, there is no outcome, and the caller falls back to a run over the whole tree.
"""

from collections.abc import Callable, Collection, Container, Generator, Iterable, Iterator, Mapping, Sized
from functools import cached_property
from itertools import chain
from typing import TypeVar

from envtree.diagnostics.codes import OPT_IN_CODES
from envtree.diagnostics.findings import ErrorMonitor, SeverityResolver, build_findings
from envtree.engine.project_digests import ContentDigests, sha256_of
from envtree.engine.project_facts import DiscoveredFiles, FileLocations, ProjectDigests, ProjectResult
from envtree.engine.project_result import (
    are_independent,
    collect_control_plane_keys,
    project_result,
    whole_tree_diagnostics,
)
from envtree.engine.request import Request, RunOutcome
from envtree.engine.run import Run, RunScope
from envtree.frontend.discover import discover
from envtree.frontend.read_files import DocumentCache
from envtree.model.artifact import Manifest
from envtree.model.diagnostic import Diagnostics, ReportedError
from envtree.model.name_index import NameIndex, collect_environment_names
from envtree.model.resource import Resource
from envtree.model.source import Kind, Location
from envtree.model.suppression import Suppressions
from envtree.output.format_findings import needs_object_name_check
from envtree.sources.sops_config import read_sops_configs
from envtree.sources.tree import ReadTrackingTree, Tree
from envtree.system.workers import can_fork, run_in_processes

T = TypeVar("T")
Item = TypeVar("Item")

# With fewer agents a run by projects gains nothing.
_MIN_AGENTS = 40
# Agents per share of work, up to the end of a project; larger shares would leave processes idle at the end.
_MIN_SHARE_SIZE, _MAX_SHARE_SIZE = 10, 20

# The key of the files outside of projects.
_ROOT = ""


class FallBackToWholeRunError(Exception):
    """The run by projects ends at an error, or needs a check that only a run over the whole tree can make."""


class ProjectRunner:
    """Runs over the projects of a tree one by one; the outcome is valid once it `is_done`.

    With `continue_on_error` it continues after errors in projects and finds all of them; else it ends at the first.
    """

    def __init__(self, request: Request, *, continue_on_error: bool = False) -> None:
        shard = request.shard
        self._request, self._continue_on_error = request, continue_on_error
        self._tree: Tree = shard.restrict(request.tree) if shard else request.tree
        self._discovered = self._discover_files()
        other_locations = shard.other_locations if shard else ()
        self.name_index = NameIndex(
            _AllLocations(self._discovered, other_locations),
            self._discovered.environments | collect_environment_names(other_locations),
        )
        self.content_digests = ContentDigests(self._tree, self._discovered, request.project_cache)
        self._results: Mapping[str, ProjectResult] = {}
        # `has_errors` says whether there was an error before any bundle was computed.
        self.is_done = self.has_errors = False

    @cached_property
    def projects(self) -> Collection[str]:
        """The names of the projects, sorted."""
        return dict.fromkeys(project for project in self._discovered.by_project if project != _ROOT)

    @cached_property
    def root(self) -> Run:
        """The run over the files outside of projects."""
        run = self._create_run(_ROOT, self._discovered.by_project[_ROOT])
        run.diags.extend(self._discovered.diagnostics)
        return run

    def _discover_files(self) -> DiscoveredFiles:
        project_cache, diags = self._request.project_cache, Diagnostics()
        discovered = project_cache.load_discovered() if project_cache else None
        discovered = discovered or DiscoveredFiles.from_locations(discover(self._tree, diags), diags)
        if project_cache:
            project_cache.store_discovered(discovered)
        return discovered

    def is_possible(self, formats: Iterable[str] | None = None) -> bool:
        """Return whether no stage needs all bundles at once, there is no error so far, and the run is worthwhile."""
        project_cache = self._request.project_cache
        has_previous_run = project_cache is not None and project_cache.has_previous_run
        is_worth_it = has_previous_run or self._count_agents(self.projects) >= _MIN_AGENTS
        if not self.projects or not is_worth_it:
            return False
        workspace = self.root.workspace
        if workspace is None or self.root.needs_control_plane or self.root.error_monitor.has_errors():
            return False
        return not needs_object_name_check(
            workspace.organization.output.formats if formats is None else formats, workspace
        )

    @cached_property
    def cached_results(self) -> dict[str, ProjectResult]:
        """The results of unchanged projects, which need not be computed again."""
        project_cache = self._request.project_cache
        cached = project_cache.load_results(self.project_digests) if project_cache else {}
        return {
            project: result
            for project, result in cached.items()
            if not result.names_digest or result.names_digest == self.name_index.digest
        }

    def reusable_projects(self, is_intact: bool) -> Collection[str]:
        """Return the projects with cached results, or none if their written files are not intact."""
        if not is_intact:
            self.cached_results = {}
        return self.cached_results.keys()

    def run_all(
        self, stream: Callable[[Run], Iterable[Item]], put: Callable[[int, Iterable[Item]], T]
    ) -> list[T] | None:
        """Stream the items of each project to `put`, one share of projects at a time; return its results by share.

        `put(n, items)` consumes the items of the n-th share. Return None after an error, or if a process fails.
        """
        shares = self.split_into_shares(project for project in self.projects if project not in self.cached_results)
        results, outputs = dict(self.cached_results), dict[int, T]()

        def run_share(number: int) -> tuple[dict[str, ProjectResult], T, object]:
            share_results: dict[str, ProjectResult] = {}
            output = put(number, self._stream_share(shares[number], stream, share_results))
            return share_results, output, self.drain_reads()

        def on_result(number: int, message: tuple[dict[str, ProjectResult], T, object]) -> None:
            share_results, outputs[number], reads = message
            results.update(share_results)
            self.merge_reads(reads)
            self._request.progress("projects", len(results), len(self.projects))

        if self._has_no_errors(shares) and self.map_shares(shares, run_share, on_result):
            self.conclude(results)
        return [outputs[number] for number in range(len(shares))] if self.is_done else None

    def map_shares(self, shares: Sized, work: Callable[[int], T], on_result: Callable[[int, T], None]) -> bool:
        """Call `work` for each share in up to `jobs` processes, and `on_result` with the results; return success."""
        # Reads of this process must not be sent back by its children, whose own reads may be newer.
        self.drain_reads()
        run = run_in_processes if self._request.jobs > 1 and len(shares) > 1 and can_fork() else _run_in_process
        return run(len(shares), self._request.jobs, work, on_result)

    def drain_reads(self) -> object:
        """Return the reads of the tree since the last call, to be sent to another process."""
        return self._request.tree.drain_reads() if isinstance(self._request.tree, ReadTrackingTree) else None

    def merge_reads(self, reads: object) -> None:
        """Add the reads of another process."""
        if isinstance(self._request.tree, ReadTrackingTree):
            self._request.tree.merge_reads(reads)

    def _has_no_errors(self, shares: list[list[str]]) -> bool:
        """Return whether no file and no selector has an error; True without a check if no secret is decrypted.

        The check comes before decryption: a tree with an error in any project must never need a key.
        """
        if self._request.decrypter is None or not self._has_secrets:
            return True
        cached = self.cached_results.values()
        ids = [id for result in cached for id in result.ids]
        keys = [key for result in cached for key in result.control_plane_keys]

        def check_share(number: int) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
            return [(run.ids, collect_control_plane_keys(run)) for run in map(self.start, shares[number])]

        def on_result(_: int, projects: list[tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
            for project_ids, project_keys in projects:
                ids.extend(project_ids)
                keys.extend(project_keys)

        if not self.map_shares(shares, check_share, on_result) or len(keys) > len(set(keys)):
            return False
        # The same findings come again at the end, when all else is known, and are reported once.
        self.root.check_selection(tuple(ids))
        return not self.root.error_monitor.has_errors()

    @property
    def _has_secrets(self) -> bool:
        return any(resource.secrets_file for resource in self.root.files.values()) or bool(
            self._discovered.secrets_files
        )

    def outcome(self, manifest: Manifest | None = None) -> RunOutcome:
        """Return the findings and bundles of all projects."""
        results = self._results.values()
        return RunOutcome(
            workspace=self.root.workspace,
            ids=tuple(chain.from_iterable(result.ids for result in results)),
            selected=tuple(chain.from_iterable(result.selected for result in results)),
            checked=tuple(chain.from_iterable(result.checked for result in results)),
            findings=build_findings(self.root.diags, self._severities),
            not_checked=self.root.diags.skipped_checks,
            manifest=manifest,
        )

    def _stream_share(
        self, projects: Iterable[str], stream: Callable[[Run], Iterable[Item]], results: dict[str, ProjectResult]
    ) -> Iterator[Item]:
        """Yield the items of some projects and store their results; each run is released before the next one."""
        for project in projects:
            results[project] = yield from self._stream_project(project, stream)

    def _stream_project(
        self, project: str, stream: Callable[[Run], Iterable[Item]]
    ) -> Generator[Item, None, ProjectResult]:
        # All references to the run end with this function, so that the next run can reuse its memory.
        run = self.start(project)
        for item in stream(run):
            yield item
            if run.error_monitor.has_errors() and not self._continue_on_error:
                raise FallBackToWholeRunError
        return self.finish(run)

    def start(self, project: str, document_cache: DocumentCache | None = None) -> Run:
        """Return the run over a project, maybe one that the tree lacks; raise FallBackToWholeRunError if it fails."""
        run = self._create_run(project, self._discovered.by_project.get(project, {}), document_cache)
        if run.workspace is None or not run.workspace.is_self_contained:
            raise FallBackToWholeRunError
        if run.error_monitor.has_errors() and not self._continue_on_error:
            raise FallBackToWholeRunError
        if not self.content_digests.are_unchanged(project, run.files):
            raise FallBackToWholeRunError
        return run

    def has_same_files(self, run: Run) -> bool:
        """Return whether this tree has the same files for the project of a run over another tree."""
        scope = run.scope
        assert scope
        assert scope.root
        return (
            scope.name_index.environment_names == self.name_index.environment_names
            and _root_digests(scope.root) == _root_digests(self.root)
            and self.content_digests.are_same_files(scope.projects, run.files)
        )

    def secrets_file_digests(self) -> dict[str, str]:
        """Return all secrets files by path, each with a digest of its content."""
        root_files = {
            path: resource.document.digest
            for path, resource in self.root.files.items()
            if resource.location.kind is Kind.SECRETS
        }
        return root_files | self.content_digests.secrets_file_digests()

    def read_secrets_files(self, paths: Container[str]) -> dict[str, Resource]:
        """Return the resources of those of the secrets files that exist in the tree."""
        root_files = {path: resource for path, resource in self.root.files.items() if path in paths}
        return root_files | self.content_digests.read_secrets_files(paths)

    def finish(self, run: Run) -> ProjectResult:
        """Return the result of a run whose bundles were all computed; raise FallBackToWholeRunError on an error."""
        result = project_result(run, self.root, self.name_index)
        if run.error_monitor.has_errors() and not self._continue_on_error:
            raise FallBackToWholeRunError
        return result

    def _create_run(self, project: str, locations: FileLocations, document_cache: DocumentCache | None = None) -> Run:
        documents = self.load_documents(project) if document_cache is None else document_cache
        scope = RunScope(locations, self.name_index, self.root if project else None)
        run = Run(self._request._replace(document_cache=documents, progress=_ignore_progress), scope)
        if document_cache is None:
            self.store_documents(documents)
        return run

    def load_documents(self, project: str) -> DocumentCache:
        """Return the parsed files of a project from earlier runs, as far as they are cached."""
        if self._request.project_cache:
            return self._request.project_cache.load_documents(project)
        return {} if self._request.document_cache is None else self._request.document_cache

    def store_documents(self, documents: DocumentCache) -> None:
        """Cache the parsed files of a project for later runs."""
        if self._request.project_cache:
            self._request.project_cache.store_documents(documents)

    def split_into_shares(self, projects: Iterable[str]) -> list[list[str]]:
        """Divide projects into shares of neighbours with about as many agents each."""
        projects = list(projects)
        size = max(_MIN_SHARE_SIZE, min(_MAX_SHARE_SIZE, self._count_agents(projects) // (4 * self._request.jobs)))
        shares, agents = [list[str]()] if projects else [], 0
        for project in projects:
            if agents > size:
                shares.append([])
                agents = 0
            shares[-1].append(project)
            agents += self._count_agents((project,))
        return shares

    def _count_agents(self, projects: Iterable[str]) -> int:
        locations = (at for project in projects for at in self._discovered.by_project.get(project, {}).values())
        return sum(at.kind is Kind.AGENT for at in locations)

    def conclude(self, results: Mapping[str, ProjectResult]) -> None:
        """Merge the results of all projects and report findings over the whole tree; then the run is done."""
        self._results = {project: results[project] for project in self.projects}
        self.is_done = self._merge_results()

    def _merge_results(self) -> bool:
        results, diags = self._results.values(), self.root.diags
        ids = tuple(chain.from_iterable(result.ids for result in results))
        # Without a bundle, only a run over the whole tree can explain why.
        if not ids or not are_independent(results, self.root):
            return False
        self.has_errors = any(result.has_errors for result in results)
        self.root.check_selection(ids, has_errors=self.has_errors)
        # The root had no errors before, so these are about the selection.
        self.has_errors = self.has_errors or self.root.error_monitor.has_errors()
        for result in results:
            diags.extend(result.diagnostics)
            for check in result.not_checked:
                diags.skip(check)
        if self.root.is_complete and not any(result.has_breaking_errors for result in results):
            diags.extend(whole_tree_diagnostics(results, {diagnostic.code for diagnostic in diags}))
            diags.extend(tuple(self._suppressions.report_unused(diags, unchecked_codes=OPT_IN_CODES)))
        monitor = ErrorMonitor(diags, self._severities, strict=self._request.strict)
        if monitor.has_errors() and not self._continue_on_error:
            return False
        if self._request.project_cache:
            self._request.project_cache.store_results(self._results, self.project_digests)
        return True

    @cached_property
    def _suppressions(self) -> Suppressions:
        suppressions = dict(self.root.own_suppressions)
        for result in self._results.values():
            suppressions |= result.suppressions
        return Suppressions(suppressions, self.root.today)

    @cached_property
    def _severities(self) -> SeverityResolver:
        workspace = self.root.workspace
        return SeverityResolver(workspace.organization.lint_severities if workspace else {}, self._suppressions)

    @cached_property
    def project_digests(self) -> ProjectDigests:
        """For each project a digest of all inputs of its result, except for the names in other projects."""
        read_problems = Diagnostics()
        sources = read_sops_configs(self._tree, self._discovered.secrets_files, read_problems)
        rules = [(source.path, root_prefix, source.digest) for source, root_prefix in sources]
        context = self.root.recorded_inputs(), sorted(self.name_index.environment_names), self.root.today
        return ProjectDigests(
            sha256_of((_root_digests(self.root), rules, *read_problems, *context)),
            self.projects,
            self.content_digests.project_digest,
        )


def _root_digests(root: Run) -> object:
    """Return the digests of the files outside of projects, and of the templates."""
    return [(path, resource.document.digest) for path, resource in root.files.items()], root.template_digests()


class _AllLocations(Iterable[Location]):
    """The locations of all files, iterated only when a name is looked up."""

    def __init__(self, discovered: DiscoveredFiles, other_locations: Iterable[Location]) -> None:
        self._discovered, self._other_locations = discovered, other_locations

    def __iter__(self) -> Iterator[Location]:
        for files in self._discovered.by_project.values():
            yield from files.values()
        yield from self._other_locations


def _run_in_process(count: int, jobs: int, work: Callable[[int], T], on_result: Callable[[int, T], None]) -> bool:
    """Do the same as `run_in_processes`, in this process."""
    try:
        for number in range(count):
            on_result(number, work(number))
    except (FallBackToWholeRunError, ReportedError):
        return False
    return True


def _ignore_progress(kind: str, count: int, total: int) -> None:
    """Ignore progress within a project; only finished projects are reported."""
