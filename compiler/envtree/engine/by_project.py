"""A run that goes from project to project and keeps of each only what was found, in one process or in several.

It finds what a run over the whole tree does. Where that is not sure, because of what stands outside of projects or what
two of them have to do with each other, it finds nothing, and leaves it to that.
"""

from collections.abc import Callable, Collection, Container, Generator, Iterable, Iterator, Mapping, Sized
from functools import cached_property
from itertools import chain
from typing import TypeVar

from envtree.diagnostics.codes import IDLE, NEEDS_KEY
from envtree.diagnostics.findings import ErrorWatch, Severities, settle
from envtree.engine.project_digests import Contents, sha256_of
from envtree.engine.project_result import Digests, Files, Placed, Unit, advice, are_apart, keys_of, unit
from envtree.engine.run import Outcome, Part, Request, Run
from envtree.frontend.discover import discover
from envtree.frontend.read_files import Memory
from envtree.model.artifact import Manifest
from envtree.model.diagnostic import Diagnostics, ReportedError
from envtree.model.name_index import Index, environments
from envtree.model.resource import Resource
from envtree.model.source import Kind, Location
from envtree.model.suppression import Allowances
from envtree.output.format_findings import compares_names
from envtree.sources.sops_config import rules_files
from envtree.sources.tree import Noting, Tree
from envtree.system.workers import divided, is_divisible

T = TypeVar("T")
Item = TypeVar("Item")

# With fewer agents nothing is gained. Of a process so many are asked at a time, and the rest of their last project: not
# more, for at the end all others wait for the last one.
_WORTH = 40
_LEAST, _MOST = 10, 20

# The name of what stands outside of projects.
_ROOT = ""


class SpoiltError(Exception):
    """There is an error over which a run does not go on, or what only one over the whole tree can tell."""


class Parted:
    """The projects of a tree; once it `is_done`, all that was found counts.

    A run that goes on `over_errors` of projects finds them all, and another one ends at the first.
    """

    def __init__(self, request: Request, *, over_errors: bool = False) -> None:
        shard = request.shard
        self._request, self._over_errors = request, over_errors
        self._tree: Tree = shard.of(request.tree) if shard else request.tree
        self._placed = self._discovered()
        elsewhere = shard.elsewhere if shard else ()
        self.index = Index(_Everywhere(self._placed, elsewhere), self._placed.environments | environments(elsewhere))
        self.contents = Contents(self._tree, self._placed, request.known)
        self._units: Mapping[str, Unit] = {}
        # Whether the run `is_done`, and whether it `is_wrong`: there was an error before any bundle was looked at.
        self.is_done = self.is_wrong = False

    @cached_property
    def projects(self) -> Collection[str]:
        """Their names, sorted."""
        return dict.fromkeys(project for project in self._placed.files if project != _ROOT)

    @cached_property
    def root(self) -> Run:
        """The run over what stands outside of projects."""
        run = self._run(_ROOT, self._placed.files[_ROOT])
        run.diags.extend(self._placed.diagnostics)
        return run

    def _discovered(self) -> Placed:
        known, diags = self._request.known, Diagnostics()
        found = known.placed() if known else None
        found = found or Placed.of(discover(self._tree, diags), diags)
        if known:
            known.keep_placed(found)
        return found

    def is_possible(self, formats: Iterable[str] | None = None) -> bool:
        """Whether nothing needs all bundles at once, nothing is wrong so far, and there is something to gain."""
        known = self._request.known
        is_worth_it = (known is not None and known.again) or self._agents(self.projects) >= _WORTH
        if not self.projects or not is_worth_it:
            return False
        workspace = self.root.workspace
        if workspace is None or self.root.is_for_control_plane or self.root.watch.found():
            return False
        return not compares_names(workspace.organization.output.formats if formats is None else formats, workspace)

    @cached_property
    def kept(self) -> dict[str, Unit]:
        """What is known of projects in which nothing has changed, so that they need not be looked at."""
        known = self._request.known
        found = known.recall(self.digests) if known else {}
        return {project: one for project, one in found.items() if not one.names or one.names == self.index.digest}

    def still_kept(self, is_there: bool) -> Collection[str]:
        """The same projects, if what was written of them is there, and else none."""
        if not is_there:
            self.kept = {}
        return self.kept.keys()

    def each(self, stream: Callable[[Run], Iterable[Item]], put: Callable[[int, Iterable[Item]], T]) -> list[T] | None:
        """Put what comes of the run over each project, some projects at a time: what `put` gives for the n-th of these.

        None if there is an error, or something goes wrong.
        """
        shares = self.shares(project for project in self.projects if project not in self.kept)
        units, found = dict(self.kept), dict[int, T]()

        def work(number: int) -> tuple[dict[str, Unit], T, object]:
            own: dict[str, Unit] = {}
            done = put(number, self._through(shares[number], stream, own))
            return own, done, self.noted()

        def take(number: int, told: tuple[dict[str, Unit], T, object]) -> None:
            own, found[number], noted = told
            units.update(own)
            self.note(noted)
            self._request.progress("projects", len(units), len(self.projects))

        if self._is_sound(shares) and self.do(shares, work, take):
            self.conclude(units)
        return [found[number] for number in range(len(shares))] if self.is_done else None

    def do(self, shares: Sized, work: Callable[[int], T], take: Callable[[int, T], None]) -> bool:
        """Do some work for each share of the projects, in as many processes as asked for; whether all of it was."""
        # What this process has read so far is no news for it, and may be older than what another one will read.
        self.noted()
        do = divided if self._request.jobs > 1 and len(shares) > 1 and is_divisible() else _undivided
        return do(len(shares), self._request.jobs, work, take)

    def noted(self) -> object:
        """What another process has to be told of: what was read of the tree since the last time that this was asked."""
        return self._request.tree.noted() if isinstance(self._request.tree, Noting) else None

    def note(self, noted: object) -> None:
        """Take over what was read by another process."""
        if isinstance(self._request.tree, Noting):
            self._request.tree.note(noted)

    def _is_sound(self, shares: list[list[str]]) -> bool:
        """Whether the files of all projects, and what is asked for, are without an error, if that has to be known now.

        A tree with errors is never worth a key, whatever project they are in.
        """
        if self._request.decrypter is None or not self._has_secrets:
            return True
        kept = self.kept.values()
        ids, keys = [id for one in kept for id in one.ids], [key for one in kept for key in one.keys]

        def look(number: int) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
            return [(run.ids, keys_of(run)) for run in map(self.begun, shares[number])]

        def take(_: int, told: list[tuple[tuple[str, ...], tuple[str, ...]]]) -> None:
            for own, declared in told:
                ids.extend(own)
                keys.extend(declared)

        if not self.do(shares, look, take) or len(keys) > len(set(keys)):
            return False
        # It is said again at the end, where all else is known, and told once.
        self.root.check_selection(tuple(ids))
        return not self.root.watch.found()

    @property
    def _has_secrets(self) -> bool:
        return any(one.sealed for one in self.root.files.values()) or bool(self._placed.secrets)

    def outcome(self, manifest: Manifest | None = None) -> Outcome:
        """All that was found."""
        units = self._units.values()
        return Outcome(
            self.root.workspace,
            tuple(chain.from_iterable(one.ids for one in units)),
            tuple(chain.from_iterable(one.selected for one in units)),
            tuple(chain.from_iterable(one.checked for one in units)),
            settle(self.root.diags, self._severities),
            self.root.diags.not_checked,
            manifest,
        )

    def _through(
        self, projects: Iterable[str], stream: Callable[[Run], Iterable[Item]], units: dict[str, Unit]
    ) -> Iterator[Item]:
        """What comes of some projects; each is forgotten before the next, but for what was found."""
        for project in projects:
            units[project] = yield from self._through_one(project, stream)

    def _through_one(self, project: str, stream: Callable[[Run], Iterable[Item]]) -> Generator[Item, None, Unit]:
        # Whatever has the run ends with this function, so that the next one gets its memory, which is at hand.
        run = self.begun(project)
        for item in stream(run):
            yield item
            if run.watch.found() and not self._over_errors:
                raise SpoiltError
        return self.found(run)

    def begun(self, project: str, memory: Memory | None = None) -> Run:
        """The run over a project, which may be none of the tree; raises SpoiltError where this is of no use."""
        run = self._run(project, self._placed.files.get(project, {}), memory)
        if run.workspace is None or not run.workspace.is_self_contained:
            raise SpoiltError
        if run.watch.found() and not self._over_errors:
            raise SpoiltError
        if not self.contents.are_as_read(project, run.files):
            raise SpoiltError
        return run

    def is_like(self, run: Run) -> bool:
        """Whether this tree has the same files as another one for the project that a run is over."""
        part = run.part
        assert part
        assert part.root
        same = part.names.environments == self.index.environments and _digests(part.root) == _digests(self.root)
        return same and self.contents.are_like(part.projects, run.files)

    def secrets_files(self) -> dict[str, str]:
        """All secrets files by path, each with a digest of its content."""
        own = {path: one.document.digest for path, one in self.root.files.items() if one.location.kind is Kind.SECRETS}
        return own | self.contents.secrets_files()

    def sealed(self, paths: Container[str]) -> dict[str, Resource]:
        """Those of some secrets files that the tree has, read."""
        return {path: one for path, one in self.root.files.items() if path in paths} | self.contents.sealed(paths)

    def found(self, run: Run) -> Unit:
        """What a run over a project has found, of which all bundles have been looked at; raises SpoiltError."""
        found = unit(run, self.root, self.index)
        if run.watch.found() and not self._over_errors:
            raise SpoiltError
        return found

    def _run(self, project: str, placed: Files, memory: Memory | None = None) -> Run:
        documents = self.documents(project) if memory is None else memory
        part = Part(placed, self.index, self.root if project else None)
        run = Run(self._request._replace(memory=documents, progress=_unheard), part)
        if memory is None:
            self.keep_documents(documents)
        return run

    def documents(self, project: str) -> Memory:
        """The files of a project as far as they have been read before."""
        known, memory = self._request.known, self._request.memory
        return known.documents(project) if known else {} if memory is None else memory

    def keep_documents(self, documents: Memory) -> None:
        """Remember them as they have been read now."""
        if self._request.known:
            self._request.known.keep_documents(documents)

    def shares(self, projects: Iterable[str]) -> list[list[str]]:
        """Projects that have to be looked at, neighbours together."""
        missing = list(projects)
        size = max(_LEAST, min(_MOST, self._agents(missing) // (4 * self._request.jobs)))
        shares, agents = [list[str]()] if missing else [], 0
        for project in missing:
            if agents > size:
                shares.append([])
                agents = 0
            shares[-1].append(project)
            agents += self._agents((project,))
        return shares

    def _agents(self, projects: Iterable[str]) -> int:
        every = (at for project in projects for at in self._placed.files.get(project, {}).values())
        return sum(at.kind is Kind.AGENT for at in every)

    def conclude(self, found: Mapping[str, Unit]) -> None:
        """Tell what can only be told when all projects have been looked at; the run is done then."""
        self._units = {project: found[project] for project in self.projects}
        self.is_done = self._conclude()

    def _conclude(self) -> bool:
        units, diags = self._units.values(), self.root.diags
        ids = tuple(chain.from_iterable(one.ids for one in units))
        # Why there is none, only the whole tree tells.
        if not ids or not are_apart(units, self.root):
            return False
        self.is_wrong = any(one.is_wrong for one in units)
        self.root.check_selection(ids, has_errors=self.is_wrong)
        # Only what has been said of the selection is new here.
        self.is_wrong = self.is_wrong or self.root.watch.found()
        for one in units:
            diags.extend(one.diagnostics)
            for check in one.not_checked:
                diags.skip(check)
        if self.root.is_complete and not any(one.is_broken for one in units):
            diags.extend(advice(units, {each.code for each in diags}))
            diags.extend(tuple(self._allowances.idle(diags, aside=IDLE | NEEDS_KEY)))
        wrong = ErrorWatch(diags, self._severities, strict=self._request.strict).found()
        if wrong and not self._over_errors:
            return False
        if self._request.known:
            self._request.known.keep(self._units, self.digests)
        return True

    @cached_property
    def _allowances(self) -> Allowances:
        every = dict(self.root.allowed)
        for one in self._units.values():
            every |= one.allowances
        return Allowances(every, self.root.today)

    @cached_property
    def _severities(self) -> Severities:
        workspace = self.root.workspace
        return Severities(workspace.organization.lint if workspace else {}, self._allowances)

    @cached_property
    def digests(self) -> Digests:
        """For each project a digest of all that decides what is found in it, but for the names in other projects."""
        unread = Diagnostics()
        found = rules_files(self._tree, self._placed.secrets, unread)
        rules = [(one.path, inside, one.digest) for one, inside in found]
        around = self.root.inputs_read(), sorted(self.index.environments), self.root.today
        return Digests(sha256_of((_digests(self.root), rules, *unread, *around)), self.projects, self.contents.project)


def _digests(root: Run) -> object:
    """What changes with what stands outside of projects."""
    return [(path, one.document.digest) for path, one in root.files.items()], root.template_digests()


class _Everywhere(Iterable[Location]):
    """The places of all files, which are gone through only where a name has to be found."""

    def __init__(self, placed: Placed, elsewhere: Iterable[Location]) -> None:
        self._placed, self._elsewhere = placed, elsewhere

    def __iter__(self) -> Iterator[Location]:
        for files in self._placed.files.values():
            yield from files.values()
        yield from self._elsewhere


def _undivided(count: int, jobs: int, work: Callable[[int], T], done: Callable[[int, T], None]) -> bool:
    """Do in this process what `divided` does in several."""
    try:
        for number in range(count):
            done(number, work(number))
    except (SpoiltError, ReportedError):
        return False
    return True


def _unheard(what: str, done: int, total: int) -> None:
    """A project has no progress of its own."""
