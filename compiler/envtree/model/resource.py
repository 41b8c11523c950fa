"""A file that has been read and checked against its schema."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.model.name_index import NameIndex
from envtree.model.nodes import Document
from envtree.model.secrets_file import SecretsFile, make_unreadable
from envtree.model.sops_rule import SopsConfigDocument
from envtree.model.source import Kind, Location


class Resource(NamedTuple):
    """One file; `sealed` is what a secrets file is read as if nothing in it is wrong."""

    location: Location
    document: Document
    secrets_file: SecretsFile | None = None


class Resources:
    """The files of a tree, or of a part of it, found by where they stand.

    `rules` are the files of sops that are for its secrets. `index` has the names of the whole tree, if this is a part.
    """

    def __init__(
        self,
        resources: tuple[Resource, ...],
        rules: tuple[SopsConfigDocument, ...] = (),
        index: NameIndex | None = None,
    ) -> None:
        self.sops_configs = rules
        self.name_index = index or NameIndex([r.location for r in resources])
        self._all = resources
        self._documents_by_location = {r.location: r.document for r in resources if r.location.kind is not Kind.SECRETS}
        secrets = [r for r in resources if r.location.kind is Kind.SECRETS]
        self._secrets_files = {r.location: r.secrets_file or make_unreadable(r.document) for r in secrets}
        self._documents: dict[tuple[Kind, str, str], dict[str, Document]] = {}
        for place, document in sorted(self._documents_by_location.items()):
            self._documents.setdefault((place.kind, place.project, place.team), {})[place.name] = document
        self._teams: dict[str, dict[str, None]] = {}
        for place in sorted((*self._documents_by_location, *self._secrets_files)):
            if place.project:
                self._teams.setdefault(place.project, {})
            if place.team:
                self._teams[place.project][place.team] = None
        self._secrets_by_owner: dict[tuple[Kind | None, str, str], list[Location]] = {}
        for place in sorted(self._secrets_files):
            self._secrets_by_owner.setdefault((place.owner, place.project, place.team), []).append(place)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._all)

    def document(self, kind: Kind, name: str, project: str = "", team: str = "") -> Document | None:
        """The document of an entity, if there is one."""
        return self._documents_by_location.get(Location(kind, project, team, name))

    def secrets_file(
        self, owner: Kind, name: str, project: str = "", team: str = "", environment: str = ""
    ) -> SecretsFile | None:
        """The secrets file of an entity, if there is one; one that is wrong in itself is not `readable`."""
        return self._secrets_files.get(Location(Kind.SECRETS, project, team, name, owner, environment))

    def documents(self, kind: Kind, project: str = "", team: str = "") -> dict[str, Document]:
        """The documents of one kind inside a project or team, by name, sorted."""
        return self._documents.get((kind, project, team), {})

    def secret_locations(self, owner: Kind, project: str = "", team: str = "") -> list[Location]:
        """Where the secrets files of one kind of owner stand inside a project or team."""
        return self._secrets_by_owner.get((owner, project, team), [])

    def projects(self) -> list[str]:
        """The path names of all projects."""
        return list(self._teams)

    def teams(self, project: str) -> list[str]:
        """The path names of the teams of a project."""
        return list(self._teams[project])
