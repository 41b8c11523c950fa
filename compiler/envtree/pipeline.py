"""The order of the stages, written once: from a tree to its bundles, which `publish` turns into files."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import NamedTuple, TypeVar

from envtree.advise import advise
from envtree.allowance import Allowances
from envtree.artifact import Manifest, Mode
from envtree.bundle import bundle
from envtree.codes import ABOUT_ACCESS, ABOUT_TYPES, IDLE, NEEDS_KEY
from envtree.creation_rule import RulesDocument
from envtree.diagnostic import Diagnostic, Diagnostics, NotChecked
from envtree.discover import discover
from envtree.emit import Writers, written
from envtree.finding import ErrorWatch, Finding, Severities, settle
from envtree.fitting import check_objects, report, template_digests, writers
from envtree.forked import Tell, divided
from envtree.layer import layer, targets
from envtree.link import link
from envtree.lint import Rules, lint
from envtree.merge import Effects, Seen, merge
from envtree.needs import Needs
from envtree.node import Document
from envtree.node import Mapping as MappingNode
from envtree.parse import parse
from envtree.resolve import resolve
from envtree.resolved import UNKNOWN, Bundle, Hidden, Outside, Resolved, Unset
from envtree.resource import Resource, Resources
from envtree.rules_files import rules_files
from envtree.schemas import Schemas
from envtree.secret import DecryptError, SealedFile, SecretsPolicy, leaves
from envtree.selection import check_policies, check_selectors, check_tree
from envtree.selector import selector
from envtree.shard import Shard
from envtree.sops import Decrypter, decrypt_all
from envtree.source import Kind, Location, Source, Sources
from envtree.span import START
from envtree.stack import Stack
from envtree.tree import Tree
from envtree.validate import validate
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
    there are `jobs`.
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
    memory: "Memory | None" = None
    within: "Callable[[Run], frozenset[str]] | None" = None
    shard: Shard | None = None
    jobs: int = 1


# What was read of files, and what was found in them, by path, place and content.
Memory = dict[tuple[str, Location, str], tuple[Resource, tuple[Diagnostic, ...]]]


class Result(NamedTuple):
    """One bundle, and the values that it was put together from, which know where they come from."""

    resolved: Resolved
    bundle: Bundle


class UnknownInput(Exception):
    """An input was set that organization.yaml does not declare."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name, self.known = name, known


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


class Share(NamedTuple):
    """What a process found in its share of the bundles, none of which is wrong."""

    checked: list[str]
    diagnostics: tuple[Diagnostic, ...]
    not_checked: tuple[NotChecked, ...]
    effects: Seen


class Run:
    """A tree that has been read and linked; its bundles are computed as they are asked for.

    `files` are those that mean something, by path; `workspace` is None without a usable organization; `ids` are all
    bundles, `selected` those that were asked for, as `selects` tells, and `checked` those that have been looked at.
    """

    def __init__(self, request: Request) -> None:
        self.diags = Diagnostics()
        self.checked: list[str] = []
        self._request = request
        resources = _read(request, self.diags)
        self.files: Mapping[str, Resource] = {one.document.path: one for one in resources or ()}
        self._needs = Needs()
        self._effects = Effects()
        self._has_secrets = any(resource.sealed for resource in resources or ())
        self.workspace = link(resources, self.diags) if resources else None
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
            self._check_selection(self.workspace)

    def bundles(self) -> Iterator[Bundle]:
        """The selected bundles that no broken file spoils, with all findings about them reported."""
        return (result.bundle for result in self.results())

    def results(self) -> Iterator[Result]:
        """The same, each with what it was put together from."""
        workspace = self.workspace
        if workspace is None:
            return
        outside, rules = self._outside, Rules(workspace)
        merged = merge(self._stacks(workspace), workspace.organization, self.diags, self._effects)
        for resolved in resolve(merged, workspace, outside, self.diags):
            one = bundle(resolved, workspace.organization)
            lint(resolved, one, rules, self.diags)
            self.checked.append(one.target.id)
            self._request.progress("bundles", len(self.checked), len(self.selected))
            yield Result(resolved, one)
        if self._complete:
            self._conclude(workspace)

    def together(self, work: Callable[[int], T]) -> list[T] | None:
        """Do something with the bundles in several processes, each with its share, and take over what they find.

        `work` is told which of the shares it has. None if it has to be done here, with all bundles: there are too few
        of them to gain anything, or something is wrong, and then much depends on what was found before.
        """
        shares = self._shares()
        if len(shares) < 2 or self.workspace is None or self._outside is None or self.watch.found():
            return None

        def one(number: int, tell: Tell) -> tuple[T, Share]:
            known = len(self.diags)
            self._take(shares[number], tell)
            done = work(number)
            if self.watch.found():
                raise ValueError("an error, which is to be found again where all bundles are")
            return done, Share(self.checked, self.diags.since(known), self.diags.not_checked, self._effects.seen())

        found = divided(len(shares), one, lambda done: self._request.progress("bundles", done, len(self.selected)))
        for _, share in found or ():
            self._absorb(share)
        if found and self._complete:
            self._conclude(self.workspace)
        return [done for done, _ in found] if found else None

    def _shares(self) -> list[frozenset[str]]:
        """The selected bundles in parts of about one size, neighbours together."""
        all, count = self.selected, min(self._request.jobs, len(self.selected) // _WORTH)
        return [frozenset(all[n * len(all) // count : (n + 1) * len(all) // count]) for n in range(count)]

    def _take(self, share: frozenset[str], tell: Tell) -> None:
        """Be the run over a share of the bundles, in a process of its own."""
        self._complete = False
        self.selects = share.__contains__
        self._request = self._request._replace(progress=lambda what, done, total: tell(done))

    def _absorb(self, share: Share) -> None:
        self.checked.extend(share.checked)
        self.diags.extend(share.diagnostics)
        for check in share.not_checked:
            self.diags.skip(check)
        self._effects.add(share.effects)

    def _conclude(self, workspace: Workspace) -> None:
        """Tell what can only be told when all bundles of the tree have been looked at."""
        self.diags.extend(self._effects.findings())
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
        inputs = self._inputs(self.workspace) if self.workspace else {}
        return {name: value for name, value in inputs.items() if isinstance(value, str)}

    def _stacks(self, workspace: Workspace) -> Iterator[Stack]:
        for stack in layer(workspace, self.selects):
            if not self._broken or self._broken.isdisjoint(_paths(stack)):
                yield stack

    @cached_property
    def _outside(self) -> Outside:
        """What comes from outside the tree, secrets decrypted."""
        assert self.workspace is not None
        inputs, plaintexts = self._inputs(self.workspace), self._plaintexts(self.workspace)
        return Outside(inputs, plaintexts, self._request.inputs_required)

    def _inputs(self, workspace: Workspace) -> dict[str, str | Hidden]:
        declared, given = workspace.organization.inputs, self._request.inputs
        for name in given:
            if name not in declared and not self._request.inputs_shared:
                raise UnknownInput(name, tuple(declared))
        found = {
            name: given[name] if name in given else self._request.environ.get(one.env, one.default)
            for name, one in declared.items()
        }
        return {name: _unset(name) if value is None else value for name, value in found.items()}

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
        stacks = self._stacks(workspace) if self._has_secrets else ()
        return {file.path: file for stack in stacks for file in self._needs.of(stack)}

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

    def _check_selection(self, workspace: Workspace) -> None:
        shard, optional = self._request.shard, self._request.allow_empty is not None
        # What matches nothing that another shard may have either is a mistake for sure.
        ids = (*self.ids, *shard.possible(workspace.environments)) if shard else self.ids
        if not self._request.allow_empty:
            if not self.watch.found():
                check_tree(workspace, ids, self.diags, optional=optional)
            check_selectors(self._request.selectors, ids, self.diags, optional=optional)
        check_policies(workspace, ids, self.diags)


def _unset(name: str) -> Hidden:
    return Hidden(UNKNOWN, secret=False, symbol=Unset(name))


def check(request: Request) -> Outcome:
    """Everything that can be known about the selected bundles."""
    run = Run(request)
    wanted = run.writers()

    def look(_: int = 0) -> None:
        deque(examined(run, wanted), maxlen=0)

    if run.together(look) is None:
        look()
    return run.outcome()


def examined(run: Run, wanted: Writers) -> Iterator[Result]:
    """The bundles of a run, each of which has been tried in all that would be written."""
    for result in run.results():
        if wanted.formats or wanted.templates or wanted.settings.env:
            report(written(result.bundle, run.keyless_mode, wanted), result.resolved, run.diags)
        yield result


def _allowances(resources: Resources | None, today: date) -> Allowances:
    documents = [one.document for one in (*resources, *resources.rules)] if resources else []
    return Allowances({one.path: one.allowances for one in documents if one.allowances}, today)


def _read(request: Request, diags: Diagnostics) -> Resources | None:
    """The files of a tree; None when it has no usable organization."""
    schemas, shard = Schemas(), request.shard
    tree = shard.of(request.tree) if shard else request.tree
    sources = discover(tree, diags)
    if not any(source.location.kind is Kind.ORGANIZATION for source in sources):
        return None
    read: list[Resource] = []
    memory = {} if request.memory is None else request.memory
    for source in sources:
        known = (source.path, source.location, source.digest)
        if known not in memory:
            findings = Diagnostics()
            memory[known] = _read_one(source, schemas, findings), tuple(findings)
        resource, told = memory[known]
        diags.extend(told)
        read.append(resource)
        request.progress("files", len(read), len(sources))
    return Resources(tuple(read), tuple(_read_rules(tree, sources, diags)), shard.elsewhere if shard else ())


def _read_rules(tree: Tree, sources: Sources, diags: Diagnostics) -> Iterator[RulesDocument]:
    """The files that tell sops for whom to encrypt the secrets of the tree."""
    secrets = [source.path for source in sources if source.location.kind is Kind.SECRETS]
    for source, inside in rules_files(tree, secrets, diags):
        findings = Diagnostics()
        document = parse(source, findings)
        # How it types its scalars is a matter between sops and whoever wrote it.
        diags.extend(finding for finding in findings if finding.code not in ABOUT_TYPES)
        if document:
            yield RulesDocument(document, inside)


def _read_one(source: Source, schemas: Schemas, diags: Diagnostics) -> Resource:
    document = parse(source, diags)
    if document is None:
        # A file that cannot be read stands as an empty one, so that what it is still has a name.
        empty = Document(source.path, source.location, source.digest, MappingNode({}, {}, {}, START))
        return Resource(source.location, empty)
    return validate(document, schemas, diags)


def _paths(stack: Stack) -> set[str]:
    plain = {one.path for one in stack.layers}
    return plain | {one.secrets.path for one in stack.layers if one.secrets}
