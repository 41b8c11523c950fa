"""What is in the files of a tree, told by digests, so that a project need not be read to know that it is as it was."""

from collections.abc import Container, Iterable, Mapping
from hashlib import sha256

from envtree.engine.project_result import KnownProjects, Placed
from envtree.frontend.discover import load
from envtree.frontend.read_files import Reader
from envtree.model.diagnostic import Diagnostics
from envtree.model.resource import Resource
from envtree.model.source import Location
from envtree.sources.tree import Fetching, Tree, digest_of


class Contents:
    """The files of projects; what is `known` of some is asked for first."""

    def __init__(self, tree: Tree, placed: Placed, known: KnownProjects | None) -> None:
        self._tree, self._placed, self._known = tree, placed, known
        # As far as anybody asked.
        self._digests: dict[str, str] = {}

    def digest(self, path: str) -> str:
        """What changes with what is in a file."""
        if path not in self._digests:
            self._digests[path] = self._known.digest(path) if self._known else digest_of(self._tree.read(path))
        return self._digests[path]

    def project(self, name: str) -> str:
        """What changes with the files of a project, where they stand, and what is in them."""
        placed = self._placed.files[name].items()
        return sha256_of(["\0".join((path, *at[:4], at.owner or "", at[5], self.digest(path))) for path, at in placed])

    def are_as_read(self, project: str, files: Mapping[str, Resource]) -> bool:
        """Whether what was read of a project is what the digests are of, or will be where nobody has asked so far.

        What is found in a file that has changed in the meantime would be remembered of what it was.
        """
        paths = self._placed.files.get(project, {})
        return all(self._is_as_read(path, files) for path in paths if self._known or path in self._digests)

    def _is_as_read(self, path: str, files: Mapping[str, Resource]) -> bool:
        if path in files:
            now = files[path].document.digest
        elif isinstance(found := self._tree.read(path), bytes):
            return False
        else:
            now = digest_of(found)
        return self._digests.setdefault(path, now) == now

    def are_like(self, projects: Iterable[str], files: Mapping[str, Resource]) -> bool:
        """Whether these are the files of some projects, as they were read from another tree."""
        there = {path: (one.location, one.document.digest) for path, one in files.items()}
        here: dict[str, Location] = {}
        for project in projects:
            here |= self._placed.files.get(project, {})
        return here.keys() == there.keys() and all(
            (here[path], self.digest(path)) == found for path, found in there.items()
        )

    def expect(self, projects: Iterable[str]) -> None:
        """Have at hand what will be read, where it takes long to ask for each file."""
        if isinstance(self._tree, Fetching):
            self._tree.fetch(path for project in projects for path in self._placed.files.get(project, ()))

    def secrets_files(self) -> dict[str, str]:
        """The secrets files by path, each with its digest."""
        return {path: self.digest(path) for path in self._placed.secrets}

    def sealed(self, paths: Container[str]) -> dict[str, Resource]:
        """Those of some secrets files that there are, read."""
        wanted = {path: at for path, at in self._placed.secrets.items() if path in paths}
        found = Reader(self._tree, {}).read(load(self._tree, wanted, Diagnostics()), lambda _: None, Diagnostics())
        return {one.document.path: one for one in found}


def sha256_of(data: object) -> str:
    """What changes with data, in hex."""
    return sha256(repr(data).encode("utf-8", "surrogateescape")).hexdigest()
