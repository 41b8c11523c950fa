"""What is in the files of a tree, told by digests, so that a project need not be read to know that it is as it was."""

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
    """The files of projects; what is `known` of some is asked for first."""

    def __init__(self, tree: Tree, discovered: DiscoveredFiles, project_cache: ProjectCache | None) -> None:
        self._tree, self._discovered, self._project_cache = tree, discovered, project_cache
        # As far as anybody asked.
        self._digests: dict[str, str] = {}

    def file_digest(self, path: str) -> str:
        """What changes with what is in a file."""
        if path not in self._digests:
            self._digests[path] = (
                self._project_cache.file_digest(path)
                if self._project_cache
                else digest_read_result(self._tree.read(path))
            )
        return self._digests[path]

    def project_digest(self, name: str) -> str:
        """What changes with the files of a project, where they stand, and what is in them."""
        placed = self._discovered.by_project[name].items()
        return sha256_of(
            ["\0".join((path, *at[:4], at.owner or "", at[5], self.file_digest(path))) for path, at in placed]
        )

    def are_unchanged(self, project: str, files: Mapping[str, Resource]) -> bool:
        """Whether what was read of a project is what the digests are of, or will be where nobody has asked so far.

        What is found in a file that has changed in the meantime would be remembered of what it was.
        """
        paths = self._discovered.by_project.get(project, {})
        return all(self._is_unchanged(path, files) for path in paths if self._project_cache or path in self._digests)

    def _is_unchanged(self, path: str, files: Mapping[str, Resource]) -> bool:
        if path in files:
            now = files[path].document.digest
        elif isinstance(found := self._tree.read(path), bytes):
            return False
        else:
            now = digest_read_result(found)
        return self._digests.setdefault(path, now) == now

    def are_same_files(self, projects: Iterable[str], files: Mapping[str, Resource]) -> bool:
        """Whether these are the files of some projects, as they were read from another tree."""
        there = {path: (one.location, one.document.digest) for path, one in files.items()}
        here: dict[str, Location] = {}
        for project in projects:
            here |= self._discovered.by_project.get(project, {})
        return here.keys() == there.keys() and all(
            (here[path], self.file_digest(path)) == found for path, found in there.items()
        )

    def prefetch(self, projects: Iterable[str]) -> None:
        """Have at hand what will be read, where it takes long to ask for each file."""
        if isinstance(self._tree, PrefetchingTree):
            self._tree.prefetch(path for project in projects for path in self._discovered.by_project.get(project, ()))

    def secrets_file_digests(self) -> dict[str, str]:
        """The secrets files by path, each with its digest."""
        return {path: self.file_digest(path) for path in self._discovered.secrets_files}

    def read_secrets_files(self, paths: Container[str]) -> dict[str, Resource]:
        """Those of some secrets files that there are, read."""
        wanted = {path: at for path, at in self._discovered.secrets_files.items() if path in paths}
        found = SourceReader(self._tree, {}).read(
            read_sources(self._tree, wanted, Diagnostics()), lambda _: None, Diagnostics()
        )
        return {one.document.path: one for one in found}


def sha256_of(data: object) -> str:
    """What changes with data, in hex."""
    return sha256(repr(data).encode("utf-8", "surrogateescape")).hexdigest()
