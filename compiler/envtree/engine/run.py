"""The order of the stages, written once: from a tree to its bundles, which `publish` turns into files."""

from collections.abc import Callable, Container, Iterator, Mapping
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

from envtree.compile.assemble import assemble
from envtree.compile.bundle_lint import BundleLintRules, BundlePolicies, bundle_lint
from envtree.compile.layer import layer, workspace_targets
from envtree.compile.merge import Effects, effect_findings, merge
from envtree.compile.required_secrets import RequiredSecrets
from envtree.compile.resolve import resolve
from envtree.compile.tree_lint import tree_lint
from envtree.diagnostics.codes import ACCESS_CODES, DECRYPTION_CODES, UNUSED_CODES
from envtree.diagnostics.findings import ErrorMonitor, SeverityResolver, build_findings
from envtree.engine.decryption import decrypt_all
from envtree.engine.request import BundleResult, Request, RunOutcome, WholeTreeStage
from envtree.engine.selection import Selection, check_selection
from envtree.frontend.discover import discover, read_sources
from envtree.frontend.link import link, link_projects, link_root
from envtree.frontend.read_files import SourceReader
from envtree.model.artifact import Manifest, SecretsMode
from envtree.model.batching import in_batches
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.inputs import collect_inputs
from envtree.model.layers import Stack
from envtree.model.name_index import NameIndex
from envtree.model.resolved import Bundle, ExternalValues, HiddenValue
from envtree.model.resource import Resource, Resources
from envtree.model.secrets_file import DecryptError, SecretsFile, flatten_leaves
from envtree.model.selector import compile_selector
from envtree.model.source import Kind, Location
from envtree.model.suppression import Suppression, Suppressions
from envtree.model.workspace import Workspace
from envtree.output.emit import Writers
from envtree.output.format_findings import check_object_names, select_writers, template_digests


class RunScope(NamedTuple):
    """Files of a tree, `placed` by path: what stands outside of projects, or, with the `root` for that, some projects.

    `names` are those of the whole tree.
    """

    locations: Mapping[str, Location]
    name_index: NameIndex
    root: "Run | None" = None

    @property
    def projects(self) -> frozenset[str]:
        """The names of the projects."""
        return frozenset(at.project for at in self.locations.values()) - {""}


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

    def __init__(self, request: Request, scope: RunScope | None = None) -> None:
        self.diags, self.format_diags, self.effects, self.required_secrets = (
            Diagnostics(),
            Diagnostics(),
            Effects(),
            RequiredSecrets(),
        )
        self.checked: list[str] = []
        self.desired: tuple[Any, ...] | None = None
        # What was decrypted for some project, and others may need.
        self.decrypted: dict[str, dict[str, object]] = {}
        self._request, self.scope = request, scope
        resources = self._read_resources()
        self.files: Mapping[str, Resource] = {one.document.path: one for one in resources or ()}
        self.workspace = self._link(resources) if resources else None
        self.own_suppressions = _collect_suppressions(resources)
        self.suppressions = Suppressions(
            self._root.own_suppressions | self.own_suppressions if self._root else self.own_suppressions, self.today
        )
        self.severities = SeverityResolver(
            self.workspace.organization.lint_severities if self.workspace else {}, self.suppressions
        )
        self.error_monitor = ErrorMonitor(self.diags, self.severities, strict=request.strict)
        self.ids = tuple(target.id for target in workspace_targets(self.workspace)) if self.workspace else ()
        self.is_selected = self._make_selector()
        self.selected = tuple(filter(self.is_selected, self.ids))
        # Who may open a file has nothing to do with what is in it.
        self._broken_files = self.severities.error_paths(each for each in self.diags if each.code not in ACCESS_CODES)
        is_whole = not request.selectors and request.restrict_ids is None and request.shard is None
        self.is_complete = is_whole and not self._broken_files
        self.diags.extend(Suppressions(self.own_suppressions, self.today).report_expired())
        self.has_errors, self.has_breaking_errors = self.error_monitor.has_errors(), bool(self._broken_files)
        if scope is None:
            self.check_selection(self.ids)

    @property
    def _root(self) -> "Run | None":
        return self.scope.root if self.scope else None

    @cached_property
    def all_files(self) -> Mapping[str, Resource]:
        """The files of the run, and those outside of projects."""
        return {**self._root.files, **self.files} if self._root else self.files

    def restrict_to(self, ids: Container[str]) -> None:
        """Compute no other bundles than these."""
        selects = self.is_selected
        self.is_selected = lambda id: id in ids and selects(id)

    @property
    def today(self) -> date:
        """The day on which allowances may have ended."""
        return self._request.today or date.today()

    def _read_resources(self) -> Resources | None:
        """The files to look at; None where no usable organization is among them."""
        asked, part = self._request, self.scope
        tree = asked.shard.restrict(asked.tree) if asked.shard else asked.tree
        placed = part.locations if part else discover(tree, self.diags)
        sources = read_sources(tree, placed, self.diags)
        if self._root is None:
            sources = iter(found := tuple(sources))
            if not any(source.location.kind is Kind.ORGANIZATION for source in found):
                return None
        reader = SourceReader(tree, {} if asked.document_cache is None else asked.document_cache)
        resources = reader.read(sources, lambda done: asked.progress("files", done, len(placed)), self.diags)
        # The name of a file that cannot be read is known, too.
        names = (
            part.name_index
            if part
            else NameIndex((*placed.values(), *(asked.shard.other_locations if asked.shard else ())))
        )
        return Resources(resources, reader.read_sops_rules(resources, self.diags), names)

    def _link(self, resources: Resources) -> Workspace | None:
        if self.scope is None:
            return link(resources, self.diags)
        root = self.scope.root
        if root is None:
            return link_root(resources, self.diags)
        return link_projects(root.workspace, resources, self.diags) if root.workspace else None

    def check_selection(self, ids: tuple[str, ...], *, has_errors: bool = False) -> None:
        """Report what selects none of the bundles that there are in the whole tree, which may have errors elsewhere."""
        if self.workspace:
            asked, shard = self._request, self._request.shard
            # What matches nothing that another shard may have either is a mistake for sure.
            elsewhere = shard.possible_other_ids(self.workspace.environments) if shard else ()
            found = Selection(asked.selectors, (*ids, *elsewhere), asked.allow_empty)
            check_selection(self.workspace, found, self.diags, has_errors=has_errors or self.has_errors)

    def bundles(self) -> Iterator[Bundle]:
        """The selected bundles that no broken file spoils, with all findings about them reported."""
        return (result.bundle for result in self.results())

    def results(self) -> Iterator[BundleResult]:
        """The same, each with what it was put together from."""
        workspace = self.workspace
        if workspace is None:
            return
        outside, rules = self.external_values, BundleLintRules(workspace, self.policies)
        # How a bundle of a part is looked at never depends on what was found in those before it.
        ahead = in_batches if self._root else iter
        merged = ahead(merge(self._usable_stacks(workspace), workspace.organization, self.diags, self.effects))
        kept: list[BundleResult] | None = [] if self.needs_control_plane else None
        for resolved in ahead(resolve(merged, workspace, outside, self.diags)):
            one = assemble(resolved, workspace.organization)
            bundle_lint(resolved, one, rules, self.diags)
            self.checked.append(one.target.id)
            self._request.progress("bundles", len(self.checked), len(self.selected))
            result = BundleResult(resolved, one)
            if kept is not None:
                kept.append(result)
            yield result
        if kept is not None and not self.error_monitor.has_errors():
            resources = Resources(tuple(self.files.values()))
            made = self.whole_tree_stage.build(workspace, resources, kept, outside, self.diags)
            self.desired = None if self.error_monitor.has_errors() else made
        if self.is_complete and self.scope is None:
            self._check_whole_tree(workspace)

    def _check_whole_tree(self, workspace: Workspace) -> None:
        """Tell what is true of the tree as a whole."""
        self.diags.extend(effect_findings((self.effects.log,)))
        tree_lint(workspace, self.diags)
        # A secret whose name somebody misspelt is not read either, and that has been told.
        if not any(each.code == "ET601" for each in self.diags):
            self.diags.extend(self.required_secrets.unread_findings())
        self.diags.extend(
            tuple(self.suppressions.report_unused(self.diags, unchecked_codes=UNUSED_CODES | DECRYPTION_CODES))
        )

    def outcome(self, manifest: Manifest | None = None, differences: tuple[str, ...] = ()) -> RunOutcome:
        """All that was found so far."""
        findings = build_findings(self.diags, self.severities)
        checked, skipped = tuple(self.checked), self.diags.skipped_checks
        return RunOutcome(self.workspace, self.ids, self.selected, checked, findings, skipped, manifest, differences)

    def select_writers(self, formats: frozenset[str] | None = None) -> Writers:
        """What is written: in these formats, or those that the organization names."""
        if self.workspace is None:
            return Writers(())
        settings = self.workspace.organization.output
        wanted = frozenset(settings.formats) if formats is None else formats
        check_object_names(wanted, self.workspace, self.is_selected, self.diags)
        return select_writers(wanted, settings, self._request.tree, self.diags)

    def template_digests(self) -> tuple[tuple[str, str], ...]:
        """The organization's templates by path, each with the SHA-256 of its source."""
        return template_digests(self.workspace.organization.output, self._request.tree) if self.workspace else ()

    @property
    def keyless_mode(self) -> SecretsMode | None:
        """How secrets are shown where none is known: as `compile` would by itself, unless that shows them."""
        settings = self.workspace.organization.output if self.workspace else None
        return settings.secrets_mode if settings and settings.secrets_mode != "plain" else None

    def recorded_inputs(self) -> dict[str, str]:
        """The declared inputs that have a value, as the manifest records them."""
        found = self._input_values(self.workspace) if self.workspace else {}
        return {name: value for name, value in found.items() if isinstance(value, str)}

    @property
    def needs_control_plane(self) -> bool:
        """Whether its resources are to be made, for which all bundles have to be at hand."""
        asked = self._request.control_plane or (self.workspace and self.workspace.organization.is_for_control_plane)
        return self.is_complete and bool(asked)

    @property
    def whole_tree_stage(self) -> WholeTreeStage:
        """The stage over all bundles at once, where one is needed."""
        stage = self._request.whole_tree
        assert stage is not None, "a tree for a control plane takes a request with `whole_tree`"
        return stage

    @cached_property
    def policies(self) -> BundlePolicies:
        """The policies of the organization, compiled."""
        if self._root:
            return self._root.policies
        return BundlePolicies(self.workspace.policies if self.workspace else ())

    @cached_property
    def external_values(self) -> ExternalValues:
        """What comes from outside the tree, secrets decrypted."""
        assert self.workspace is not None
        known, opened = self._input_values(self.workspace), self._decrypt_secrets(self.workspace)
        return ExternalValues(known, opened, self._request.require_inputs)

    def _usable_stacks(self, workspace: Workspace) -> Iterator[Stack]:
        for stack in layer(workspace, self.is_selected):
            if not self._broken_files or self._broken_files.isdisjoint(_stack_paths(stack)):
                yield stack

    def _input_values(self, workspace: Workspace) -> dict[str, str | HiddenValue]:
        asked = self._request
        return collect_inputs(
            workspace.organization.inputs, asked.inputs, asked.environ, allow_undeclared=asked.allow_undeclared_inputs
        )

    def _decrypt_secrets(self, workspace: Workspace) -> dict[str, dict[str, object]]:
        """The decrypted files of the selected stacks; a tree with errors is never worth a key."""
        files = self._needed_secrets_files(workspace)
        if self._request.decrypter is None or not files or self.error_monitor.has_errors():
            return {}
        known = self._root.decrypted if self._root else {}
        missing = [file for path, file in files.items() if path not in known]
        opened = decrypt_all(self._request.decrypter(workspace.organization.secrets_policy), missing) if missing else {}
        plain = {path: known[path] for path in files if path in known}
        for path, data in opened.items():
            if isinstance(data, DecryptError):
                self.diags.add(Diagnostic(files[path].span, data.code, data.message, data.hint))
            else:
                plain[path] = flatten_leaves(data)
        if self._root:
            known.update((path, data) for path, data in plain.items() if path in self._root.files)
        return plain

    def _needed_secrets_files(self, workspace: Workspace) -> dict[str, SecretsFile]:
        """The secrets files that the selected bundles may need."""
        runs = (self, self._root) if self._root else (self,)
        has_secrets = any(resource.secrets_file for run in runs for resource in run.files.values())
        stacks = self._usable_stacks(workspace) if has_secrets else ()
        return {file.path: file for stack in stacks for file in self.required_secrets.required_files(stack)}

    def _make_selector(self) -> Callable[[str], bool]:
        """Whether a bundle is asked for, by its id."""
        matches = self._make_shard_selector()
        if self._request.restrict_ids is None or not self.ids:
            return matches
        within = self._request.restrict_ids(self)
        return lambda id: id in within and matches(id)

    def _make_shard_selector(self) -> Callable[[str], bool]:
        """Whether a bundle is selected, and of the shard."""
        matches, shard = compile_selector(self._request.selectors), self._request.shard
        return (lambda id: shard.has_bundle(id) and matches(id)) if shard else matches


def _collect_suppressions(resources: Resources | None) -> dict[str, tuple[Suppression, ...]]:
    documents = [one.document for one in (*resources, *resources.sops_configs)] if resources else []
    return {one.path: one.suppressions for one in documents if one.suppressions}


def _stack_paths(stack: Stack) -> set[str]:
    plain = {one.path for one in stack.layers}
    return plain | {one.secrets.path for one in stack.layers if one.secrets}
