"""What a run over one project finds, so that it can be found elsewhere, or at another time, and put together."""

from collections.abc import Collection, Container, Iterable, Iterator

from envtree.compile.merge import effect_findings, restrict_to_files
from envtree.compile.tree_lint import tree_lint
from envtree.engine.project_facts import ProjectResult
from envtree.engine.run import Run
from envtree.frontend.link import ciphertext_digests
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.fields import get_field
from envtree.model.name_index import NameIndex
from envtree.model.tree_layout import ROOT_FILE

# Nothing reads a secret, or sets a variable, whose name somebody misspelt elsewhere, and that has been told.
_CAUSED_BY = {"ET651": "ET601", "ET756": "ET703"}


def project_result(run: Run, root: Run, names: NameIndex) -> ProjectResult:
    """What a run over a project has found, when all of its bundles have been looked at."""
    shared = root.files.keys()
    overall = list(_project_tree_diagnostics(run)) if run.is_complete else []
    idle = {
        path: frozenset(one for one in overall if one.span.path == path) for path in _shared_files_read(run, shared)
    }
    own = (one for one in overall if one.span.path not in shared)
    # Mostly all of them are the same, and are sent and kept once.
    selected, checked = (run.ids if ids == run.ids else ids for ids in (run.selected, tuple(run.checked)))
    return ProjectResult(
        run.ids,
        selected,
        checked,
        run.has_errors,
        run.has_breaking_errors,
        tuple(run.diags),
        tuple(own),
        run.diags.skipped_since(),
        run.own_suppressions,
        collect_control_plane_keys(run),
        ciphertext_digests(run.files.values()),
        idle,
        restrict_to_files(run.effects.log, shared),
        names.digest if run.workspace and run.workspace.has_external_references else "",
        _environment_types(run),
    )


def collect_control_plane_keys(run: Run) -> tuple[str, ...]:
    """The keys that the control plane would know the projects of a run by."""
    projects = run.workspace.projects if run.workspace else ()
    return tuple(one.fields["key"] for one in projects if get_field(one.document, "key") is not None)


def whole_tree_diagnostics(results: Iterable[ProjectResult], codes: Collection[str]) -> Iterator[Diagnostic]:
    """What is true of the tree as a whole, but for what follows from any of the codes that were found."""
    results = tuple(results)
    every = (*(each for one in results for each in one.tree_diagnostics), *_common_noops(results))
    return (each for each in every if _CAUSED_BY.get(each.code) not in codes)


def _common_noops(results: tuple[ProjectResult, ...]) -> Iterator[Diagnostic]:
    """What did nothing in any of the projects that were asked, and what layers outside of projects never do."""
    common: dict[str, frozenset[Diagnostic]] = {}
    for one in results:
        for path, found in one.shared_noops.items():
            common[path] = common.get(path, found) & found
    for found in common.values():
        yield from found
    yield from effect_findings(one.shared_effects for one in results)


def are_independent(results: Iterable[ProjectResult], root: Run) -> bool:
    """Whether nothing is in two projects that only one may have."""
    marks, keys = set(ciphertext_digests(root.files.values())), set[str]()
    for one in results:
        if not (marks.isdisjoint(one.cipher_fingerprints) and keys.isdisjoint(one.control_plane_keys)):
            return False
        marks |= one.cipher_fingerprints
        keys.update(one.control_plane_keys)
    return True


def _environment_types(run: Run) -> dict[str, str]:
    projects = run.workspace.projects if run.workspace else ()
    return {name: one.type for project in projects for name, one in project.environments.items()}


def _project_tree_diagnostics(run: Run) -> Iterator[Diagnostic]:
    """What is true of the project as a whole."""
    yield from effect_findings((run.effects.log,))
    advice = Diagnostics()
    if run.workspace:
        tree_lint(run.workspace, advice)
    yield from advice
    yield from run.required_secrets.unread_findings()


def _shared_files_read(run: Run, shared: Container[str]) -> set[str]:
    return {ROOT_FILE, *(path for path in run.required_secrets.file_paths if path in shared)}
