"""What a run over one project finds, so that it can be found elsewhere, or at another time, and put together."""

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from envtree.compile.merge import EffectLog, effect_findings, restrict_to_files
from envtree.compile.tree_lint import tree_lint
from envtree.engine.run import Run
from envtree.frontend.link import ciphertext_digests
from envtree.frontend.read_files import DocumentCache
from envtree.model.diagnostic import Diagnostic, Diagnostics, SkippedCheck
from envtree.model.fields import get_field
from envtree.model.manifest_records import ManifestDigest
from envtree.model.name_index import NameIndex, collect_environment_names
from envtree.model.source import Kind, Location
from envtree.model.suppression import Suppression
from envtree.model.tree_layout import ROOT_FILE

# Nothing reads a secret, or sets a variable, whose name somebody misspelt elsewhere, and that has been told.
_CAUSED_BY = {"ET651": "ET601", "ET756": "ET703"}


class ProjectResult(NamedTuple):
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
    has_errors: bool
    has_breaking_errors: bool
    diagnostics: tuple[Diagnostic, ...]
    tree_diagnostics: tuple[Diagnostic, ...]
    not_checked: tuple[SkippedCheck, ...]
    suppressions: dict[str, tuple[Suppression, ...]]
    control_plane_keys: tuple[str, ...]
    cipher_fingerprints: frozenset[bytes]
    shared_noops: dict[str, frozenset[Diagnostic]]
    shared_effects: EffectLog
    names_digest: str
    environment_types: dict[str, str]


# Files by path.
FileLocations = Mapping[str, Location]


class DiscoveredFiles(NamedTuple):
    """The place of every file of a tree, by project, of which that of what stands outside of projects is empty.

    `secrets` are the secrets files of projects, `environments` the names of all environments, and `diagnostics` what
    was found wrong with where files stand.
    """

    by_project: Mapping[str, FileLocations]
    secrets_files: FileLocations
    environments: frozenset[str]
    diagnostics: tuple[Diagnostic, ...]

    @classmethod
    def from_locations(cls, locations: FileLocations, diagnostics: Iterable[Diagnostic]) -> "DiscoveredFiles":
        """Files that have been discovered, with the projects in the order of their names."""
        files: dict[str, dict[str, Location]] = {"": {}}
        for path, at in sorted(locations.items(), key=lambda one: one[1].project):
            files.setdefault(at.project, {})[path] = at
        secrets = {path: at for path, at in locations.items() if at.project and at.kind is Kind.SECRETS}
        return cls(files, secrets, collect_environment_names(locations.values()), tuple(diagnostics))


class ProjectDigests(Mapping[str, str]):
    """For each project what changes with all that its bundles are made from, but for the names in other projects.

    `shared` changes with what stands outside of projects; into one nobody looks before it is asked for.
    """

    def __init__(self, shared: str, projects: Collection[str], project_digest: Callable[[str], str]) -> None:
        self.shared = shared
        self._projects, self._project_digest = projects, project_digest
        self._digests: dict[str, str] = {}

    def __getitem__(self, project: str) -> str:
        if project not in self._digests:
            if project not in self._projects:
                raise KeyError(project)
            self._digests[project] = f"{self.shared}-{self._project_digest(project)}"
        return self._digests[project]

    def __iter__(self) -> Iterator[str]:
        return iter(self._projects)

    def __len__(self) -> int:
        return len(self._projects)


class ProjectCache(Protocol):
    """What was found in projects before, by their names; that of what stands outside of projects is empty."""

    @property
    def manifest_digest(self) -> ManifestDigest | None:
        """The trace of the manifest where it was written."""

    @property
    def has_previous_run(self) -> bool:
        """Whether something may be known at all."""

    def load_results(self, digests: ProjectDigests) -> dict[str, ProjectResult]:
        """What was found in those that have the same digest as then, and are still where they were written."""

    def store_results(self, results: Mapping[str, ProjectResult], digests: ProjectDigests) -> None:
        """Remember what was found in all projects, which have these digests."""

    def load_discovered(self) -> DiscoveredFiles | None:
        """What discovery would find, if it is known."""

    def store_discovered(self, discovered: DiscoveredFiles) -> None:
        """Remember what discovery has found."""

    def file_digest(self, path: str) -> str:
        """What changes with the content of a file."""

    def load_documents(self, project: str) -> DocumentCache:
        """The files of a project as they were read before."""

    def store_documents(self, documents: DocumentCache) -> None:
        """Remember them as they have been read now."""


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
