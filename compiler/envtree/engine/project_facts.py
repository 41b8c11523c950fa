"""The data of runs by project: the locations of files, the result of a project, and the protocol of their cache."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol

from envtree.compile.merge import EffectLog
from envtree.frontend.read_files import DocumentCache
from envtree.model.diagnostic import Diagnostic, SkippedCheck
from envtree.model.manifest_records import ManifestDigest
from envtree.model.name_index import collect_environment_names
from envtree.model.source import Kind, Location
from envtree.model.suppression import Suppression


class ProjectResult(NamedTuple):
    """The result of one project: its bundles and its findings.

    `has_errors` and `has_breaking_errors` are those of the run; `tree_diagnostics` are only reported if no project has
    breaking errors. `shared_noops` has, for each file outside of projects that the project uses, the findings about its
    parts without effect in this project, and `shared_effects` the effects of the layers of such files: either is only
    reported if it applies to all projects. No two projects may share one of the `control_plane_keys`, or one of the
    `cipher_fingerprints`, which identify the ciphertexts of secrets files. `names_digest` is the digest of all names if
    the project mentions names that may be in others, and else empty. `environment_types` has the type of each
    environment.
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
    """The location of every file of a tree, by project; files outside of projects have the empty project name.

    `secrets_files` are those of projects, `environments` the names of all environments, and `diagnostics` the findings
    about the locations of files.
    """

    by_project: Mapping[str, FileLocations]
    secrets_files: FileLocations
    environments: frozenset[str]
    diagnostics: tuple[Diagnostic, ...]

    @classmethod
    def from_locations(cls, locations: FileLocations, diagnostics: Iterable[Diagnostic]) -> "DiscoveredFiles":
        """Group discovered files by project, in the order of project names."""
        files: dict[str, dict[str, Location]] = {"": {}}
        for path, at in sorted(locations.items(), key=lambda item: item[1].project):
            files.setdefault(at.project, {})[path] = at
        secrets = {path: at for path, at in locations.items() if at.project and at.kind is Kind.SECRETS}
        return cls(files, secrets, collect_environment_names(locations.values()), tuple(diagnostics))


class ProjectDigests(Mapping[str, str]):
    """For each project a digest of all inputs of its bundles, except for the names in other projects.

    `shared` is the digest of the inputs outside of projects; that of a project is computed on first access.
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
    """A cache of earlier results by project name; files outside of projects have the empty project name."""

    @property
    def manifest_digest(self) -> ManifestDigest | None:
        """The digest of the manifest of the cached run."""

    @property
    def has_previous_run(self) -> bool:
        """Whether the cache may contain anything."""

    def load_results(self, digests: ProjectDigests) -> dict[str, ProjectResult]:
        """Return the results of projects whose digest is unchanged and whose written files are intact."""

    def store_results(self, results: Mapping[str, ProjectResult], digests: ProjectDigests) -> None:
        """Store the results of all projects under these digests."""

    def load_discovered(self) -> DiscoveredFiles | None:
        """Return the result of discovery, or None if it is not known."""

    def store_discovered(self, discovered: DiscoveredFiles) -> None:
        """Store the result of discovery."""

    def file_digest(self, path: str) -> str:
        """Return a digest of the content of a file."""

    def load_documents(self, project: str) -> DocumentCache:
        """Return the parsed files of a project from earlier runs."""

    def store_documents(self, documents: DocumentCache) -> None:
        """Store the parsed files of a project."""
