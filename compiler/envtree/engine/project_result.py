"""What a run over one project finds, so that it can be found elsewhere, or at another time, and put together."""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from envtree.compile.merge import Seen, findings, within
from envtree.compile.tree_lint import tree_lint
from envtree.engine.run import Run
from envtree.frontend.link import fingerprints
from envtree.frontend.read_files import Memory
from envtree.model.diagnostic import Diagnostic, Diagnostics, NotChecked
from envtree.model.fields import field
from envtree.model.manifest_records import Trace
from envtree.model.name_index import Index, environments
from envtree.model.source import Kind, Location
from envtree.model.suppression import Allowance
from envtree.model.tree_layout import ROOT_FILE

# Nothing reads a secret, or sets a variable, whose name somebody misspelt elsewhere, and that has been told.
_FOLLOWS_FROM = {"ET651": "ET601", "ET756": "ET703"}


class Unit(NamedTuple):
    """A project: its bundles, and all that was found.

    It `is_wrong` or `is_broken` as a run is; `advice` counts if none is broken. `idle` has for each file outside of
    projects that was looked at what did nothing in this one, and `seen` what the layers of those files do: either
    counts if it is so in all projects. Of the `keys` and `marks` no two projects may have the same: those at the
    control plane, and what tells the ciphertexts of secrets files apart. `names` is the digest of all names if the
    project mentions what may be in others, and else empty. `types` has the type of each environment.
    """

    ids: tuple[str, ...]
    selected: tuple[str, ...]
    checked: tuple[str, ...]
    is_wrong: bool
    is_broken: bool
    diagnostics: tuple[Diagnostic, ...]
    advice: tuple[Diagnostic, ...]
    not_checked: tuple[NotChecked, ...]
    allowances: dict[str, tuple[Allowance, ...]]
    keys: tuple[str, ...]
    marks: frozenset[bytes]
    idle: dict[str, frozenset[Diagnostic]]
    seen: Seen
    names: str
    types: dict[str, str]


# Files by path.
Files = Mapping[str, Location]


class Placed(NamedTuple):
    """The place of every file of a tree, by project, of which that of what stands outside of projects is empty.

    `secrets` are the secrets files of projects, `environments` the names of all environments, and `diagnostics` what
    was found wrong with where files stand.
    """

    files: Mapping[str, Files]
    secrets: Files
    environments: frozenset[str]
    diagnostics: tuple[Diagnostic, ...]

    @classmethod
    def of(cls, placed: Files, diagnostics: Iterable[Diagnostic]) -> "Placed":
        """Files that have been discovered, with the projects in the order of their names."""
        files: dict[str, dict[str, Location]] = {"": {}}
        for path, at in sorted(placed.items(), key=lambda one: one[1].project):
            files.setdefault(at.project, {})[path] = at
        secrets = {path: at for path, at in placed.items() if at.project and at.kind is Kind.SECRETS}
        return cls(files, secrets, environments(placed.values()), tuple(diagnostics))


class Digests(Mapping[str, str]):
    """For each project what changes with all that its bundles are made from, but for the names in other projects.

    `shared` changes with what stands outside of projects; into one nobody looks before it is asked for.
    """

    def __init__(self, shared: str, projects: Collection[str], own: Callable[[str], str]) -> None:
        self.shared = shared
        self._projects, self._own = projects, own
        self._found: dict[str, str] = {}

    def __getitem__(self, project: str) -> str:
        if project not in self._found:
            if project not in self._projects:
                raise KeyError(project)
            self._found[project] = f"{self.shared}-{self._own(project)}"
        return self._found[project]

    def __iter__(self) -> Iterator[str]:
        return iter(self._projects)

    def __len__(self) -> int:
        return len(self._projects)


class KnownProjects(Protocol):
    """What was found in projects before, by their names; that of what stands outside of projects is empty."""

    @property
    def manifest(self) -> Trace | None:
        """The trace of the manifest where it was written."""

    @property
    def again(self) -> bool:
        """Whether something may be known at all."""

    def recall(self, digests: Digests) -> dict[str, Unit]:
        """What was found in those that have the same digest as then, and are still where they were written."""

    def keep(self, units: Mapping[str, Unit], digests: Digests) -> None:
        """Remember what was found in all projects, which have these digests."""

    def placed(self) -> Placed | None:
        """What discovery would find, if it is known."""

    def keep_placed(self, placed: Placed) -> None:
        """Remember what discovery has found."""

    def digest(self, path: str) -> str:
        """What changes with the content of a file."""

    def documents(self, project: str) -> Memory:
        """The files of a project as they were read before."""

    def keep_documents(self, documents: Memory) -> None:
        """Remember them as they have been read now."""


def unit(run: Run, root: Run, names: Index) -> Unit:
    """What a run over a project has found, when all of its bundles have been looked at."""
    shared = root.files.keys()
    overall = list(_overall(run)) if run.is_complete else []
    idle = {path: frozenset(one for one in overall if one.span.path == path) for path in _looked_at(run, shared)}
    own = (one for one in overall if one.span.path not in shared)
    # Mostly all of them are the same, and are sent and kept once.
    selected, checked = (run.ids if ids == run.ids else ids for ids in (run.selected, tuple(run.checked)))
    return Unit(
        run.ids,
        selected,
        checked,
        run.is_wrong,
        run.is_broken,
        tuple(run.diags),
        tuple(own),
        run.diags.skipped(),
        run.allowed,
        keys_of(run),
        fingerprints(run.files.values()),
        idle,
        within(run.effects.noted, shared),
        names.digest if run.workspace and run.workspace.is_mentioning else "",
        _types(run),
    )


def keys_of(run: Run) -> tuple[str, ...]:
    """The keys that the control plane would know the projects of a run by."""
    projects = run.workspace.projects if run.workspace else ()
    return tuple(one.fields["key"] for one in projects if field(one.document, "key") is not None)


def advice(units: Iterable[Unit], found: Collection[str]) -> Iterator[Diagnostic]:
    """What is true of the tree as a whole, but for what follows from any of the codes that were found."""
    units = tuple(units)
    every = (*(each for one in units for each in one.advice), *_idle_everywhere(units))
    return (each for each in every if _FOLLOWS_FROM.get(each.code) not in found)


def _idle_everywhere(units: tuple[Unit, ...]) -> Iterator[Diagnostic]:
    """What did nothing in any of the projects that were asked, and what layers outside of projects never do."""
    common: dict[str, frozenset[Diagnostic]] = {}
    for one in units:
        for path, found in one.idle.items():
            common[path] = common.get(path, found) & found
    for found in common.values():
        yield from found
    yield from findings(one.seen for one in units)


def are_apart(units: Iterable[Unit], root: Run) -> bool:
    """Whether nothing is in two projects that only one may have."""
    marks, keys = set(fingerprints(root.files.values())), set[str]()
    for one in units:
        if not (marks.isdisjoint(one.marks) and keys.isdisjoint(one.keys)):
            return False
        marks |= one.marks
        keys.update(one.keys)
    return True


def _types(run: Run) -> dict[str, str]:
    projects = run.workspace.projects if run.workspace else ()
    return {name: one.type for project in projects for name, one in project.environments.items()}


def _overall(run: Run) -> Iterator[Diagnostic]:
    """What is true of the project as a whole."""
    yield from findings((run.effects.noted,))
    advice = Diagnostics()
    if run.workspace:
        tree_lint(run.workspace, advice)
    yield from advice
    yield from run.needs.unread()


def _looked_at(run: Run, shared: Container[str]) -> set[str]:
    return {ROOT_FILE, *(path for path in run.needs.files if path in shared)}
