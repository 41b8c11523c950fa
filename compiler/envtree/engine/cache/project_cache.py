"""What is known of projects from an earlier run of the same command line, and of their files from any run."""

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
    """What is known of files, by path, place and digest; what nobody asks for any more is forgotten."""

    def __init__(self, folder: CacheFolder, name: str) -> None:
        super().__init__(load_object(folder, name) or {})
        self._folder, self._name = folder, name
        self._loaded_keys, self._used_keys = set(self), set[Any]()

    def __getitem__(self, key: Any) -> Any:
        self._used_keys.add(key)
        return super().__getitem__(key)

    def save(self) -> None:
        """Keep what was asked for."""
        if self._used_keys != self._loaded_keys:
            save_object(self._folder, self._name, {key: self.get(key) for key in self._used_keys})


class ProjectCacheNames(NamedTuple):
    """Under which names it is kept: what was found in projects, and the files of one."""

    projects: str
    documents: Callable[[str], str]


class _CachedProject(NamedTuple):
    """What is known of a project: its digest, in which parts of the tree its files lie and what changes with all files
    of each, and as data what was found.
    """

    digest: str
    parts: dict[str, bytes]
    result: bytes


class _CachedTree(NamedTuple):
    """What is known of a tree whose bundles lie at a `place`; `listing` changes with which files there are, which are
    `placed` as `files` has it, as data.
    """

    output_state: cache.OutputState
    listing_digest: str
    discovered: DiscoveredFiles
    locations: dict[str, bytes]
    shared_digest: str
    projects: dict[str, _CachedProject]


class CommandProjectCache:
    """What was found in the projects of a tree before, and what the run that asks for it finds."""

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
        found = load_object(self._folder, self._names.projects)
        return found if isinstance(found, _CachedTree) else None

    @cached_property
    def _has_same_listing(self) -> bool:
        """Whether there are the same files as when this was kept."""
        return (
            self._cached_tree is not None
            and self._cached_tree.listing_digest == self._tree.previous.listing_digest
            and self._tree.reuse_previous()
        )

    def load_discovered(self) -> DiscoveredFiles | None:
        """What discovery would find, if there are the same files as then."""
        if self._cached_tree is None or not self._has_same_listing:
            return None
        return self._cached_tree.discovered._replace(by_project=LazyObjects(self._cached_tree.locations))

    def store_discovered(self, discovered: DiscoveredFiles) -> None:
        """Remember what discovery has found."""
        self._discovered = discovered

    def load_results(self, digests: ProjectDigests) -> dict[str, ProjectResult]:
        """What was found in those of the projects that have the same digest as then, and need not be written again."""
        kept = self._cached_tree
        if kept is None or kept.shared_digest != digests.shared or not self._may_be_intact(kept.output_state):
            return {}
        self.manifest_digest = kept.output_state.manifest_digest
        same = (
            one for one, known in kept.projects.items() if self._is_unchanged(known) or digests.get(one) == known.digest
        )
        found = ((project, decode_object(kept.projects[project].result)) for project in same)
        self._loaded = {project: unit for project, unit in found if isinstance(unit, ProjectResult)}
        return self._loaded

    def _is_unchanged(self, cached: _CachedProject) -> bool:
        """Whether no file of a project has changed, nor any beside them."""
        return self._has_same_listing and cached.parts == _part_digests(self._tree.previous, cached.parts)

    def store_results(self, results: Mapping[str, ProjectResult], digests: ProjectDigests) -> None:
        """Remember what was found in all projects, which have these digests."""
        assert self._discovered is not None
        self._shared_digest = digests.shared
        with suppress(*PICKLE_ERRORS):
            self._projects = {
                project: self._cached_project(project, unit, digests) for project, unit in results.items()
            }

    def _cached_project(self, project: str, result: ProjectResult, digests: ProjectDigests) -> _CachedProject:
        known = (
            self._cached_tree.projects[project] if self._cached_tree and self._loaded.get(project) is result else None
        )
        if known and self._has_same_listing:
            return known
        assert self._discovered is not None
        parts = dict.fromkeys(map(part_name, self._discovered.by_project[project]), b"")
        return _CachedProject(digests[project], parts, known.result if known else encode_object(result))

    def save(self, output_state: cache.OutputState, read_log: cache.ReadLog) -> None:
        """Keep what was found, if all was, for the next run."""
        if self._discovered and self._projects:
            files = self._discovered.by_project
            data = (
                files.data
                if isinstance(files, LazyObjects)
                else {name: encode_object(one) for name, one in files.items()}
            )
            projects = {
                name: one._replace(parts=_part_digests(read_log, one.parts)) for name, one in self._projects.items()
            }
            kept = _CachedTree(
                output_state,
                read_log.listing_digest,
                self._discovered._replace(by_project={}),
                data,
                self._shared_digest,
                projects,
            )
            save_object(self._folder, self._names.projects, kept)

    def file_digest(self, path: str) -> str:
        """What changes with the content of a file."""
        return self._tree.file_digest(path).hex()

    def load_documents(self, project: str) -> DocumentCache:
        """The files of a project as they were read before; they are for who comes again."""
        return StoredDocuments(self._folder, self._names.documents(project)) if self.has_previous_run else {}

    def store_documents(self, documents: DocumentCache) -> None:
        """Remember them as they have been read now."""
        if isinstance(documents, StoredDocuments):
            documents.save()


def _part_digests(read_log: cache.ReadLog, parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """What changes with all that is in the files of some parts of a tree."""
    return {name: read_log.parts[name].files_digest for name in parts if name in read_log.parts}
