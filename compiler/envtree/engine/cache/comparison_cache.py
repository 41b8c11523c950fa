"""What is known of two trees from when they were compared before: where files stand, and what was found in projects."""

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
        """Keep what is known now."""


class ComparisonCache:
    """What was found in projects of either tree, by digest; of what was not asked for this time nothing is kept."""

    def __init__(self, folder: cache.CacheFolder, *identity: object) -> None:
        self._folder, self._name = folder, cache_entry_name(folder, "projects", *identity)
        self._loaded: dict[str, ProjectResult] = load_object(folder, self._name) or {}
        self._current: dict[str, ProjectResult] = {}
        self._tree_caches: list[_SavableCache] = []

    def with_project_cache(self, request: Request) -> Request:
        """The same request, over a tree of which is known what was known the last time."""
        tree = request.tree
        if isinstance(tree, RevisionTree):
            commit = _CommitCache(self, self._folder, tree)
            self._tree_caches.append(commit)
            return request._replace(project_cache=commit)
        if isinstance(tree, DirectoryTree):
            folder = _DirectoryCache(self, self._folder, tree, request.jobs)
            self._tree_caches.append(folder)
            return request._replace(project_cache=folder, tree=folder.tree)
        return request

    def load_results(self, digests: Mapping[str, str]) -> dict[str, ProjectResult]:
        """What was found in the projects that have these digests."""
        return {project: self._loaded[digest] for project, digest in digests.items() if digest in self._loaded}

    def store_results(self, results: Mapping[str, ProjectResult], digests: Mapping[str, str]) -> None:
        """Remember what was found in projects, which have these digests."""
        self._current |= {digests[project]: unit for project, unit in results.items()}

    def save(self) -> None:
        """Keep all of it, if there is anything to keep."""
        if self._current and self._current != self._loaded:
            save_object(self._folder, self._name, self._current)
        for side in self._tree_caches if self._current else ():
            side.save()
        self._folder.evict_oldest()


class _TreeCache:
    """A tree of a comparison."""

    manifest_digest, has_previous_run = None, True

    def __init__(self, comparison: ComparisonCache) -> None:
        self.load_results, self.store_results = comparison.load_results, comparison.store_results
        self._discovered: DiscoveredFiles | None = None

    def store_discovered(self, discovered: DiscoveredFiles) -> None:
        """Remember what discovery has found."""
        self._discovered = discovered

    def load_documents(self, project: str) -> DocumentCache:
        """Nothing: few projects have to be read."""
        return {}

    def store_documents(self, documents: DocumentCache) -> None:
        """Remember nothing."""


class _DirectoryCache(_TreeCache):
    """A folder, and how it was seen the last time."""

    def __init__(self, comparison: ComparisonCache, folder: cache.CacheFolder, tree: DirectoryTree, jobs: int) -> None:
        super().__init__(comparison)
        self._folder, self._name = folder, cache_entry_name(folder, "folder", str(tree.root))
        self._loaded: tuple[cache.ReadLog, DiscoveredFiles] | None = load_object(folder, self._name)
        self.tree = cache.ReadRecorder(tree)
        if self._loaded:
            self.tree.refresh(self._loaded[0], jobs)

    def load_discovered(self) -> DiscoveredFiles | None:
        """What discovery would find, if there are the same files as then."""
        return self._loaded[1] if self._loaded and self.tree.reuse_previous() else None

    def file_digest(self, path: str) -> str:
        """What changes with the content of a file."""
        return self.tree.file_digest(path).hex()

    def save(self) -> None:
        """Keep what was seen."""
        seen = self.tree.read_log()
        if self._discovered and not (self._loaded and seen == self._loaded[0]):
            save_object(self._folder, self._name, (seen, self._discovered))


class _CommitCache(_TreeCache):
    """A commit, of which nothing changes."""

    def __init__(self, comparison: ComparisonCache, folder: cache.CacheFolder, tree: RevisionTree) -> None:
        super().__init__(comparison)
        self._folder, self._name, self._tree = folder, cache_entry_name(folder, "commit", *tree.identity), tree
        self._loaded: tuple[DiscoveredFiles, dict[str, str]] | None = load_object(folder, self._name)
        self._digests: dict[str, str] = self._loaded[1] if self._loaded else {}

    def load_discovered(self) -> DiscoveredFiles | None:
        """What discovery has found."""
        if self._loaded is None:
            return None
        placed = self._loaded[0]
        self._tree.prefetch(placed.by_project[""])
        return placed

    def file_digest(self, path: str) -> str:
        """What changes with the content of a file."""
        if path not in self._digests:
            self._digests[path] = digest_read_result(self._tree.read(path))
        return self._digests[path]

    def save(self) -> None:
        """Keep where its files stand, and their digests."""
        if self._discovered and self._loaded is None:
            save_object(self._folder, self._name, (self._discovered, self._digests))


def open_comparison_cache(tree: Tree, selectors: tuple[str, ...]) -> ComparisonCache | None:
    """What is known of the projects of a tree that is compared with others; None where nothing can be remembered."""
    folder = cache.find_cache_folder(os.environ)
    root = tree.root if isinstance(tree, DirectoryTree) else tree.identity if isinstance(tree, RevisionTree) else None
    return ComparisonCache(folder, str(root), selectors) if folder and root else None
