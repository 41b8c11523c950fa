"""The names of the entities of a tree, from the locations of its files alone; no file is read."""

from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256

from envtree.model.source import Kind, Location

# The kinds that other files may refer to by path, or by the last segment of the path.
INDEXED_KINDS = (Kind.AGENT, Kind.TEAM, Kind.WORKFLOW)


def collect_environment_names(locations: Iterable[Location]) -> frozenset[str]:
    """Return the names of all environments among some locations."""
    # By its path alone, the overlay of an environment looks like an environment of the project's own.
    kinds = (Kind.ENVIRONMENT, Kind.OVERLAY)
    return frozenset(location.name for location in locations if location.kind in kinds and not location.team)


class NameIndex:
    """The paths of every agent, team and workflow.

    `locations` must be iterable more than once. `environment_names` are computed unless they are given.
    """

    def __init__(self, locations: Iterable[Location], environment_names: frozenset[str] | None = None) -> None:
        # Computed on demand: most trees refer to nothing in other projects.
        self._locations, self._given_environment_names = locations, environment_names

    @cached_property
    def environment_names(self) -> frozenset[str]:
        """The names of all environments."""
        return (
            collect_environment_names(self._locations)
            if self._given_environment_names is None
            else self._given_environment_names
        )

    @cached_property
    def _paths_by_kind(self) -> dict[str, set[str]]:
        paths: dict[str, set[str]] = {kind: set() for kind in INDEXED_KINDS}
        for location in self._locations:
            if location.kind in INDEXED_KINDS:
                paths[location.kind].add(entity_path(location))
            if location.team:
                paths[Kind.TEAM].add(f"{location.project}/{location.team}")
        return paths

    @cached_property
    def _paths_by_last_segment(self) -> dict[tuple[str, str], list[str]]:
        paths_by_segment: dict[tuple[str, str], list[str]] = {}
        for kind, paths in self._paths_by_kind.items():
            for path in sorted(paths):
                paths_by_segment.setdefault((kind, path.rpartition("/")[2]), []).append(path)
        return paths_by_segment

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the names, in hex."""
        names = repr([sorted(paths) for paths in self._paths_by_kind.values()])
        return sha256(names.encode("utf-8", "surrogateescape")).hexdigest()

    def paths(self, kinds: Iterable[str]) -> list[str]:
        """Return the sorted paths of all entities of some kinds."""
        return sorted({path for kind in kinds for path in self._paths_by_kind[kind]})

    def find(self, name: str, kinds: Iterable[str], near: str = "") -> list[str]:
        """Return the paths that a name may refer to; an entity in the folder `near` takes precedence."""
        for exact in (name, f"{near}/{name}"):
            if any(exact in self._paths_by_kind[kind] for kind in kinds):
                return [exact]
        return sorted({path for kind in kinds for path in self._paths_by_last_segment.get((kind, name), ())})


def entity_path(location: Location) -> str:
    """Return the path by which other files refer to the entity of a file."""
    return "/".join(filter(None, (location.project, location.team, location.name)))
