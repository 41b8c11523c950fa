"""Extract the result of a run over one project, and merge the results of all projects."""

from collections.abc import Collection, Container, Iterable, Iterator
from itertools import chain

from envtree.compile.merge import effect_findings, restrict_to_files
from envtree.compile.tree_lint import tree_lint
from envtree.diagnostics.codes import without_consequences
from envtree.engine.project_facts import ProjectResult
from envtree.engine.run import Run
from envtree.frontend.link import ciphertext_digests
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import get_field
from envtree.model.name_index import NameIndex
from envtree.model.tree_layout import ROOT_FILE


def project_result(run: Run, root: Run, names: NameIndex) -> ProjectResult:
    """Return the result of a run over a project, all of whose bundles have been computed."""
    shared_paths = root.files.keys()
    tree_diagnostics = list(_project_tree_diagnostics(run)) if run.is_complete else []
    shared_noops = {
        path: frozenset(diagnostic for diagnostic in tree_diagnostics if diagnostic.span.path == path)
        for path in _shared_files_read(run, shared_paths)
    }
    own_diagnostics = (diagnostic for diagnostic in tree_diagnostics if diagnostic.span.path not in shared_paths)
    # Usually all three are equal: use one object, so that it is sent and stored once.
    selected, checked = (run.ids if ids == run.ids else ids for ids in (run.selected, tuple(run.checked)))
    return ProjectResult(
        ids=run.ids,
        selected=selected,
        checked=checked,
        has_errors=run.has_errors,
        has_breaking_errors=run.has_breaking_errors,
        diagnostics=tuple(run.diags),
        tree_diagnostics=tuple(own_diagnostics),
        not_checked=run.diags.skipped_since(),
        suppressions=run.own_suppressions,
        control_plane_keys=collect_control_plane_keys(run),
        cipher_fingerprints=ciphertext_digests(run.files.values()),
        shared_noops=shared_noops,
        shared_effects=restrict_to_files(run.effects.log, shared_paths),
        names_digest=names.digest if run.workspace and run.workspace.has_external_references else "",
        environment_types=_environment_types(run),
    )


def collect_control_plane_keys(run: Run) -> tuple[str, ...]:
    """Return the control plane keys of the projects of a run."""
    projects = run.workspace.projects if run.workspace else ()
    return tuple(project.fields["key"] for project in projects if get_field(project.document, "key") is not None)


def whole_tree_diagnostics(results: Iterable[ProjectResult], codes: Collection[str]) -> Iterator[Diagnostic]:
    """Return the findings about the tree as a whole, without those that follow from one of the reported codes."""
    results = tuple(results)
    own_diagnostics = chain.from_iterable(result.tree_diagnostics for result in results)
    return without_consequences(chain(own_diagnostics, _common_noops(results)), codes)


def _common_noops(results: tuple[ProjectResult, ...]) -> Iterator[Diagnostic]:
    """Yield the findings about parts of shared files that have no effect in any project."""
    common: dict[str, frozenset[Diagnostic]] = {}
    for result in results:
        for path, noops in result.shared_noops.items():
            common[path] = common.get(path, noops) & noops
    yield from chain.from_iterable(common.values())
    yield from effect_findings(result.shared_effects for result in results)


def are_independent(results: Iterable[ProjectResult], root: Run) -> bool:
    """Return whether no two projects share a ciphertext or a control plane key."""
    fingerprints, keys = set(ciphertext_digests(root.files.values())), set[str]()
    for result in results:
        if not (fingerprints.isdisjoint(result.cipher_fingerprints) and keys.isdisjoint(result.control_plane_keys)):
            return False
        fingerprints |= result.cipher_fingerprints
        keys.update(result.control_plane_keys)
    return True


def _environment_types(run: Run) -> dict[str, str]:
    projects = run.workspace.projects if run.workspace else ()
    return {name: environment.type for project in projects for name, environment in project.environments.items()}


def _project_tree_diagnostics(run: Run) -> Iterator[Diagnostic]:
    """Yield the findings about the project as a whole."""
    yield from effect_findings((run.effects.log,))
    lint_diags = Diagnostics()
    if run.workspace:
        tree_lint(run.workspace, lint_diags)
    yield from lint_diags
    yield from run.required_secrets.unread_findings()


def _shared_files_read(run: Run, shared: Container[str]) -> set[str]:
    return {ROOT_FILE, *(path for path in run.required_secrets.file_paths if path in shared)}
