"""Repeated checks of one tree in a process: a project is computed again only if one of its files has changed."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from envtree.engine.by_project import ProjectRunner
from envtree.engine.cache import NO_OUTPUT, capture_output, may_be_intact
from envtree.engine.check import check_results
from envtree.engine.project_facts import DiscoveredFiles, ProjectResult
from envtree.engine.publish import CompilePlan, publish
from envtree.engine.request import BundleResult, Request, RunOutcome
from envtree.engine.run import Run
from envtree.frontend.read_files import DocumentCache
from envtree.model.manifest_records import ManifestDigest, project_of
from envtree.output.emit.comparison_key import comparison_key
from envtree.queries.snapshot import evict_stale_documents
from envtree.sources.tree import Tree, digest_read_result

# The number of parsed files in memory, about 30 kB each; those of the least recently used projects are dropped.
_MAX_CACHED_DOCUMENTS = 5000

# A value for each bundle id that differs between two versions of the bundle, such as a digest.
BundleVersions = dict[str, object]


class IncrementalChecker:
    """The `ProjectCache` of a process that runs repeatedly; the results of the last run are kept in memory."""

    has_previous_run = True

    def __init__(self) -> None:
        self._tree: Tree | None = None
        self._root, self._output_state = Path(), NO_OUTPUT
        self._results: dict[str, ProjectResult] = {}
        self._digests: dict[str, str] = {}
        self._bundles_by_project: dict[str, BundleVersions] = {}
        self._document_caches: dict[str, DocumentCache] = {}

    def check(self, request: Request) -> tuple[RunOutcome, BundleVersions]:
        """Check the tree of a request; return the outcome and the versions of all bundles."""
        self._tree = request.tree
        runner = ProjectRunner(request._replace(project_cache=self), continue_on_error=True)
        if runner.is_possible():
            writers = runner.root.select_writers()
            unchanged = {project: self._bundles_by_project[project] for project in runner.cached_results}
            shares = runner.run_all(lambda run: check_results(run, writers), _bundle_digests)
            if shares is not None:
                self._bundles_by_project = _group_by_project(shares, runner.projects) | unchanged
                return runner.outcome(), _merge_projects(self._bundles_by_project.values())
        run = Run(request)
        bundles = _bundle_digests(0, check_results(run, run.select_writers()))
        return run.outcome(), bundles

    def compile(self, plan: CompilePlan, root: Path) -> RunOutcome:
        """Compile the tree of a plan, whose root folder is `root`, to the destinations of the plan."""
        self._tree, self._root = plan.request.tree, root
        outcome = publish(plan._replace(request=plan.request._replace(project_cache=self)))
        if outcome.manifest:
            self._output_state = capture_output(plan.destinations.primary, outcome.manifest)
        return outcome

    @property
    def manifest_digest(self) -> ManifestDigest | None:
        """The digest of the manifest that the last run wrote."""
        return self._output_state.current_digest()

    def load_results(self, digests: Mapping[str, str]) -> dict[str, ProjectResult]:
        """Return the results of projects with the same digest as in the last run; none if the output has changed."""
        if not may_be_intact(self._output_state, self._root, thorough=False):
            return {}
        return {
            project: result
            for project, result in self._results.items()
            if self._digests[project] == digests.get(project)
        }

    def store_results(self, results: Mapping[str, ProjectResult], digests: Mapping[str, str]) -> None:
        """Store the results of all projects with the digests of their inputs."""
        self._results, self._digests = dict(results), dict(digests)

    def load_discovered(self) -> DiscoveredFiles | None:
        """Return None: discovery is repeated in every run."""

    def store_discovered(self, discovered: DiscoveredFiles) -> None:
        """Store nothing."""

    def file_digest(self, path: str) -> str:
        """Return the digest of the content of a file, or of the problem in reading it."""
        assert self._tree
        return digest_read_result(self._tree.read(path))

    def load_documents(self, project: str) -> DocumentCache:
        """Return the parsed files of a project from earlier runs, and mark the project as most recently used."""
        self._document_caches[project] = self._document_caches.pop(project, {})
        return self._document_caches[project]

    def store_documents(self, documents: DocumentCache) -> None:
        """Drop the parsed files of the least recently used projects while there are too many.

        The caches that `load_documents` returned have been updated in place.
        """
        oldest = iter([project for project in self._document_caches if project])
        while sum(map(len, self._document_caches.values())) > _MAX_CACHED_DOCUMENTS and (project := next(oldest, None)):
            del self._document_caches[project]

    def forget(self, files: Mapping[str, str]) -> None:
        """Drop parsed files whose content has changed; `files` are the digests of all files that were read, by path."""
        for cache in self._document_caches.values():
            evict_stale_documents(cache, files)


def _bundle_digests(_: int, results: Iterable[BundleResult]) -> BundleVersions:
    return {bundle.target.id: sha256(comparison_key(dict(bundle.data))).digest() for _, bundle in results}


def _group_by_project(shares: Iterable[BundleVersions], projects: Iterable[str]) -> dict[str, BundleVersions]:
    by_project: dict[str, BundleVersions] = {project: {} for project in projects}
    for bundles in shares:
        for id, version in bundles.items():
            by_project[project_of(id)][id] = version
    return by_project


def _merge_projects(projects: Iterable[BundleVersions]) -> BundleVersions:
    return {id: version for bundles in projects for id, version in bundles.items()}
