"""Run the stages in order from a tree to its bundles, which `publish` then writes as files."""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
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
from envtree.diagnostics.codes import CODES, OPT_IN_CODES, Topic, without_consequences
from envtree.diagnostics.findings import ErrorMonitor, SeverityResolver, build_findings
from envtree.engine.decryption import decrypt_all
from envtree.engine.request import BundleResult, Request, RunOutcome, WholeTreeStage
from envtree.engine.selection import Selection, check_selection
from envtree.frontend.discover import discover, read_sources
from envtree.frontend.link import link, link_projects, link_root
from envtree.frontend.read_files import SourceReader
from envtree.model.artifact import Manifest, SecretsMode
from envtree.model.batching import in_batches
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity
from envtree.model.inputs import collect_inputs
from envtree.model.keypath import parse_path
from envtree.model.layers import Stack
from envtree.model.name_index import NameIndex
from envtree.model.resolved import Bundle, ExternalValues, HiddenValue, Resolved
from envtree.model.resource import Resource, Resources
from envtree.model.secrets_file import DecryptError, SecretsFile, flatten_leaves
from envtree.model.selector import compile_selector
from envtree.model.source import Kind, Location, Source
from envtree.model.suppression import Suppression, Suppressions
from envtree.model.workspace import Workspace
from envtree.output.emit import Writers
from envtree.output.format_findings import check_object_names, select_writers, template_digests


class RunScope(NamedTuple):
    """A part of a tree: the files outside of projects, or those of some projects with the `root` run over the former.

    `locations` are by path; `name_index` has the names of the whole tree.
    """

    locations: Mapping[str, Location]
    name_index: NameIndex
    root: "Run | None" = None

    @property
    def projects(self) -> frozenset[str]:
        """The names of the projects."""
        return frozenset(at.project for at in self.locations.values()) - {""}


class Run:
    """A tree that has been read and linked; its bundles are computed on demand.

    `files` are the source files by path; `workspace` is None without a usable organization; `ids` are all bundles,
    `selected` those for which `is_selected` is true, and `checked` those that have been computed. `desired` is the
    desired state of the control plane, once all bundles of a whole tree are computed, if it is needed. `format_diags`
    are format problems, to be reported at the end; `effects` records the effects of layers. `has_errors` is whether
    there was an error before any bundle was computed, and `has_breaking_errors` whether it may affect a bundle.

    With a `scope` only that part of the tree is read, and checks over the whole tree are left to the caller.
    """

    def __init__(self, request: Request, scope: RunScope | None = None) -> None:
        self.diags, self.format_diags = Diagnostics(), Diagnostics()
        self.effects, self.required_secrets = Effects(), RequiredSecrets()
        self.checked: list[str] = []
        self.desired: tuple[Any, ...] | None = None
        # Decrypted files outside of projects, which several projects may need.
        self.decrypted: dict[str, dict[str, object]] = {}
        self._request, self.scope = request, scope
        resources = self._read_resources()
        self.files: Mapping[str, Resource] = {resource.document.path: resource for resource in resources or ()}
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
        # Errors about the readers of a secrets file do not affect its content.
        self._broken_files = self.severities.error_paths(
            diagnostic for diagnostic in self.diags if CODES[diagnostic.code].topic is not Topic.ACCESS
        )
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
        """Compute only these of the selected bundles."""
        is_selected = self.is_selected
        self.is_selected = lambda id: id in ids and is_selected(id)

    @property
    def today(self) -> date:
        """The date that decides which suppressions have expired."""
        return self._request.today or date.today()

    def _read_resources(self) -> Resources | None:
        """Read the files of the scope; return None if they lack a readable organization.yaml."""
        request, shard = self._request, self._request.shard
        tree = shard.restrict(request.tree) if shard else request.tree
        locations = self.scope.locations if self.scope else discover(tree, self.diags)
        sources: Iterable[Source] = read_sources(tree, locations, self.diags)
        if self._root is None:
            sources = tuple(sources)
            if not any(source.location.kind is Kind.ORGANIZATION for source in sources):
                return None
        reader = SourceReader(tree, {} if request.document_cache is None else request.document_cache)
        resources = reader.read(sources, lambda done: request.progress("files", done, len(locations)), self.diags)
        # The index also has the names of files that cannot be read.
        other_locations = shard.other_locations if shard else ()
        names = self.scope.name_index if self.scope else NameIndex((*locations.values(), *other_locations))
        return Resources(resources, reader.read_sops_rules(resources, self.diags), names)

    def _link(self, resources: Resources) -> Workspace | None:
        if self.scope is None:
            return link(resources, self.diags)
        root = self.scope.root
        if root is None:
            return link_root(resources, self.diags)
        return link_projects(root.workspace, resources, self.diags) if root.workspace else None

    def check_selection(self, ids: tuple[str, ...], *, has_errors: bool = False) -> None:
        """Report selectors and policies that match none of the `ids`; `has_errors` is about other parts of the tree."""
        if self.workspace:
            request, shard = self._request, self._request.shard
            # A selector that matches a possible bundle of another shard is no error.
            other_ids = shard.possible_other_ids(self.workspace.environments) if shard else ()
            selection = Selection(request.selectors, (*ids, *other_ids), request.allow_empty)
            check_selection(self.workspace, selection, self.diags, has_errors=has_errors or self.has_errors)

    def bundles(self) -> Iterator[Bundle]:
        """Yield the selected bundles whose files have no errors, and report all findings about them."""
        return (result.bundle for result in self.results())

    def results(self) -> Iterator[BundleResult]:
        """Yield the same bundles, each with its resolved values."""
        workspace = self.workspace
        if workspace is None:
            return
        external_values, rules = self.external_values, BundleLintRules(workspace, self.policies)
        # In a run over one project, handling of a bundle never depends on findings about earlier ones.
        batched = in_batches if self._root else iter
        merged = batched(merge(self._usable_stacks(workspace), workspace.organization, self.diags, self.effects))
        all_results: list[BundleResult] | None = [] if self.needs_control_plane else None
        for resolved in batched(resolve(merged, workspace, external_values, self.diags)):
            bundle = assemble(resolved, workspace.organization)
            bundle_lint(resolved, bundle, rules, self.diags)
            self.checked.append(bundle.target.id)
            self._request.progress("bundles", len(self.checked), len(self.selected))
            result = BundleResult(resolved, bundle)
            if all_results is not None:
                all_results.append(result)
            yield result
        if all_results is not None and not self.error_monitor.has_errors():
            resources = Resources(tuple(self.files.values()))
            desired = self.whole_tree_stage.build(workspace, resources, all_results, external_values, self.diags)
            self.desired = None if self.error_monitor.has_errors() else desired
        if self.is_complete and self.scope is None:
            self._check_whole_tree(workspace)

    def _check_whole_tree(self, workspace: Workspace) -> None:
        """Report the findings about the tree as a whole."""
        diags = Diagnostics()
        diags.extend(effect_findings((self.effects.log,)))
        tree_lint(workspace, diags)
        diags.extend(self.required_secrets.unread_findings())
        self.diags.extend(without_consequences(diags, {diagnostic.code for diagnostic in self.diags}))
        self.diags.extend(tuple(self.suppressions.report_unused(self.diags, unchecked_codes=OPT_IN_CODES)))

    def outcome(self, manifest: Manifest | None = None, differences: tuple[str, ...] = ()) -> RunOutcome:
        """Return the findings so far."""
        return RunOutcome(
            workspace=self.workspace,
            ids=self.ids,
            selected=self.selected,
            checked=tuple(self.checked),
            findings=build_findings(self.diags, self.severities),
            not_checked=self.diags.skipped_checks,
            manifest=manifest,
            differences=differences,
        )

    def select_writers(self, formats: frozenset[str] | None = None) -> Writers:
        """Return the writers for these formats, or else for those of the organization."""
        if self.workspace is None:
            return Writers(())
        settings = self.workspace.organization.output
        formats = frozenset(settings.formats) if formats is None else formats
        check_object_names(formats, self.workspace, self.is_selected, self.diags)
        return select_writers(formats, settings, self._request.tree, self.diags)

    def allowed_names(self, resolved: Resolved) -> frozenset[str]:
        """Return the reserved names for which ET751 is switched off: by `lint`, or by a comment at every occurrence."""
        reserved = [
            name_and_permission
            for layer in resolved.merged.stack.layers
            for name_and_permission in self._reserved_names.get(layer.path, ())
        ]
        refused = {name for name, is_allowed in reserved if not is_allowed}
        return frozenset(name for name, _ in reserved) - refused

    @cached_property
    def _reserved_names(self) -> Mapping[str, list[tuple[str, bool]]]:
        """The reserved names that each file sets, and whether the tree allows it."""
        names: dict[str, list[tuple[str, bool]]] = {}
        for diagnostic in (*(self._root.diags if self._root else ()), *self.diags):
            if diagnostic.code == "ET751":
                is_allowed = self.severities.severity_of(diagnostic) is Severity.OFF
                names.setdefault(diagnostic.span.path, []).append((parse_path(diagnostic.key)[-1], is_allowed))
        return names

    def template_digests(self) -> tuple[tuple[str, str], ...]:
        """Return the organization's templates by path, each with the SHA-256 of its source."""
        return template_digests(self.workspace.organization.output, self._request.tree) if self.workspace else ()

    @property
    def keyless_mode(self) -> SecretsMode | None:
        """The secrets mode of the organization for a run without a key; None if it is `plain`."""
        settings = self.workspace.organization.output if self.workspace else None
        return settings.secrets_mode if settings and settings.secrets_mode != "plain" else None

    def recorded_inputs(self) -> dict[str, str]:
        """Return the declared inputs that have a value, as the manifest records them."""
        inputs = self._input_values(self.workspace) if self.workspace else {}
        return {name: value for name, value in inputs.items() if isinstance(value, str)}

    @property
    def needs_control_plane(self) -> bool:
        """Whether to build the control plane resources, which needs all bundles at once."""
        is_wanted = self._request.control_plane or (self.workspace and self.workspace.organization.is_for_control_plane)
        return self.is_complete and bool(is_wanted)

    @property
    def whole_tree_stage(self) -> WholeTreeStage:
        """The stage over all bundles at once; the request must have one if it is needed."""
        stage = self._request.whole_tree
        assert stage is not None, "a tree for a control plane takes a request with `whole_tree`"
        return stage

    @cached_property
    def policies(self) -> BundlePolicies:
        """The compiled policies of the organization."""
        if self._root:
            return self._root.policies
        return BundlePolicies(self.workspace.policies if self.workspace else ())

    @cached_property
    def external_values(self) -> ExternalValues:
        """The values from outside the tree: inputs and decrypted secrets."""
        assert self.workspace is not None
        inputs, secrets = self._input_values(self.workspace), self._decrypt_secrets(self.workspace)
        return ExternalValues(inputs, secrets, self._request.require_inputs)

    def _usable_stacks(self, workspace: Workspace) -> Iterator[Stack]:
        for stack in layer(workspace, self.is_selected):
            if not self._broken_files or self._broken_files.isdisjoint(_stack_paths(stack)):
                yield stack

    def _input_values(self, workspace: Workspace) -> dict[str, str | HiddenValue]:
        request = self._request
        return collect_inputs(
            workspace.organization.inputs,
            request.inputs,
            request.environ,
            allow_undeclared=request.allow_undeclared_inputs,
        )

    def _decrypt_secrets(self, workspace: Workspace) -> dict[str, dict[str, object]]:
        """Decrypt the secrets files of the selected stacks; with an error in the tree, decrypt nothing."""
        files = self._needed_secrets_files(workspace)
        if self._request.decrypter is None or not files or self.error_monitor.has_errors():
            return {}
        decrypted = self._root.decrypted if self._root else {}
        plain = {path: decrypted[path] for path in files if path in decrypted}
        missing = [file for path, file in files.items() if path not in decrypted]
        if missing:
            decrypter = self._request.decrypter(workspace.organization.secrets_policy)
            for path, outcome in decrypt_all(decrypter, missing).items():
                if isinstance(outcome, DecryptError):
                    self.diags.add(Diagnostic(files[path].span, outcome.code, outcome.message, outcome.hint))
                else:
                    plain[path] = flatten_leaves(outcome)
        if self._root:
            decrypted.update((path, data) for path, data in plain.items() if path in self._root.files)
        return plain

    def _needed_secrets_files(self, workspace: Workspace) -> dict[str, SecretsFile]:
        """Return the secrets files that the selected bundles may need."""
        runs = (self, self._root) if self._root else (self,)
        has_secrets = any(resource.secrets_file for run in runs for resource in run.files.values())
        stacks = self._usable_stacks(workspace) if has_secrets else ()
        return {file.path: file for stack in stacks for file in self.required_secrets.required_files(stack)}

    def _make_selector(self) -> Callable[[str], bool]:
        """Return the predicate for the ids of bundles to compute."""
        matches = self._make_shard_selector()
        if self._request.restrict_ids is None or not self.ids:
            return matches
        restricted_ids = self._request.restrict_ids(self)
        return lambda id: id in restricted_ids and matches(id)

    def _make_shard_selector(self) -> Callable[[str], bool]:
        """Return the predicate for the ids of bundles that are selected and belong to the shard."""
        matches, shard = compile_selector(self._request.selectors), self._request.shard
        return (lambda id: shard.has_bundle(id) and matches(id)) if shard else matches


def _collect_suppressions(resources: Resources | None) -> dict[str, tuple[Suppression, ...]]:
    documents = [source.document for source in (*resources, *resources.sops_configs)] if resources else []
    return {document.path: document.suppressions for document in documents if document.suppressions}


def _stack_paths(stack: Stack) -> set[str]:
    paths = {layer.path for layer in stack.layers}
    return paths | {layer.secrets.path for layer in stack.layers if layer.secrets}
