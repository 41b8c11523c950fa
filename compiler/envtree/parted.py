"""A run that goes from project to project and keeps of each only what was found, in one process or in several.

Of a tree without errors it finds what a run over the whole of it does. Over an error much depends on what was found
before, and is left to that.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from hashlib import sha256
from typing import Any, Protocol, TypeVar, runtime_checkable

from envtree.allowance import Allowances
from envtree.artifact import Manifest
from envtree.codes import IDLE, NEEDS_KEY
from envtree.diagnostic import Diagnostics, ReportedError
from envtree.discover import discover
from envtree.finding import ErrorWatch, Severities, settle
from envtree.fitting import compares_names
from envtree.forked import divided
from envtree.index import Index
from envtree.pipeline import Outcome, Part, Request, Run
from envtree.rules_files import rules_files
from envtree.source import Kind, Location
from envtree.tree import Tree
from envtree.unit import KnownProjects, Placed, Unit, are_apart, idle_everywhere, keys_of, unit

T = TypeVar("T")
Item = TypeVar("Item")

# With fewer agents nothing is gained. Of a process so many are asked at a time, and the rest of their last project.
_WORTH = 40
_LEAST, _MOST = 10, 60

# Files by path, of which the root is that of what stands outside of projects.
_Files = dict[str, Location]
_ROOT = ""


class _SpoiltError(Exception):
    """There is an error, or what only a run over the whole tree can tell."""


@runtime_checkable
class Noting(Protocol):
    """A tree that notes what is read of it."""

    def noted(self) -> Any:
        """What was read since the last time that this was asked."""

    def note(self, noted: Any) -> None:
        """Take over what was read by another process."""


class Parted:
    """The projects of a tree; once it `is_done`, all that was found counts."""

    def __init__(self, request: Request) -> None:
        shard = request.shard
        self._request = request
        self._tree: Tree = shard.of(request.tree) if shard else request.tree
        placed, self._misplaced = self._discovered()
        self._index = Index((*placed.values(), *(shard.elsewhere if shard else ())))
        self._projects: dict[str, _Files] = {_ROOT: {}}
        for path, at in sorted(placed.items(), key=lambda one: one[1].project):
            self._projects.setdefault(at.project, {})[path] = at
        self._shared = self._projects.pop(_ROOT)
        self._units: dict[str, Unit] = {}
        self.is_done = False

    @cached_property
    def root(self) -> Run:
        """The run over what stands outside of projects."""
        run = self._run(_ROOT, self._shared)
        run.diags.extend(self._misplaced)
        return run

    def _discovered(self) -> Placed:
        known, diags = self._request.known, Diagnostics()
        found = known.placed() if known else None
        found = found or Placed(discover(self._tree, diags), tuple(diags))
        if known:
            known.keep_placed(found)
        return found

    def is_possible(self, formats: Iterable[str] | None = None) -> bool:
        """Whether nothing needs all bundles at once, nothing is wrong so far, and there is something to gain."""
        request = self._request
        is_worth_it = request.known is not None or self._agents(self._projects) >= _WORTH
        if request.within is not None or not self._projects or not is_worth_it:
            return False
        workspace = self.root.workspace
        if workspace is None or self.root.is_for_control_plane or self.root.watch.found():
            return False
        return not compares_names(workspace.organization.output.formats if formats is None else formats, workspace)

    @cached_property
    def kept(self) -> dict[str, Unit]:
        """What is known of projects in which nothing has changed, so that they need not be looked at."""
        known = self._request.known
        found = known.recall(self._digests(known)) if known else {}
        return {project: one for project, one in found.items() if not one.names or one.names == self._index.digest}

    def each(self, stream: Callable[[Run], Iterable[Item]], put: Callable[[int, Iterable[Item]], T]) -> list[T] | None:
        """Put what comes of the run over each project, some projects at a time: what `put` gives for the n-th of these.

        None if there is an error, or something goes wrong.
        """
        shares, units, found = self._shares(), dict(self.kept), dict[int, T]()

        def work(number: int) -> tuple[dict[str, Unit], T, object]:
            own: dict[str, Unit] = {}
            done = put(number, self._through(shares[number], stream, own))
            return own, done, self._request.tree.noted() if isinstance(self._request.tree, Noting) else None

        def take(number: int, told: tuple[dict[str, Unit], T, object]) -> None:
            own, found[number], noted = told
            units.update(own)
            if isinstance(self._request.tree, Noting):
                self._request.tree.note(noted)
            self._request.progress("projects", len(units), len(self._projects))

        if self._is_sound(shares) and self._do(shares, work, take):
            self._units = {project: units[project] for project in self._projects}
            self.is_done = self._conclude()
        return [found[number] for number in range(len(shares))] if self.is_done else None

    def _do(self, shares: list[list[str]], work: Callable[[int], T], take: Callable[[int, T], None]) -> bool:
        do = divided if self._request.jobs > 1 and len(shares) > 1 else _undivided
        return do(len(shares), self._request.jobs, work, take)

    def _is_sound(self, shares: list[list[str]]) -> bool:
        """Whether the files of all projects are without an error, as far as that has to be known in advance.

        A tree with errors is never worth a key, whatever project they are in.
        """
        if self._request.decrypter is None or not self._has_secrets:
            return True
        keys: list[str] = [key for one in self.kept.values() for key in one.keys]

        def look(number: int) -> list[str]:
            return [key for project in shares[number] for key in keys_of(self._begun(project))]

        found = self._do(shares, look, lambda _, told: keys.extend(told))
        return found and len(keys) == len(set(keys))

    @property
    def _has_secrets(self) -> bool:
        every = (at for placed in self._projects.values() for at in placed.values())
        return any(one.sealed for one in self.root.files.values()) or any(at.kind is Kind.SECRETS for at in every)

    def outcome(self, manifest: Manifest | None = None) -> Outcome:
        """All that was found."""
        units = self._units.values()
        return Outcome(
            self.root.workspace,
            tuple(id for one in units for id in one.ids),
            tuple(id for one in units for id in one.selected),
            tuple(id for one in units for id in one.checked),
            settle(self.root.diags, self._severities),
            self.root.diags.not_checked,
            manifest,
        )

    def _through(
        self, projects: Iterable[str], stream: Callable[[Run], Iterable[Item]], units: dict[str, Unit]
    ) -> Iterator[Item]:
        """What comes of some projects; each is forgotten before the next, but for what was found."""
        for project in projects:
            run = self._begun(project)
            for item in stream(run):
                yield item
                if run.watch.found():
                    raise _SpoiltError
            units[project] = unit(run, self.root, self._index)
            if run.watch.found():
                raise _SpoiltError

    def _begun(self, project: str) -> Run:
        run = self._run(project, self._projects[project])
        if run.watch.found() or run.workspace is None or not run.workspace.is_self_contained:
            raise _SpoiltError
        return run

    def _run(self, project: str, placed: _Files) -> Run:
        asked, known = self._request, self._request.known
        memory = known.documents(project) if known else asked.memory
        part = Part(placed, self._index, self.root if project else None)
        run = Run(asked._replace(memory=memory, progress=_unheard), part)
        if known and memory is not None:
            known.keep_documents(memory)
        return run

    def _shares(self) -> list[list[str]]:
        """The projects that have to be looked at, neighbours together."""
        missing = [project for project in self._projects if project not in self.kept]
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
        return sum(at.kind is Kind.AGENT for project in projects for at in self._projects[project].values())

    def _conclude(self) -> bool:
        """Tell what can only be told when all projects have been looked at; whether there is no error."""
        units, diags = self._units.values(), self.root.diags
        if not are_apart(units, self.root):
            return False
        self.root.check_selection(tuple(id for one in units for id in one.ids))
        for one in units:
            diags.extend(one.diagnostics)
            for check in one.not_checked:
                diags.skip(check)
        if self.root.is_complete:
            diags.extend(idle_everywhere(units))
            diags.extend(tuple(self._allowances.idle(diags, aside=IDLE | NEEDS_KEY)))
        if ErrorWatch(diags, self._severities, strict=self._request.strict).found():
            return False
        if self._request.known:
            self._request.known.keep(self._units)
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

    def _digests(self, known: KnownProjects) -> dict[str, str]:
        """For each project a digest of all that its bundles are made from."""
        root = [(path, resource.document.digest) for path, resource in self.root.files.items()]
        secrets = [path for placed in self._projects.values() for path, at in placed.items() if at.kind is Kind.SECRETS]
        rules = [source.digest for source, _ in rules_files(self._tree, secrets, Diagnostics())]
        shared = (root, rules, self.root.template_digests(), self.root.inputs_read(), sorted(self._index.environments))
        found = {}
        for project, placed in self._projects.items():
            own = ["\0".join((path, *at[:4], at.owner or "", at[5], known.digest(path))) for path, at in placed.items()]
            found[project] = sha256(repr((shared, own)).encode("utf-8", "surrogateescape")).hexdigest()
        return found


def _undivided(count: int, jobs: int, work: Callable[[int], T], done: Callable[[int, T], None]) -> bool:
    """Do in this process what `divided` does in several."""
    try:
        for number in range(count):
            done(number, work(number))
    except (_SpoiltError, ReportedError):
        return False
    return True


def _unheard(what: str, done: int, total: int) -> None:
    """A project has no progress of its own."""
