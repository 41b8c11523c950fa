"""Cache project results for the next run of the same command line, and parsed files for any run."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, NamedTuple

from envtree.engine import cache
from envtree.engine.cache.cache_folder import CacheFolder
from envtree.engine.cache.object_store import (
    PICKLE_ERRORS,
    LazyObjects,
    decode_object,
    encode_object,
    load_object,
    save_object,
)
from envtree.engine.cache.path_fingerprints import part_name
from envtree.engine.project_facts import DiscoveredFiles, ProjectDigests, ProjectResult
from envtree.frontend.read_files import DocumentCache
from envtree.model.manifest_records import ManifestDigest


class StoredDocuments(dict[Any, Any]):
    """Parsed files by path, location and digest; entries that a run does not use are dropped."""

    def __init__(self, folder: CacheFolder, name: str) -> None:
        super().__init__(load_object(folder, name) or {})
        self._folder, self._name = folder, name
        self._loaded_keys, self._used_keys = set(self), set[Any]()

    def __getitem__(self, key: Any) -> Any:
        self._used_keys.add(key)
        return super().__getitem__(key)

    def save(self) -> None:
        """Write the used entries, if they differ from the loaded ones."""
        if self._used_keys != self._loaded_keys:
            save_object(self._folder, self._name, {key: self.get(key) for key in self._used_keys})


class ProjectCacheNames(NamedTuple):
    """The names of cache entries: that of the project results, and that of the documents of a project."""

    projects: str
    documents: Callable[[str], str]


class _CachedProject(NamedTuple):
    """A cached project: its digest, a digest for each part of the tree with its files, and its encoded result."""

    digest: str
    parts: dict[str, bytes]
    result: bytes


class _CachedTree(NamedTuple):
    """A cached tree: the state of its output, and its discovery, whose `locations` are encoded by project."""

    output_state: cache.OutputState
    listing_digest: str
    discovered: DiscoveredFiles
    locations: dict[str, bytes]
    shared_digest: str
    projects: dict[str, _CachedProject]


class CommandProjectCache:
    """The project cache of one command line: results of the previous run, and those of this one."""

    def __init__(
        self,
        folder: cache.CacheFolder,
        names: ProjectCacheNames,
        tree: cache.ReadRecorder,
        may_be_intact: Callable[[cache.OutputState], bool],
        *,
        has_previous_run: bool,
    ) -> None:
        self.has_previous_run = has_previous_run
        self.manifest_digest: ManifestDigest | None = None
        self._folder, self._names, self._tree, self._may_be_intact = folder, names, tree, may_be_intact
        self._discovered: DiscoveredFiles | None = None
        self._loaded: dict[str, ProjectResult] = {}
        self._shared_digest, self._projects = "", dict[str, _CachedProject]()

    @cached_property
    def _cached_tree(self) -> _CachedTree | None:
        cached = load_object(self._folder, self._names.projects)
        return cached if isinstance(cached, _CachedTree) else None

    @cached_property
    def _has_same_listing(self) -> bool:
        """Whether the tree has the same files as when it was cached."""
        return (
            self._cached_tree is not None
            and self._cached_tree.listing_digest == self._tree.previous.listing_digest
            and self._tree.reuse_previous()
        )

    def load_discovered(self) -> DiscoveredFiles | None:
        """Return the cached discovery if the tree has the same files."""
        if self._cached_tree is None or not self._has_same_listing:
            return None
        return self._cached_tree.discovered._replace(by_project=LazyObjects(self._cached_tree.locations))

    def store_discovered(self, discovered: DiscoveredFiles) -> None:
        """Store the result of discovery."""
        self._discovered = discovered

    def load_results(self, digests: ProjectDigests) -> dict[str, ProjectResult]:
        """Return the results of projects with the same digest, unless the output may have changed."""
        tree = self._cached_tree
        if tree is None or tree.shared_digest != digests.shared or not self._may_be_intact(tree.output_state):
            return {}
        self.manifest_digest = tree.output_state.current_digest()
        unchanged = (
            (name, decode_object(project.result))
            for name, project in tree.projects.items()
            if self._is_unchanged(project) or digests.get(name) == project.digest
        )
        self._loaded = {name: result for name, result in unchanged if isinstance(result, ProjectResult)}
        return self._loaded

    def _is_unchanged(self, cached: _CachedProject) -> bool:
        """Return whether no file has changed in the parts of the tree with files of a project."""
        return self._has_same_listing and cached.parts == _part_digests(self._tree.previous, cached.parts)

    def store_results(self, results: Mapping[str, ProjectResult], digests: ProjectDigests) -> None:
        """Store the results of all projects under these digests."""
        assert self._discovered is not None
        self._shared_digest = digests.shared
        with suppress(*PICKLE_ERRORS):
            self._projects = {
                project: self._cached_project(project, result, digests) for project, result in results.items()
            }

    def _cached_project(self, project: str, result: ProjectResult, digests: ProjectDigests) -> _CachedProject:
        cached = (
            self._cached_tree.projects[project] if self._cached_tree and self._loaded.get(project) is result else None
        )
        if cached and self._has_same_listing:
            return cached
        assert self._discovered is not None
        parts = dict.fromkeys(map(part_name, self._discovered.by_project[project]), b"")
        return _CachedProject(digests[project], parts, cached.result if cached else encode_object(result))

    def save(self, output_state: cache.OutputState, read_log: cache.ReadLog) -> None:
        """Write the results for the next run, if all projects have one."""
        if self._discovered and self._projects:
            locations = self._discovered.by_project
            encoded = (
                locations.data
                if isinstance(locations, LazyObjects)
                else {name: encode_object(files) for name, files in locations.items()}
            )
            projects = {
                name: project._replace(parts=_part_digests(read_log, project.parts))
                for name, project in self._projects.items()
            }
            tree = _CachedTree(
                output_state=output_state,
                listing_digest=read_log.listing_digest,
                discovered=self._discovered._replace(by_project={}),
                locations=encoded,
                shared_digest=self._shared_digest,
                projects=projects,
            )
            save_object(self._folder, self._names.projects, tree)

    def file_digest(self, path: str) -> str:
        """Return a digest of the content of a file."""
        return self._tree.file_digest(path).hex()

    def load_documents(self, project: str) -> DocumentCache:
        """Return the parsed files of a project; none on the first run, as a command line may never run again."""
        return StoredDocuments(self._folder, self._names.documents(project)) if self.has_previous_run else {}

    def store_documents(self, documents: DocumentCache) -> None:
        """Write the parsed files of a project."""
        if isinstance(documents, StoredDocuments):
            documents.save()


def _part_digests(read_log: cache.ReadLog, parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the digests of all files in some parts of a tree."""
    return {name: read_log.parts[name].files_digest for name in parts if name in read_log.parts}
