"""What is known of projects from an earlier run of the same command line, and of their files from any run."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cached_property
from typing import NamedTuple

from envtree.engine import cache
from envtree.engine.cache.documents import Documents
from envtree.engine.cache.object_store import UNFIT, Objects, data_of, load, made, save
from envtree.engine.cache.path_fingerprints import home
from envtree.engine.project_result import Digests, Placed, Unit
from envtree.frontend.read_files import Memory
from envtree.model.manifest_records import Trace


class Names(NamedTuple):
    """Under which names it is kept: what was found in projects, and the files of one."""

    projects: str
    documents: Callable[[str], str]


class _Project(NamedTuple):
    """What is known of a project: its digest, in which parts of the tree its files lie and what changes with all files
    of each, and as data what was found.
    """

    digest: str
    parts: dict[str, bytes]
    unit: bytes


class _Kept(NamedTuple):
    """What is known of a tree whose bundles lie at a `place`; `listing` changes with which files there are, which are
    `placed` as `files` has it, as data.
    """

    place: cache.Place
    listing: str
    placed: Placed
    files: dict[str, bytes]
    shared: str
    projects: dict[str, _Project]


class Remembered:
    """What was found in the projects of a tree before, and what the run that asks for it finds."""

    def __init__(
        self,
        folder: cache.Folder,
        names: Names,
        tree: cache.Witness,
        may_be_intact: Callable[[cache.Place], bool],
        *,
        again: bool,
    ) -> None:
        self.again = again
        self.manifest: Trace | None = None
        self._folder, self._names, self._tree, self._may_be_intact = folder, names, tree, may_be_intact
        self._placed: Placed | None = None
        self._recalled: dict[str, Unit] = {}
        self._shared, self._found = "", dict[str, _Project]()

    @cached_property
    def _kept(self) -> _Kept | None:
        found = load(self._folder, self._names.projects)
        return found if isinstance(found, _Kept) else None

    @cached_property
    def _relies(self) -> bool:
        """Whether there are the same files as when this was kept."""
        return self._kept is not None and self._kept.listing == self._tree.before.listing and self._tree.rely()

    def placed(self) -> Placed | None:
        """What discovery would find, if there are the same files as then."""
        if self._kept is None or not self._relies:
            return None
        return self._kept.placed._replace(files=Objects(self._kept.files))

    def keep_placed(self, placed: Placed) -> None:
        """Remember what discovery has found."""
        self._placed = placed

    def recall(self, digests: Digests) -> dict[str, Unit]:
        """What was found in those of the projects that have the same digest as then, and need not be written again."""
        kept = self._kept
        if kept is None or kept.shared != digests.shared or not self._may_be_intact(kept.place):
            return {}
        self.manifest = kept.place.manifest
        same = (one for one, known in kept.projects.items() if self._is_same(known) or digests.get(one) == known.digest)
        found = ((project, made(kept.projects[project].unit)) for project in same)
        self._recalled = {project: unit for project, unit in found if isinstance(unit, Unit)}
        return self._recalled

    def _is_same(self, known: _Project) -> bool:
        """Whether no file of a project has changed, nor any beside them."""
        return self._relies and known.parts == _contents(self._tree.before, known.parts)

    def keep(self, units: Mapping[str, Unit], digests: Digests) -> None:
        """Remember what was found in all projects, which have these digests."""
        assert self._placed is not None
        self._shared = digests.shared
        with suppress(*UNFIT):
            self._found = {project: self._project(project, unit, digests) for project, unit in units.items()}

    def _project(self, project: str, unit: Unit, digests: Digests) -> _Project:
        known = self._kept.projects[project] if self._kept and self._recalled.get(project) is unit else None
        if known and self._relies:
            return known
        assert self._placed is not None
        parts = dict.fromkeys(map(home, self._placed.files[project]), b"")
        return _Project(digests[project], parts, known.unit if known else data_of(unit))

    def save(self, place: cache.Place, seen: cache.Seen) -> None:
        """Keep what was found, if all was, for the next run."""
        if self._placed and self._found:
            files = self._placed.files
            data = files.data if isinstance(files, Objects) else {name: data_of(one) for name, one in files.items()}
            projects = {name: one._replace(parts=_contents(seen, one.parts)) for name, one in self._found.items()}
            kept = _Kept(place, seen.listing, self._placed._replace(files={}), data, self._shared, projects)
            save(self._folder, self._names.projects, kept)

    def digest(self, path: str) -> str:
        """What changes with the content of a file."""
        return self._tree.digest(path).hex()

    def documents(self, project: str) -> Memory:
        """The files of a project as they were read before; they are for who comes again."""
        return Documents(self._folder, self._names.documents(project)) if self.again else {}

    def keep_documents(self, documents: Memory) -> None:
        """Remember them as they have been read now."""
        if isinstance(documents, Documents):
            documents.save()


def _contents(seen: cache.Seen, parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """What changes with all that is in the files of some parts of a tree."""
    return {name: seen.parts[name].files for name in parts if name in seen.parts}
