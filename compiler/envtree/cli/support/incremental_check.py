"""One look at a tree after the other: what was found in a project is found again only if a file of it has changed."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from envtree.cli.support.compile_plan import CompilePlan
from envtree.engine.by_project import ProjectRunner
from envtree.engine.cache import NO_OUTPUT, capture_output, may_be_intact
from envtree.engine.check import check_results
from envtree.engine.project_facts import DiscoveredFiles, ProjectResult
from envtree.engine.publish import publish
from envtree.engine.request import BundleResult, Request, RunOutcome
from envtree.engine.run import Run
from envtree.frontend.read_files import DocumentCache
from envtree.model.manifest_records import ManifestDigest, project_of
from envtree.output.emit.comparison_key import comparison_key
from envtree.queries.snapshot import evict_stale_documents
from envtree.sources.tree import Tree, digest_read_result

# So many parsed files are held, of which each takes about 30 kB: those of the projects that were looked at last.
_HELD = 5000

# Bundles by id, each with what tells two versions apart.
BundleVersions = dict[str, object]


class IncrementalChecker:
    """What was found at the last look."""

    has_previous_run = True

    def __init__(self) -> None:
        self._tree: Tree | None = None
        self._root, self._output_state = Path(), NO_OUTPUT
        self._results: dict[str, ProjectResult] = {}
        self._digests: dict[str, str] = {}
        self._bundles_by_project: dict[str, BundleVersions] = {}
        self._document_caches: dict[str, DocumentCache] = {}

    def check(self, request: Request) -> tuple[RunOutcome, BundleVersions]:
        """Check the tree of a request: all that was found, and the bundles."""
        self._tree = request.tree
        parts = ProjectRunner(request._replace(project_cache=self), continue_on_error=True)
        if parts.is_possible():
            wanted, kept = (
                parts.root.select_writers(),
                {project: self._bundles_by_project[project] for project in parts.cached_results},
            )
            found = parts.run_all(lambda run: check_results(run, wanted), _bundle_digests)
            if found is not None:
                self._bundles_by_project = _group_by_project(found, parts.projects) | kept
                return parts.outcome(), _merge_projects(self._bundles_by_project.values())
        run = Run(request)
        bundles = _bundle_digests(0, check_results(run, run.select_writers()))
        return run.outcome(), bundles

    def compile(self, plan: CompilePlan, root: Path) -> RunOutcome:
        """Compile the tree of a plan, which lies at a root, into its folder."""
        self._tree, self._root = plan.request.tree, root
        outcome = publish(plan.request._replace(project_cache=self), plan.places, plan.formats, plan.beside)
        if outcome.manifest:
            self._output_state = capture_output(plan.places.primary, outcome.manifest)
        return outcome

    @property
    def manifest_digest(self) -> ManifestDigest | None:
        """That of the output, as it was left."""
        return self._output_state.manifest_digest or None

    def load_results(self, digests: Mapping[str, str]) -> dict[str, ProjectResult]:
        """What was found in those of the projects that have the same digest as then, and need not be written again."""
        if not may_be_intact(self._output_state, self._root, thorough=False):
            return {}
        return {
            project: one for project, one in self._results.items() if self._digests[project] == digests.get(project)
        }

    def store_results(self, units: Mapping[str, ProjectResult], digests: Mapping[str, str]) -> None:
        """Remember what was found in all projects, which have these digests."""
        self._results, self._digests = dict(units), dict(digests)

    def load_discovered(self) -> DiscoveredFiles | None:
        """Nothing: where files stand is looked at each time."""

    def store_discovered(self, placed: DiscoveredFiles) -> None:
        """Remember nothing."""

    def file_digest(self, path: str) -> str:
        """What changes with the content of a file."""
        assert self._tree
        return digest_read_result(self._tree.read(path))

    def load_documents(self, project: str) -> DocumentCache:
        """The files of a project as they were read before."""
        self._document_caches[project] = self._document_caches.pop(project, {})
        return self._document_caches[project]

    def store_documents(self, documents: DocumentCache) -> None:
        """Remember them as they have been read now, and forget those that nobody has looked at for the longest time."""
        oldest = iter([project for project in self._document_caches if project])
        while sum(map(len, self._document_caches.values())) > _HELD and (project := next(oldest, None)):
            del self._document_caches[project]

    def forget(self, files: Mapping[str, str]) -> None:
        """Take out what no file says any more; `files` has the digests of all that were read, by path."""
        for memory in self._document_caches.values():
            evict_stale_documents(memory, files)


def _bundle_digests(_: int, results: Iterable[BundleResult]) -> BundleVersions:
    return {bundle.target.id: sha256(comparison_key(dict(bundle.data))).digest() for _, bundle in results}


def _group_by_project(shares: Iterable[BundleVersions], projects: Iterable[str]) -> dict[str, BundleVersions]:
    every: dict[str, BundleVersions] = {project: {} for project in projects}
    for bundles in shares:
        for id, told in bundles.items():
            every[project_of(id)][id] = told
    return every


def _merge_projects(projects: Iterable[BundleVersions]) -> BundleVersions:
    return {id: told for part in projects for id, told in part.items()}
