"""Digest the files of projects, so that an unchanged project is recognised without parsing it."""

from collections.abc import Container, Iterable, Mapping
from hashlib import sha256

from envtree.engine.project_facts import DiscoveredFiles, ProjectCache
from envtree.frontend.discover import read_sources
from envtree.frontend.read_files import SourceReader
from envtree.model.diagnostic import Diagnostics
from envtree.model.resource import Resource
from envtree.model.source import Location
from envtree.sources.tree import PrefetchingTree, Tree, digest_read_result


class ContentDigests:
    """The digests of project files, from the `project_cache` if there is one."""

    def __init__(self, tree: Tree, discovered: DiscoveredFiles, project_cache: ProjectCache | None) -> None:
        self._tree, self._discovered, self._project_cache = tree, discovered, project_cache
        # Memoised as they are requested.
        self._digests: dict[str, str] = {}

    def file_digest(self, path: str) -> str:
        """Return the SHA-256 of a file's content, memoised."""
        if path not in self._digests:
            self._digests[path] = (
                self._project_cache.file_digest(path)
                if self._project_cache
                else digest_read_result(self._tree.read(path))
            )
        return self._digests[path]

    def project_digest(self, name: str) -> str:
        """Return a digest of the files of a project, with their locations and content."""
        locations = self._discovered.by_project[name].items()
        return sha256_of(
            ["\0".join((path, *at[:4], at.owner or "", at[5], self.file_digest(path))) for path, at in locations]
        )

    def are_unchanged(self, project: str, files: Mapping[str, Resource]) -> bool:
        """Return whether the files that a run has read match the digests; missing digests are set from those files.

        Otherwise the findings about a file that changed in between would be cached under its old digest.
        """
        paths = self._discovered.by_project.get(project, {})
        return all(self._is_unchanged(path, files) for path in paths if self._project_cache or path in self._digests)

    def _is_unchanged(self, path: str, files: Mapping[str, Resource]) -> bool:
        if path in files:
            digest = files[path].document.digest
        elif isinstance(problem := self._tree.read(path), bytes):
            return False
        else:
            digest = digest_read_result(problem)
        return self._digests.setdefault(path, digest) == digest

    def are_same_files(self, projects: Iterable[str], files: Mapping[str, Resource]) -> bool:
        """Return whether some projects have exactly these files, which were read from another tree."""
        locations: dict[str, Location] = {}
        for project in projects:
            locations |= self._discovered.by_project.get(project, {})
        return locations.keys() == files.keys() and all(
            locations[path] == resource.location and self.file_digest(path) == resource.document.digest
            for path, resource in files.items()
        )

    def prefetch(self, projects: Iterable[str]) -> None:
        """Read the files of projects in advance, from trees for which single reads are slow."""
        if isinstance(self._tree, PrefetchingTree):
            self._tree.prefetch(path for project in projects for path in self._discovered.by_project.get(project, ()))

    def secrets_file_digests(self) -> dict[str, str]:
        """Return the secrets files of projects by path, each with its digest."""
        return {path: self.file_digest(path) for path in self._discovered.secrets_files}

    def read_secrets_files(self, paths: Container[str]) -> dict[str, Resource]:
        """Return the resources of those of the secrets files that exist in projects."""
        locations = {path: at for path, at in self._discovered.secrets_files.items() if path in paths}
        sources = read_sources(self._tree, locations, Diagnostics())
        resources = SourceReader(self._tree, {}).read(sources, lambda _: None, Diagnostics())
        return {resource.document.path: resource for resource in resources}


def sha256_of(data: object) -> str:
    """Return the SHA-256 of the representation of data, in hex."""
    return sha256(repr(data).encode("utf-8", "surrogateescape")).hexdigest()
