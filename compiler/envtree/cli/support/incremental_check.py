"""One look at a tree after the other: what was found in a project is found again only if a file of it has changed."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from envtree.cli.commands.compile import Plan
from envtree.engine.by_project import Parted
from envtree.engine.cache import NOWHERE, may_be_intact, written
from envtree.engine.check import examined
from envtree.engine.project_result import Placed, Unit
from envtree.engine.publish import publish
from envtree.engine.run import Outcome, Request, Result, Run
from envtree.frontend.read_files import Memory
from envtree.model.manifest_records import Trace, project_of
from envtree.output.emit.marks import mark
from envtree.queries.snapshot import forget
from envtree.sources.tree import Tree, digest_of

# So many parsed files are held, of which each takes about 30 kB: those of the projects that were looked at last.
_HELD = 5000

# Bundles by id, each with what tells two versions apart.
Bundles = dict[str, object]


class Looks:
    """What was found at the last look."""

    again = True

    def __init__(self) -> None:
        self._tree: Tree | None = None
        self._root, self._place = Path(), NOWHERE
        self._units: dict[str, Unit] = {}
        self._digests: dict[str, str] = {}
        self._bundles: dict[str, Bundles] = {}
        self._documents: dict[str, Memory] = {}

    def look(self, request: Request) -> tuple[Outcome, Bundles]:
        """Check the tree of a request: all that was found, and the bundles."""
        self._tree = request.tree
        parts = Parted(request._replace(known=self), over_errors=True)
        if parts.is_possible():
            wanted, kept = parts.root.writers(), {project: self._bundles[project] for project in parts.kept}
            found = parts.each(lambda run: examined(run, wanted), _marked)
            if found is not None:
                self._bundles = _by_project(found, parts.projects) | kept
                return parts.outcome(), _together(self._bundles.values())
        run = Run(request)
        bundles = _marked(0, examined(run, run.writers()))
        return run.outcome(), bundles

    def write(self, plan: Plan, root: Path) -> Outcome:
        """Compile the tree of a plan, which lies at a root, into its folder."""
        self._tree, self._root = plan.request.tree, root
        outcome = publish(plan.request._replace(known=self), plan.places, plan.formats, plan.beside)
        if outcome.manifest:
            self._place = written(plan.places.main, outcome.manifest)
        return outcome

    @property
    def manifest(self) -> Trace | None:
        """That of the output, as it was left."""
        return self._place.manifest or None

    def recall(self, digests: Mapping[str, str]) -> dict[str, Unit]:
        """What was found in those of the projects that have the same digest as then, and need not be written again."""
        if not may_be_intact(self._place, self._root, thorough=False):
            return {}
        return {project: one for project, one in self._units.items() if self._digests[project] == digests.get(project)}

    def keep(self, units: Mapping[str, Unit], digests: Mapping[str, str]) -> None:
        """Remember what was found in all projects, which have these digests."""
        self._units, self._digests = dict(units), dict(digests)

    def placed(self) -> Placed | None:
        """Nothing: where files stand is looked at each time."""

    def keep_placed(self, placed: Placed) -> None:
        """Remember nothing."""

    def digest(self, path: str) -> str:
        """What changes with the content of a file."""
        assert self._tree
        return digest_of(self._tree.read(path))

    def documents(self, project: str) -> Memory:
        """The files of a project as they were read before."""
        self._documents[project] = self._documents.pop(project, {})
        return self._documents[project]

    def keep_documents(self, documents: Memory) -> None:
        """Remember them as they have been read now, and forget those that nobody has looked at for the longest time."""
        oldest = iter([project for project in self._documents if project])
        while sum(map(len, self._documents.values())) > _HELD and (project := next(oldest, None)):
            del self._documents[project]

    def forget(self, files: Mapping[str, str]) -> None:
        """Take out what no file says any more; `files` has the digests of all that were read, by path."""
        for memory in self._documents.values():
            forget(memory, files)


def _marked(_: int, results: Iterable[Result]) -> Bundles:
    return {bundle.target.id: sha256(mark(dict(bundle.data))).digest() for _, bundle in results}


def _by_project(found: Iterable[Bundles], projects: Iterable[str]) -> dict[str, Bundles]:
    every: dict[str, Bundles] = {project: {} for project in projects}
    for bundles in found:
        for id, told in bundles.items():
            every[project_of(id)][id] = told
    return every


def _together(parts: Iterable[Bundles]) -> Bundles:
    return {id: told for part in parts for id, told in part.items()}
