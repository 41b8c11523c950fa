"""Parsed and validated files, and their lookup by location."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.model.name_index import NameIndex
from envtree.model.nodes import Document
from envtree.model.secrets_file import SecretsFile, make_unreadable
from envtree.model.sops_rule import SopsConfigDocument
from envtree.model.source import Kind, Location


class Resource(NamedTuple):
    """One validated file; `secrets_file` is set for a secrets file without errors."""

    location: Location
    document: Document
    secrets_file: SecretsFile | None = None


class Resources:
    """The files of a tree, or of a part of it, indexed by location.

    `sops_configs` are the `.sops.yaml` files that apply to its secrets files. `name_index` has the names of the whole
    tree if these are the files of a part.
    """

    def __init__(
        self,
        resources: tuple[Resource, ...],
        sops_configs: tuple[SopsConfigDocument, ...] = (),
        name_index: NameIndex | None = None,
    ) -> None:
        self.sops_configs = sops_configs
        self.name_index = name_index or NameIndex([resource.location for resource in resources])
        self._all = resources
        self._documents_by_location = {
            resource.location: resource.document for resource in resources if resource.location.kind is not Kind.SECRETS
        }
        secrets = [resource for resource in resources if resource.location.kind is Kind.SECRETS]
        self._secrets_files = {
            resource.location: resource.secrets_file or make_unreadable(resource.document) for resource in secrets
        }
        self._documents: dict[tuple[Kind, str, str], dict[str, Document]] = {}
        for location, document in sorted(self._documents_by_location.items()):
            self._documents.setdefault((location.kind, location.project, location.team), {})[location.name] = document
        self._teams: dict[str, dict[str, None]] = {}
        for location in sorted((*self._documents_by_location, *self._secrets_files)):
            if location.project:
                self._teams.setdefault(location.project, {})
            if location.team:
                self._teams[location.project][location.team] = None
        self._secrets_by_owner: dict[tuple[Kind | None, str, str], list[Location]] = {}
        for location in sorted(self._secrets_files):
            self._secrets_by_owner.setdefault((location.owner, location.project, location.team), []).append(location)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._all)

    def document(self, kind: Kind, name: str, project: str = "", team: str = "") -> Document | None:
        """Return the document of an entity, None if it has no file."""
        return self._documents_by_location.get(Location(kind, project, team, name))

    def secrets_file(
        self, owner: Kind, name: str, project: str = "", team: str = "", environment: str = ""
    ) -> SecretsFile | None:
        """Return the secrets file of an entity, None if it has none; `is_readable` is False if the file has errors."""
        return self._secrets_files.get(Location(Kind.SECRETS, project, team, name, owner, environment))

    def documents(self, kind: Kind, project: str = "", team: str = "") -> dict[str, Document]:
        """Return the documents of one kind in a project or team, by name, sorted."""
        return self._documents.get((kind, project, team), {})

    def secret_locations(self, owner: Kind, project: str = "", team: str = "") -> list[Location]:
        """Return the locations of the secrets files of one kind of owner in a project or team."""
        return self._secrets_by_owner.get((owner, project, team), [])

    def projects(self) -> list[str]:
        """Return the path names of all projects."""
        return list(self._teams)

    def teams(self, project: str) -> list[str]:
        """Return the path names of the teams of a project."""
        return list(self._teams[project])
