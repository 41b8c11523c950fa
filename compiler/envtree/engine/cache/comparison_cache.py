"""Cache discovery and project results of compared trees for the next comparison."""

import os
from collections.abc import Mapping
from typing import Protocol

from envtree.engine import cache
from envtree.engine.cache.object_store import load_object, save_object
from envtree.engine.cache.replay_cache import cache_entry_name
from envtree.engine.project_facts import DiscoveredFiles, ProjectResult
from envtree.engine.request import Request
from envtree.frontend.read_files import DocumentCache
from envtree.sources.git_revision import RevisionTree
from envtree.sources.tree import DirectoryTree, Tree, digest_read_result


class _SavableCache(Protocol):
    def save(self) -> None:
        """Write the cache to its folder."""


class ComparisonCache:
    """The results of projects of either tree by digest; results that this comparison did not use are dropped."""

    def __init__(self, folder: cache.CacheFolder, *identity: object) -> None:
        self._folder, self._name = folder, cache_entry_name(folder, "projects", *identity)
        self._loaded: dict[str, ProjectResult] = load_object(folder, self._name) or {}
        self._current: dict[str, ProjectResult] = {}
        self._tree_caches: list[_SavableCache] = []

    def with_project_cache(self, request: Request) -> Request:
        """Return the request with a project cache for its tree."""
        tree = request.tree
        if isinstance(tree, RevisionTree):
            commit_cache = _CommitCache(self, self._folder, tree)
            self._tree_caches.append(commit_cache)
            return request._replace(project_cache=commit_cache)
        if isinstance(tree, DirectoryTree):
            directory_cache = _DirectoryCache(self, self._folder, tree, request.jobs)
            self._tree_caches.append(directory_cache)
            return request._replace(project_cache=directory_cache, tree=directory_cache.tree)
        return request

    def load_results(self, digests: Mapping[str, str]) -> dict[str, ProjectResult]:
        """Return the cached results of projects with these digests."""
        return {project: self._loaded[digest] for project, digest in digests.items() if digest in self._loaded}

    def store_results(self, results: Mapping[str, ProjectResult], digests: Mapping[str, str]) -> None:
        """Store the results of projects under these digests."""
        self._current |= {digests[project]: result for project, result in results.items()}

    def save(self) -> None:
        """Write the results and the caches of both trees, if there are any results."""
        if self._current and self._current != self._loaded:
            save_object(self._folder, self._name, self._current)
        for tree_cache in self._tree_caches if self._current else ():
            tree_cache.save()
        self._folder.evict_oldest()


class _TreeCache:
    """The project cache of one tree of a comparison."""

    manifest_digest, has_previous_run = None, True

    def __init__(self, comparison: ComparisonCache) -> None:
        self.load_results, self.store_results = comparison.load_results, comparison.store_results
        self._discovered: DiscoveredFiles | None = None

    def store_discovered(self, discovered: DiscoveredFiles) -> None:
        """Store the result of discovery."""
        self._discovered = discovered

    def load_documents(self, project: str) -> DocumentCache:
        """Return no documents: few projects have to be parsed."""
        return {}

    def store_documents(self, documents: DocumentCache) -> None:
        """Store nothing."""


class _DirectoryCache(_TreeCache):
    """The cache of a working directory, with the read log of the last run."""

    def __init__(self, comparison: ComparisonCache, folder: cache.CacheFolder, tree: DirectoryTree, jobs: int) -> None:
        super().__init__(comparison)
        self._folder, self._name = folder, cache_entry_name(folder, "folder", str(tree.root))
        self._loaded: tuple[cache.ReadLog, DiscoveredFiles] | None = load_object(folder, self._name)
        self.tree = cache.ReadRecorder(tree)
        if self._loaded:
            self.tree.refresh(self._loaded[0], jobs)

    def load_discovered(self) -> DiscoveredFiles | None:
        """Return the cached discovery if the listing of the tree is unchanged."""
        return self._loaded[1] if self._loaded and self.tree.reuse_previous() else None

    def file_digest(self, path: str) -> str:
        """Return a digest of the content of a file."""
        return self.tree.file_digest(path).hex()

    def save(self) -> None:
        """Write the read log and the discovery, unless the log is unchanged."""
        read_log = self.tree.read_log()
        if self._discovered and not (self._loaded and read_log == self._loaded[0]):
            save_object(self._folder, self._name, (read_log, self._discovered))


class _CommitCache(_TreeCache):
    """The cache of a commit, whose content never changes."""

    def __init__(self, comparison: ComparisonCache, folder: cache.CacheFolder, tree: RevisionTree) -> None:
        super().__init__(comparison)
        self._folder, self._name, self._tree = folder, cache_entry_name(folder, "commit", *tree.identity), tree
        self._loaded: tuple[DiscoveredFiles, dict[str, str]] | None = load_object(folder, self._name)
        self._digests: dict[str, str] = self._loaded[1] if self._loaded else {}

    def load_discovered(self) -> DiscoveredFiles | None:
        """Return the cached discovery, and prefetch the files outside of projects."""
        if self._loaded is None:
            return None
        discovered = self._loaded[0]
        self._tree.prefetch(discovered.by_project[""])
        return discovered

    def file_digest(self, path: str) -> str:
        """Return a digest of the content of a file."""
        if path not in self._digests:
            self._digests[path] = digest_read_result(self._tree.read(path))
        return self._digests[path]

    def save(self) -> None:
        """Write the discovery and the digests of files, unless they are cached already."""
        if self._discovered and self._loaded is None:
            save_object(self._folder, self._name, (self._discovered, self._digests))


def open_comparison_cache(tree: Tree, selectors: tuple[str, ...]) -> ComparisonCache | None:
    """Return the cache for comparisons of a tree, or None if it cannot be cached."""
    folder = cache.find_cache_folder(os.environ)
    root = tree.root if isinstance(tree, DirectoryTree) else tree.identity if isinstance(tree, RevisionTree) else None
    return ComparisonCache(folder, str(root), selectors) if folder and root else None
