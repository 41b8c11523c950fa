"""The order of the stages, written once: from a tree to its bundles, which `publish` turns into files."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import NamedTuple, Protocol, TypeVar

from envtree.advise import advise
from envtree.allowance import Allowances
from envtree.artifact import Manifest, Mode, project_of
from envtree.bundle import bundle
from envtree.codes import ABOUT_ACCESS, IDLE, NEEDS_KEY
from envtree.diagnostic import Diagnostic, Diagnostics, NotChecked
from envtree.emit import Writers, written
from envtree.finding import ErrorWatch, Finding, Severities, settle
from envtree.fitting import check_objects, report, template_digests, writers
from envtree.forked import Tell, divided
from envtree.formats import WHOLE
from envtree.inputs import inputs
from envtree.kubiya import Desired
from envtree.layer import layer, targets
from envtree.ledger import Ledger, Share, project_digests
from envtree.link import link
from envtree.lint import Rules, lint
from envtree.merge import findings, merge
from envtree.needs import Needs
from envtree.reading import Memory, read
from envtree.resolve import resolve
from envtree.resolved import Bundle, Hidden, Outside, Resolved
from envtree.resource import Resource, Resources
from envtree.secret import DecryptError, SealedFile, SecretsPolicy, leaves
from envtree.selection import Asked, check_selection
from envtree.selector import selector
from envtree.shard import Shard
from envtree.sops import Decrypter, decrypt_all
from envtree.stack import Stack
from envtree.tree import Tree
from envtree.workspace import Workspace

T = TypeVar("T")

# How many bundles are worth a process.
_WORTH = 400


class Request(NamedTuple):
    """What a run is asked to do, for the bundles that a selector selects.

    Without `decrypter` no secret is known; with `inputs_required` an input that is read must have a value; with
    `strict` a warning keeps `publish` from writing, as an error does; with `allow_empty` no bundle at all is fine,
    and where it is None no option could allow it.
    `today` is the day on which allowances may have ended; `progress` hears of every file and bundle that is done.
    Runs over trees that have files in common may share a `memory`: what one has read, the other need not. With
    `inputs_shared` an input may be set that another tree declares, and this one does not. `within` tells, once the tree
    has been read and linked, which bundles are asked for at most; it may name some that are gone. Of another `shard`
    nothing is read, and nothing is said of the tree as a whole. The bundles may be divided among as many processes as
    there are `jobs`, and `units` knows what an earlier run found in projects. With `control_plane` a run also makes the
    resources of the control plane where the organization does not ask for them.
    """

    tree: Tree
    selectors: tuple[str, ...] = ()
    inputs: Mapping[str, str] = {}
    environ: Mapping[str, str] = {}
    decrypter: Callable[[SecretsPolicy], Decrypter] | None = None
    inputs_required: bool = False
    inputs_shared: bool = False
    strict: bool = False
    allow_empty: bool | None = False
    today: date | None = None
    progress: Callable[[str, int, int], None] = lambda what, done, total: None
    memory: Memory | None = None
    within: "Callable[[Run], frozenset[str]] | None" = None
    shard: Shard | None = None
    jobs: int = 1
    units: "Units | None" = None
    control_plane: bool = False


class Result(NamedTuple):
    """One bundle, and the values that it was put together from, which know where they come from."""

    resolved: Resolved
    bundle: Bundle


class Outcome(NamedTuple):
    """What a run found: `ids` are all bundles of the tree, `selected` those that were asked for, `checked` those that
    were looked at.
    """

    workspace: Workspace | None
    ids: tuple[str, ...]
    selected: tuple[str, ...]
    checked: tuple[str, ...]
    findings: tuple[Finding, ...]
    not_checked: tuple[NotChecked, ...]
    manifest: Manifest | None = None
    differences: tuple[str, ...] = ()


class Units(Protocol):
    """What was found in whole projects without an error; a digest changes with all that this depends on."""

    def known(self, digests: Mapping[str, str]) -> list[Share]:
        """What was found in those of the projects that have the same digest as then, and need not be written again."""

    def keep(self, digests: Mapping[str, str], shares: list[Share]) -> None:
        """Remember what was found in all projects."""


class Run:
    """A tree that has been read and linked; its bundles are computed as they are asked for.

    `files` are those that mean something, by path; `workspace` is None without a usable organization; `ids` are all
    bundles, `selected` those that were asked for, as `selects` tells, and `checked` those that have been looked at.
    `desired` is what the control plane should have: once all bundles of a whole tree are there, if that is wanted.
    """

    def __init__(self, request: Request) -> None:
        self.diags = Diagnostics()
        self.ledger = Ledger(self.diags)
        self._request = request
        resources = self._read(request)
        self.files: Mapping[str, Resource] = {one.document.path: one for one in resources or ()}
        self._needs = Needs()
        self._is_share = False
        self._has_secrets = any(resource.sealed for resource in resources or ())
        self.workspace = link(resources, self.diags) if resources else None
        self.desired: tuple[Desired, ...] | None = None
        self.allowances = _allowances(resources, request.today or date.today())
        self.severities = Severities(self.workspace.organization.lint if self.workspace else {}, self.allowances)
        self.watch = ErrorWatch(self.diags, self.severities, strict=request.strict)
        self.ids = tuple(target.id for target in targets(self.workspace)) if self.workspace else ()
        self.selects = self._selection()
        self.selected = tuple(filter(self.selects, self.ids))
        # Who may open a file has nothing to do with what is in it.
        self._broken = self.severities.errors(each for each in self.diags if each.code not in ABOUT_ACCESS)
        is_whole = not request.selectors and request.within is None and request.shard is None
        self._complete = is_whole and not self._broken
        self.diags.extend(self.allowances.expired())
        if self.workspace:
            # What matches nothing that another shard may have either is a mistake for sure.
            elsewhere = request.shard.possible(self.workspace.environments) if request.shard else ()
            asked = Asked(request.selectors, (*self.ids, *elsewhere), request.allow_empty)
            check_selection(self.workspace, asked, self.diags, has_errors=self.watch.found())
        self._wanted = self.selects
        self.kept = self._recalled()

    def _read(self, request: Request) -> Resources | None:
        shard, memory = request.shard, {} if request.memory is None else request.memory
        tree, elsewhere = (shard.of(request.tree), shard.elsewhere) if shard else (request.tree, ())
        return read(tree, elsewhere, memory, self.diags, request.progress)

    @property
    def checked(self) -> list[str]:
        """The ids of the bundles that have been looked at."""
        return self.ledger.checked

    def bundles(self) -> Iterator[Bundle]:
        """The selected bundles that no broken file spoils, with all findings about them reported."""
        return (result.bundle for result in self.results())

    def results(self) -> Iterator[Result]:
        """The same, each with what it was put together from."""
        workspace = self.workspace
        if workspace is None:
            return
        outside, rules = self._outside, Rules(workspace)
        self.ledger.open()
        stacks = self._closing(self._stacks(workspace, self._wanted))
        merged = merge(stacks, workspace.organization, self.diags, self.ledger.effects)
        kept: list[Result] = []
        for resolved in resolve(merged, workspace, outside, self.diags):
            one = bundle(resolved, workspace.organization)
            lint(resolved, one, rules, self.diags)
            self.checked.append(one.target.id)
            kept += [Result(resolved, one)] if self._is_for_control_plane else []
            self._request.progress("bundles", len(self.checked), len(self.selected))
            yield Result(resolved, one)
        if self._is_for_control_plane and not self.watch.found():
            from envtree.kubiya.payloads import desired  # noqa: PLC0415 -- few trees are for one

            made = desired(workspace, Resources(tuple(self.files.values())), kept, outside, self.diags)
            self.desired = None if self.watch.found() else made
        self._conclude(workspace)

    def together(self, work: Callable[[int], T]) -> list[T] | None:
        """Do something with the bundles in several processes, each with its share, and take over what they find.

        `work` is told which of the shares it has. None if there are too few bundles to gain anything, or all are needed
        at the end; nothing if something is wrong, for then much depends on what was found before. Both ways it has to
        be done here.
        """
        shares = self._shares() if not self._is_for_control_plane else []
        if len(shares) < 2 or self.workspace is None or self._outside is None or self.watch.found():
            return None

        def one(number: int, tell: Tell) -> tuple[T, list[Share]]:
            self._take(shares[number], tell)
            done = work(number)
            if self.watch.found():
                raise ValueError("an error, which is to be found again where all bundles are")
            return done, self.ledger.shares

        found = divided(len(shares), one, lambda done: self._request.progress("bundles", done, len(self.selected)))
        if found is None:
            return []
        for _, told in found:
            self.ledger.add(told)
        self._conclude(self.workspace)
        return [done for done, _ in found]

    def _shares(self) -> list[frozenset[str]]:
        """The bundles that are to be computed in parts of about one size, neighbours together."""
        all = [id for id in self.selected if self._wanted(id)]
        count = min(self._request.jobs, len(all) // _WORTH)
        return [frozenset(all[n * len(all) // count : (n + 1) * len(all) // count]) for n in range(count)]

    def _take(self, share: frozenset[str], tell: Tell) -> None:
        """Be the run over a share of the bundles, in a process of its own."""
        self._is_share = True
        self._wanted = share.__contains__
        self._request = self._request._replace(progress=lambda what, done, total: tell(done))

    def _recalled(self) -> tuple[Share, ...]:
        """What is known of projects in which nothing has changed, so that they need not be looked at."""
        units = None if self._is_for_control_plane else self._request.units
        if units is None or self.workspace is None or self.watch.found():
            return ()
        shares = tuple(units.known(self._digests))
        if shares:
            known = {share.project for share in shares}
            self._wanted = lambda id: project_of(id) not in known and self.selects(id)
        return shares

    @cached_property
    def _digests(self) -> dict[str, str]:
        """For each project a digest of all that its bundles are made from."""
        assert self.workspace is not None
        return project_digests(self.files.values(), (self.template_digests(), self._inputs(self.workspace)))

    def _conclude(self, workspace: Workspace) -> None:
        """Tell what can only be told when all bundles have been looked at."""
        if self._is_share:
            return
        if self.kept:
            self.ledger.add(self.kept)
            self.ledger.sort(self.ids)
        if self._complete:
            self._advise(workspace)
        if self._request.units and not self.watch.found():
            self._request.units.keep(self._digests, self.ledger.shares)

    def _advise(self, workspace: Workspace) -> None:
        """Tell what is true of the tree as a whole."""
        self.diags.extend(findings(share.effects for share in self.ledger.shares))
        advise(workspace, self.diags)
        # A secret whose name somebody misspelt is not read either, and that has been told.
        if not any(each.code == "ET601" for each in self.diags):
            self.diags.extend(self._needs.unread())
        self.diags.extend(tuple(self.allowances.idle(self.diags, aside=IDLE | NEEDS_KEY)))

    def outcome(self, manifest: Manifest | None = None, differences: tuple[str, ...] = ()) -> Outcome:
        """All that was found so far."""
        findings = settle(self.diags, self.severities)
        checked, skipped = tuple(self.checked), self.diags.not_checked
        return Outcome(self.workspace, self.ids, self.selected, checked, findings, skipped, manifest, differences)

    def writers(self, formats: frozenset[str] | None = None) -> Writers:
        """What is written: in these formats, or those that the organization names."""
        if self.workspace is None:
            return Writers(())
        settings = self.workspace.organization.output
        wanted = frozenset(settings.formats) if formats is None else formats
        check_objects(wanted, self.workspace, self.selects, self.diags)
        return writers(wanted, settings, self._request.tree, self.diags)

    def template_digests(self) -> tuple[tuple[str, str], ...]:
        """The organization's templates by path, each with the SHA-256 of its source."""
        return template_digests(self.workspace.organization.output, self._request.tree) if self.workspace else ()

    @property
    def keyless_mode(self) -> Mode | None:
        """How secrets are shown where none is known: as `compile` would by itself, unless that shows them."""
        settings = self.workspace.organization.output if self.workspace else None
        return settings.secrets if settings and settings.secrets != "plain" else None

    def inputs_read(self) -> dict[str, str]:
        """The declared inputs that have a value, as the manifest records them."""
        found = self._inputs(self.workspace) if self.workspace else {}
        return {name: value for name, value in found.items() if isinstance(value, str)}

    @property
    def _is_for_control_plane(self) -> bool:
        """Whether its resources are to be made, for which all bundles have to be at hand."""
        asked = self._request.control_plane or (self.workspace and self.workspace.organization.is_for_control_plane)
        return self._complete and bool(asked)

    def _stacks(self, workspace: Workspace, selects: Callable[[str], bool]) -> Iterator[Stack]:
        for stack in layer(workspace, selects):
            if not self._broken or self._broken.isdisjoint(_paths(stack)):
                yield stack

    def _closing(self, stacks: Iterator[Stack]) -> Iterator[Stack]:
        """The stacks, one after the other; when one is asked for, all has been said of the one before."""
        project = None
        for stack in stacks:
            if project not in (None, stack.target.project):
                self.ledger.close(project)
            project = stack.target.project
            yield stack
        if project is not None:
            self.ledger.close(project)

    @cached_property
    def _outside(self) -> Outside:
        """What comes from outside the tree, secrets decrypted."""
        assert self.workspace is not None
        known, opened = self._inputs(self.workspace), self._plaintexts(self.workspace)
        return Outside(known, opened, self._request.inputs_required)

    def _inputs(self, workspace: Workspace) -> dict[str, str | Hidden]:
        asked = self._request
        return inputs(workspace.organization.inputs, asked.inputs, asked.environ, shared=asked.inputs_shared)

    def _plaintexts(self, workspace: Workspace) -> dict[str, dict[str, object]]:
        """The decrypted files of the selected stacks; a tree with errors is never worth a key."""
        files = self._secrets_files(workspace)
        if self._request.decrypter is None or not files or self.watch.found():
            return {}
        opened = decrypt_all(self._request.decrypter(workspace.organization.secrets_policy), files.values())
        plain = {}
        for path, data in opened.items():
            if isinstance(data, DecryptError):
                self.diags.add(Diagnostic(files[path].span, data.code, data.message, data.hint))
            else:
                plain[path] = leaves(data)
        return plain

    def _secrets_files(self, workspace: Workspace) -> dict[str, SealedFile]:
        """The secrets files that the selected bundles may need."""
        stacks = self._stacks(workspace, self.selects) if self._has_secrets else ()
        # What a project reads that is known already is asked all the same: else nobody would seem to read it.
        needed = [(stack, file) for stack in stacks for file in self._needs.of(stack)]
        return {file.path: file for stack, file in needed if self._wanted(stack.target.id)}

    def _selection(self) -> Callable[[str], bool]:
        """Whether a bundle is asked for, by its id."""
        matches = self._matching()
        if self._request.within is None:
            return matches
        within = self._request.within(self)
        return lambda id: id in within and matches(id)

    def _matching(self) -> Callable[[str], bool]:
        """Whether a bundle is selected, and of the shard."""
        matches, shard = selector(self._request.selectors), self._request.shard
        return (lambda id: shard.has(id) and matches(id)) if shard else matches


def check(request: Request) -> Outcome:
    """Everything that can be known about the selected bundles."""
    run = Run(request)
    wanted = run.writers()

    def look(_: int = 0) -> None:
        deque(examined(run, wanted), maxlen=0)

    if not run.together(look):
        look()
    if run.kept and run.watch.found():
        # Over an error all depends on what was found before.
        return check(request._replace(units=None))
    return run.outcome()


def examined(run: Run, wanted: Writers) -> Iterator[Result]:
    """The bundles of a run, each of which has been tried in all that would be written."""
    for result in run.results():
        if wanted.formats or wanted.templates or wanted.settings.env:
            report(written(result.bundle, run.keyless_mode, wanted), result.resolved, run.diags)
        yield result
    if run.workspace and run.desired is not None:
        from envtree.kubiya.whole import whole  # noqa: PLC0415

        settings = run.workspace.organization
        whole(settings, run.desired, WHOLE.intersection(settings.output.formats), run.diags)


def _allowances(resources: Resources | None, today: date) -> Allowances:
    documents = [one.document for one in (*resources, *resources.rules)] if resources else []
    return Allowances({one.path: one.allowances for one in documents if one.allowances}, today)


def _paths(stack: Stack) -> set[str]:
    plain = {one.path for one in stack.layers}
    return plain | {one.secrets.path for one in stack.layers if one.secrets}
