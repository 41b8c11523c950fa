"""The order of the stages, written once: from a tree to its bundles, which `publish` turns into files."""

from collections.abc import Callable, Container, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from envtree.compile.assemble import assemble
from envtree.compile.bundle_lint import Policies, Rules, bundle_lint
from envtree.compile.layer import layer, targets
from envtree.compile.merge import Effects, findings, merge
from envtree.compile.required_secrets import Needs
from envtree.compile.resolve import resolve
from envtree.compile.tree_lint import tree_lint
from envtree.controlplane.desired import Desired
from envtree.diagnostics.codes import ABOUT_ACCESS, IDLE, NEEDS_KEY
from envtree.diagnostics.findings import ErrorWatch, Finding, Severities, settle
from envtree.engine.selection import Asked, check_selection
from envtree.frontend.discover import discover, load
from envtree.frontend.link import link, link_projects, link_root
from envtree.frontend.read_files import Memory, Reader
from envtree.model.artifact import Manifest, Mode
from envtree.model.batching import in_batches
from envtree.model.diagnostic import Diagnostic, Diagnostics, NotChecked
from envtree.model.inputs import inputs
from envtree.model.layers import Stack
from envtree.model.name_index import Index
from envtree.model.resolved import Bundle, Hidden, Outside, Resolved
from envtree.model.resource import Resource, Resources
from envtree.model.secrets_file import DecryptError, SealedFile, SecretsPolicy, leaves
from envtree.model.selector import selector
from envtree.model.source import Kind, Location
from envtree.model.suppression import Allowance, Allowances
from envtree.model.workspace import Workspace
from envtree.output.emit import Writers
from envtree.output.format_findings import check_objects, template_digests, writers
from envtree.secrets.sops import Decrypter, decrypt_all
from envtree.sources.shard import Shard
from envtree.sources.tree import Tree

if TYPE_CHECKING:
    from envtree.engine.project_result import KnownProjects


class Request(NamedTuple):
    """What a run is asked to do, for the bundles that a selector selects.

    Without `decrypter` no secret is known; with `inputs_required` an input that is read must have a value; with
    `strict` a warning keeps `publish` from writing, as an error does; with `allow_empty` no bundle at all is fine,
    and where it is None no option could allow it.
    `today` is the day on which allowances may have ended; `progress` hears of every file and bundle that is done.
    Runs over trees that have files in common may share a `memory`: what one has read, the other need not. With
    `inputs_shared` an input may be set that another tree declares, and this one does not. `within` tells, once the tree
    has been read and linked, which bundles are asked for at most; it may name some that are gone. Of another `shard`
    nothing is read, and nothing is said of the tree as a whole. With `control_plane` a run also makes the resources of
    the control plane where the organization does not ask for them. Where a run goes from project to project, these may
    be divided among as many processes as there are `jobs`, and `known` is asked what an earlier run found in them.
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
    known: "KnownProjects | None" = None
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


class Part(NamedTuple):
    """Files of a tree, `placed` by path: what stands outside of projects, or, with the `root` for that, some projects.

    `names` are those of the whole tree.
    """

    placed: Mapping[str, Location]
    names: Index
    root: "Run | None" = None

    @property
    def projects(self) -> frozenset[str]:
        """The names of the projects."""
        return frozenset(at.project for at in self.placed.values()) - {""}


class Run:
    """A tree that has been read and linked; its bundles are computed as they are asked for.

    `files` are those that mean something, by path; `workspace` is None without a usable organization; `ids` are all
    bundles, `selected` those that were asked for, as `selects` tells, and `checked` those that have been looked at.
    `desired` is what the control plane should have: once all bundles of a whole tree are there, if that is wanted.
    What does not fit into a format is in `unfit`, and is told at the end; `effects` has what layers do. It `is_wrong`
    if there was an error before any bundle was looked at, and `is_broken` if that may spoil one.

    With a `part` only that is read, and what can only be told of the whole tree is left to who knows the other parts;
    it is None for a whole tree.
    """

    def __init__(self, request: Request, part: Part | None = None) -> None:
        self.diags, self.unfit, self.effects, self.needs = Diagnostics(), Diagnostics(), Effects(), Needs()
        self.checked: list[str] = []
        self.desired: tuple[Desired, ...] | None = None
        # What was decrypted for some project, and others may need.
        self.opened: dict[str, dict[str, object]] = {}
        self._request, self.part = request, part
        resources = self._read()
        self.files: Mapping[str, Resource] = {one.document.path: one for one in resources or ()}
        self.workspace = self._link(resources) if resources else None
        self.allowed = _allowed(resources)
        self.allowances = Allowances(self._root.allowed | self.allowed if self._root else self.allowed, self.today)
        self.severities = Severities(self.workspace.organization.lint if self.workspace else {}, self.allowances)
        self.watch = ErrorWatch(self.diags, self.severities, strict=request.strict)
        self.ids = tuple(target.id for target in targets(self.workspace)) if self.workspace else ()
        self.selects = self._selection()
        self.selected = tuple(filter(self.selects, self.ids))
        # Who may open a file has nothing to do with what is in it.
        self._broken = self.severities.errors(each for each in self.diags if each.code not in ABOUT_ACCESS)
        is_whole = not request.selectors and request.within is None and request.shard is None
        self.is_complete = is_whole and not self._broken
        self.diags.extend(Allowances(self.allowed, self.today).expired())
        self.is_wrong, self.is_broken = self.watch.found(), bool(self._broken)
        if part is None:
            self.check_selection(self.ids)

    @property
    def _root(self) -> "Run | None":
        return self.part.root if self.part else None

    @cached_property
    def every_file(self) -> Mapping[str, Resource]:
        """The files of the run, and those outside of projects."""
        return {**self._root.files, **self.files} if self._root else self.files

    def only(self, ids: Container[str]) -> None:
        """Compute no other bundles than these."""
        selects = self.selects
        self.selects = lambda id: id in ids and selects(id)

    @property
    def today(self) -> date:
        """The day on which allowances may have ended."""
        return self._request.today or date.today()

    def _read(self) -> Resources | None:
        """The files to look at; None where no usable organization is among them."""
        asked, part = self._request, self.part
        tree = asked.shard.of(asked.tree) if asked.shard else asked.tree
        placed = part.placed if part else discover(tree, self.diags)
        sources = load(tree, placed, self.diags)
        if self._root is None:
            sources = iter(found := tuple(sources))
            if not any(source.location.kind is Kind.ORGANIZATION for source in found):
                return None
        reader = Reader(tree, {} if asked.memory is None else asked.memory)
        resources = reader.read(sources, lambda done: asked.progress("files", done, len(placed)), self.diags)
        # The name of a file that cannot be read is known, too.
        names = part.names if part else Index((*placed.values(), *(asked.shard.elsewhere if asked.shard else ())))
        return Resources(resources, reader.rules(resources, self.diags), names)

    def _link(self, resources: Resources) -> Workspace | None:
        if self.part is None:
            return link(resources, self.diags)
        root = self.part.root
        if root is None:
            return link_root(resources, self.diags)
        return link_projects(root.workspace, resources, self.diags) if root.workspace else None

    def check_selection(self, ids: tuple[str, ...], *, has_errors: bool = False) -> None:
        """Report what selects none of the bundles that there are in the whole tree, which may have errors elsewhere."""
        if self.workspace:
            asked, shard = self._request, self._request.shard
            # What matches nothing that another shard may have either is a mistake for sure.
            elsewhere = shard.possible(self.workspace.environments) if shard else ()
            found = Asked(asked.selectors, (*ids, *elsewhere), asked.allow_empty)
            check_selection(self.workspace, found, self.diags, has_errors=has_errors or self.is_wrong)

    def bundles(self) -> Iterator[Bundle]:
        """The selected bundles that no broken file spoils, with all findings about them reported."""
        return (result.bundle for result in self.results())

    def results(self) -> Iterator[Result]:
        """The same, each with what it was put together from."""
        workspace = self.workspace
        if workspace is None:
            return
        outside, rules = self.outside, Rules(workspace, self.policies)
        # How a bundle of a part is looked at never depends on what was found in those before it.
        ahead = in_batches if self._root else iter
        merged = ahead(merge(self._stacks(workspace), workspace.organization, self.diags, self.effects))
        kept: list[Result] | None = [] if self.is_for_control_plane else None
        for resolved in ahead(resolve(merged, workspace, outside, self.diags)):
            one = assemble(resolved, workspace.organization)
            bundle_lint(resolved, one, rules, self.diags)
            self.checked.append(one.target.id)
            self._request.progress("bundles", len(self.checked), len(self.selected))
            result = Result(resolved, one)
            if kept is not None:
                kept.append(result)
            yield result
        if kept is not None and not self.watch.found():
            from envtree.controlplane.desired.payloads import desired  # noqa: PLC0415 -- few trees are for one

            made = desired(workspace, Resources(tuple(self.files.values())), kept, outside, self.diags)
            self.desired = None if self.watch.found() else made
        if self.is_complete and self.part is None:
            self._advise(workspace)

    def _advise(self, workspace: Workspace) -> None:
        """Tell what is true of the tree as a whole."""
        self.diags.extend(findings((self.effects.noted,)))
        tree_lint(workspace, self.diags)
        # A secret whose name somebody misspelt is not read either, and that has been told.
        if not any(each.code == "ET601" for each in self.diags):
            self.diags.extend(self.needs.unread())
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
    def is_for_control_plane(self) -> bool:
        """Whether its resources are to be made, for which all bundles have to be at hand."""
        asked = self._request.control_plane or (self.workspace and self.workspace.organization.is_for_control_plane)
        return self.is_complete and bool(asked)

    @cached_property
    def policies(self) -> Policies:
        """The policies of the organization, compiled."""
        if self._root:
            return self._root.policies
        return Policies(self.workspace.policies if self.workspace else ())

    @cached_property
    def outside(self) -> Outside:
        """What comes from outside the tree, secrets decrypted."""
        assert self.workspace is not None
        known, opened = self._inputs(self.workspace), self._plaintexts(self.workspace)
        return Outside(known, opened, self._request.inputs_required)

    def _stacks(self, workspace: Workspace) -> Iterator[Stack]:
        for stack in layer(workspace, self.selects):
            if not self._broken or self._broken.isdisjoint(_paths(stack)):
                yield stack

    def _inputs(self, workspace: Workspace) -> dict[str, str | Hidden]:
        asked = self._request
        return inputs(workspace.organization.inputs, asked.inputs, asked.environ, shared=asked.inputs_shared)

    def _plaintexts(self, workspace: Workspace) -> dict[str, dict[str, object]]:
        """The decrypted files of the selected stacks; a tree with errors is never worth a key."""
        files = self._secrets_files(workspace)
        if self._request.decrypter is None or not files or self.watch.found():
            return {}
        known = self._root.opened if self._root else {}
        missing = [file for path, file in files.items() if path not in known]
        opened = decrypt_all(self._request.decrypter(workspace.organization.secrets_policy), missing) if missing else {}
        plain = {path: known[path] for path in files if path in known}
        for path, data in opened.items():
            if isinstance(data, DecryptError):
                self.diags.add(Diagnostic(files[path].span, data.code, data.message, data.hint))
            else:
                plain[path] = leaves(data)
        if self._root:
            known.update((path, data) for path, data in plain.items() if path in self._root.files)
        return plain

    def _secrets_files(self, workspace: Workspace) -> dict[str, SealedFile]:
        """The secrets files that the selected bundles may need."""
        runs = (self, self._root) if self._root else (self,)
        has_secrets = any(resource.sealed for run in runs for resource in run.files.values())
        stacks = self._stacks(workspace) if has_secrets else ()
        return {file.path: file for stack in stacks for file in self.needs.of(stack)}

    def _selection(self) -> Callable[[str], bool]:
        """Whether a bundle is asked for, by its id."""
        matches = self._matching()
        if self._request.within is None or not self.ids:
            return matches
        within = self._request.within(self)
        return lambda id: id in within and matches(id)

    def _matching(self) -> Callable[[str], bool]:
        """Whether a bundle is selected, and of the shard."""
        matches, shard = selector(self._request.selectors), self._request.shard
        return (lambda id: shard.has(id) and matches(id)) if shard else matches


def _allowed(resources: Resources | None) -> dict[str, tuple[Allowance, ...]]:
    documents = [one.document for one in (*resources, *resources.rules)] if resources else []
    return {one.path: one.allowances for one in documents if one.allowances}


def _paths(stack: Stack) -> set[str]:
    plain = {one.path for one in stack.layers}
    return plain | {one.secrets.path for one in stack.layers if one.secrets}
