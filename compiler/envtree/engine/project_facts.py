"""The data of runs by project: where files are, what was found in a project, and the cache of both."""

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
