"""A run that goes from project to project and keeps of each only what was found, in one process or in several.

It finds what a run over the whole tree does. Where that is not sure, because of what stands outside of projects or what
two of them have to do with each other, it finds nothing, and leaves it to that.
"""

from collections.abc import Callable, Collection, Container, Generator, Iterable, Iterator, Mapping, Sized
from functools import cached_property
from itertools import chain
from typing import TypeVar

from envtree.diagnostics.codes import DECRYPTION_CODES, UNUSED_CODES
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

# With fewer agents nothing is gained. Of a process so many are asked at a time, and the rest of their last project: not
# more, for at the end all others wait for the last one.
_MIN_AGENTS = 40
_MIN_SHARE_SIZE, _MAX_SHARE_SIZE = 10, 20

# The name of what stands outside of projects.
_ROOT = ""


class FallBackToWholeRunError(Exception):
    """There is an error over which a run does not go on, or what only one over the whole tree can tell."""


class ProjectRunner:
    """The projects of a tree; once it `is_done`, all that was found counts.

    A run that goes on `over_errors` of projects finds them all, and another one ends at the first.
    """

    def __init__(self, request: Request, *, continue_on_error: bool = False) -> None:
        shard = request.shard
        self._request, self._continue_on_error = request, continue_on_error
        self._tree: Tree = shard.restrict(request.tree) if shard else request.tree
        self._discovered = self._discover_files()
        elsewhere = shard.other_locations if shard else ()
        self.name_index = NameIndex(
            _AllLocations(self._discovered, elsewhere),
            self._discovered.environments | collect_environment_names(elsewhere),
        )
        self.content_digests = ContentDigests(self._tree, self._discovered, request.project_cache)
        self._results: Mapping[str, ProjectResult] = {}
        # Whether the run `is_done`, and whether it `is_wrong`: there was an error before any bundle was looked at.
        self.is_done = self.has_errors = False

    @cached_property
    def projects(self) -> Collection[str]:
        """Their names, sorted."""
        return dict.fromkeys(project for project in self._discovered.by_project if project != _ROOT)

    @cached_property
    def root(self) -> Run:
        """The run over what stands outside of projects."""
        run = self._create_run(_ROOT, self._discovered.by_project[_ROOT])
        run.diags.extend(self._discovered.diagnostics)
        return run

    def _discover_files(self) -> DiscoveredFiles:
        known, diags = self._request.project_cache, Diagnostics()
        found = known.load_discovered() if known else None
        found = found or DiscoveredFiles.from_locations(discover(self._tree, diags), diags)
        if known:
            known.store_discovered(found)
        return found

    def is_possible(self, formats: Iterable[str] | None = None) -> bool:
        """Whether nothing needs all bundles at once, nothing is wrong so far, and there is something to gain."""
        known = self._request.project_cache
        is_worth_it = (known is not None and known.has_previous_run) or self._count_agents(self.projects) >= _MIN_AGENTS
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
        """What is known of projects in which nothing has changed, so that they need not be looked at."""
        known = self._request.project_cache
        found = known.load_results(self.project_digests) if known else {}
        return {
            project: one
            for project, one in found.items()
            if not one.names_digest or one.names_digest == self.name_index.digest
        }

    def reusable_projects(self, is_intact: bool) -> Collection[str]:
        """The same projects, if what was written of them is there, and else none."""
        if not is_intact:
            self.cached_results = {}
        return self.cached_results.keys()

    def run_all(
        self, stream: Callable[[Run], Iterable[Item]], put: Callable[[int, Iterable[Item]], T]
    ) -> list[T] | None:
        """Put what comes of the run over each project, some projects at a time: what `put` gives for the n-th of these.

        None if there is an error, or something goes wrong.
        """
        shares = self.split_into_shares(project for project in self.projects if project not in self.cached_results)
        units, found = dict(self.cached_results), dict[int, T]()

        def work(number: int) -> tuple[dict[str, ProjectResult], T, object]:
            own: dict[str, ProjectResult] = {}
            done = put(number, self._stream_share(shares[number], stream, own))
            return own, done, self.drain_reads()

        def take(number: int, told: tuple[dict[str, ProjectResult], T, object]) -> None:
            own, found[number], noted = told
            units.update(own)
            self.merge_reads(noted)
            self._request.progress("projects", len(units), len(self.projects))

        if self._has_no_errors(shares) and self.map_shares(shares, work, take):
            self.conclude(units)
        return [found[number] for number in range(len(shares))] if self.is_done else None

    def map_shares(self, shares: Sized, work: Callable[[int], T], take: Callable[[int, T], None]) -> bool:
        """Do some work for each share of the projects, in as many processes as asked for; whether all of it was."""
        # What this process has read so far is no news for it, and may be older than what another one will read.
        self.drain_reads()
        do = run_in_processes if self._request.jobs > 1 and len(shares) > 1 and can_fork() else _run_in_process
        return do(len(shares), self._request.jobs, work, take)

    def drain_reads(self) -> object:
        """What another process has to be told of: what was read of the tree since the last time that this was asked."""
        return self._request.tree.drain_reads() if isinstance(self._request.tree, ReadTrackingTree) else None

    def merge_reads(self, reads: object) -> None:
        """Take over what was read by another process."""
        if isinstance(self._request.tree, ReadTrackingTree):
            self._request.tree.merge_reads(reads)

    def _has_no_errors(self, shares: list[list[str]]) -> bool:
        """Whether the files of all projects, and what is asked for, are without an error, if that has to be known now.

        A tree with errors is never worth a key, whatever project they are in.
        """
        if self._request.decrypter is None or not self._has_secrets:
            return True
        kept = self.cached_results.values()
        ids, keys = [id for one in kept for id in one.ids], [key for one in kept for key in one.control_plane_keys]

        def look(number: int) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
            return [(run.ids, collect_control_plane_keys(run)) for run in map(self.start, shares[number])]

        def take(_: int, told: list[tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
            for own, declared in told:
                ids.extend(own)
                keys.extend(declared)

        if not self.map_shares(shares, look, take) or len(keys) > len(set(keys)):
            return False
        # It is said again at the end, where all else is known, and told once.
        self.root.check_selection(tuple(ids))
        return not self.root.error_monitor.has_errors()

    @property
    def _has_secrets(self) -> bool:
        return any(one.secrets_file for one in self.root.files.values()) or bool(self._discovered.secrets_files)

    def outcome(self, manifest: Manifest | None = None) -> RunOutcome:
        """All that was found."""
        units = self._results.values()
        return RunOutcome(
            self.root.workspace,
            tuple(chain.from_iterable(one.ids for one in units)),
            tuple(chain.from_iterable(one.selected for one in units)),
            tuple(chain.from_iterable(one.checked for one in units)),
            build_findings(self.root.diags, self._severities),
            self.root.diags.skipped_checks,
            manifest,
        )

    def _stream_share(
        self, projects: Iterable[str], stream: Callable[[Run], Iterable[Item]], results: dict[str, ProjectResult]
    ) -> Iterator[Item]:
        """What comes of some projects; each is forgotten before the next, but for what was found."""
        for project in projects:
            results[project] = yield from self._stream_project(project, stream)

    def _stream_project(
        self, project: str, stream: Callable[[Run], Iterable[Item]]
    ) -> Generator[Item, None, ProjectResult]:
        # Whatever has the run ends with this function, so that the next one gets its memory, which is at hand.
        run = self.start(project)
        for item in stream(run):
            yield item
            if run.error_monitor.has_errors() and not self._continue_on_error:
                raise FallBackToWholeRunError
        return self.finish(run)

    def start(self, project: str, document_cache: DocumentCache | None = None) -> Run:
        """The run over a project, which may be none of the tree; raises SpoiltError where this is of no use."""
        run = self._create_run(project, self._discovered.by_project.get(project, {}), document_cache)
        if run.workspace is None or not run.workspace.is_self_contained:
            raise FallBackToWholeRunError
        if run.error_monitor.has_errors() and not self._continue_on_error:
            raise FallBackToWholeRunError
        if not self.content_digests.are_unchanged(project, run.files):
            raise FallBackToWholeRunError
        return run

    def has_same_files(self, run: Run) -> bool:
        """Whether this tree has the same files as another one for the project that a run is over."""
        part = run.scope
        assert part
        assert part.root
        same = part.name_index.environment_names == self.name_index.environment_names and _root_digests(
            part.root
        ) == _root_digests(self.root)
        return same and self.content_digests.are_same_files(part.projects, run.files)

    def secrets_file_digests(self) -> dict[str, str]:
        """All secrets files by path, each with a digest of its content."""
        own = {path: one.document.digest for path, one in self.root.files.items() if one.location.kind is Kind.SECRETS}
        return own | self.content_digests.secrets_file_digests()

    def read_secrets_files(self, paths: Container[str]) -> dict[str, Resource]:
        """Those of some secrets files that the tree has, read."""
        return {
            path: one for path, one in self.root.files.items() if path in paths
        } | self.content_digests.read_secrets_files(paths)

    def finish(self, run: Run) -> ProjectResult:
        """What a run over a project has found, of which all bundles have been looked at; raises SpoiltError."""
        found = project_result(run, self.root, self.name_index)
        if run.error_monitor.has_errors() and not self._continue_on_error:
            raise FallBackToWholeRunError
        return found

    def _create_run(self, project: str, locations: FileLocations, document_cache: DocumentCache | None = None) -> Run:
        documents = self.load_documents(project) if document_cache is None else document_cache
        part = RunScope(locations, self.name_index, self.root if project else None)
        run = Run(self._request._replace(document_cache=documents, progress=_ignore_progress), part)
        if document_cache is None:
            self.store_documents(documents)
        return run

    def load_documents(self, project: str) -> DocumentCache:
        """The files of a project as far as they have been read before."""
        known, memory = self._request.project_cache, self._request.document_cache
        return known.load_documents(project) if known else {} if memory is None else memory

    def store_documents(self, documents: DocumentCache) -> None:
        """Remember them as they have been read now."""
        if self._request.project_cache:
            self._request.project_cache.store_documents(documents)

    def split_into_shares(self, projects: Iterable[str]) -> list[list[str]]:
        """Projects that have to be looked at, neighbours together."""
        missing = list(projects)
        size = max(_MIN_SHARE_SIZE, min(_MAX_SHARE_SIZE, self._count_agents(missing) // (4 * self._request.jobs)))
        shares, agents = [list[str]()] if missing else [], 0
        for project in missing:
            if agents > size:
                shares.append([])
                agents = 0
            shares[-1].append(project)
            agents += self._count_agents((project,))
        return shares

    def _count_agents(self, projects: Iterable[str]) -> int:
        every = (at for project in projects for at in self._discovered.by_project.get(project, {}).values())
        return sum(at.kind is Kind.AGENT for at in every)

    def conclude(self, results: Mapping[str, ProjectResult]) -> None:
        """Tell what can only be told when all projects have been looked at; the run is done then."""
        self._results = {project: results[project] for project in self.projects}
        self.is_done = self._merge_results()

    def _merge_results(self) -> bool:
        units, diags = self._results.values(), self.root.diags
        ids = tuple(chain.from_iterable(one.ids for one in units))
        # Why there is none, only the whole tree tells.
        if not ids or not are_independent(units, self.root):
            return False
        self.has_errors = any(one.has_errors for one in units)
        self.root.check_selection(ids, has_errors=self.has_errors)
        # Only what has been said of the selection is new here.
        self.has_errors = self.has_errors or self.root.error_monitor.has_errors()
        for one in units:
            diags.extend(one.diagnostics)
            for check in one.not_checked:
                diags.skip(check)
        if self.root.is_complete and not any(one.has_breaking_errors for one in units):
            diags.extend(whole_tree_diagnostics(units, {each.code for each in diags}))
            diags.extend(
                tuple(self._suppressions.report_unused(diags, unchecked_codes=UNUSED_CODES | DECRYPTION_CODES))
            )
        wrong = ErrorMonitor(diags, self._severities, strict=self._request.strict).has_errors()
        if wrong and not self._continue_on_error:
            return False
        if self._request.project_cache:
            self._request.project_cache.store_results(self._results, self.project_digests)
        return True

    @cached_property
    def _suppressions(self) -> Suppressions:
        every = dict(self.root.own_suppressions)
        for one in self._results.values():
            every |= one.suppressions
        return Suppressions(every, self.root.today)

    @cached_property
    def _severities(self) -> SeverityResolver:
        workspace = self.root.workspace
        return SeverityResolver(workspace.organization.lint_severities if workspace else {}, self._suppressions)

    @cached_property
    def project_digests(self) -> ProjectDigests:
        """For each project a digest of all that decides what is found in it, but for the names in other projects."""
        unread = Diagnostics()
        found = read_sops_configs(self._tree, self._discovered.secrets_files, unread)
        rules = [(one.path, inside, one.digest) for one, inside in found]
        around = self.root.recorded_inputs(), sorted(self.name_index.environment_names), self.root.today
        return ProjectDigests(
            sha256_of((_root_digests(self.root), rules, *unread, *around)),
            self.projects,
            self.content_digests.project_digest,
        )


def _root_digests(root: Run) -> object:
    """What changes with what stands outside of projects."""
    return [(path, one.document.digest) for path, one in root.files.items()], root.template_digests()


class _AllLocations(Iterable[Location]):
    """The places of all files, which are gone through only where a name has to be found."""

    def __init__(self, discovered: DiscoveredFiles, other_locations: Iterable[Location]) -> None:
        self._discovered, self._other_locations = discovered, other_locations

    def __iter__(self) -> Iterator[Location]:
        for files in self._discovered.by_project.values():
            yield from files.values()
        yield from self._other_locations


def _run_in_process(count: int, jobs: int, work: Callable[[int], T], done: Callable[[int, T], None]) -> bool:
    """Do in this process what `divided` does in several."""
    try:
        for number in range(count):
            done(number, work(number))
    except (FallBackToWholeRunError, ReportedError):
        return False
    return True


def _ignore_progress(what: str, done: int, total: int) -> None:
    """A project has no progress of its own."""
