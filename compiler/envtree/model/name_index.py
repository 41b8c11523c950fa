"""The names that there are in a tree, told from where its files stand: nothing has to be read for that."""

from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256

from envtree.model.source import Kind, Location

# What others may mention by its path, or by the last part of that.
INDEXED_KINDS = (Kind.AGENT, Kind.TEAM, Kind.WORKFLOW)


def collect_environment_names(locations: Iterable[Location]) -> frozenset[str]:
    """The names of all environments among some places."""
    # Whoever has only seen a name cannot tell an overlay of an environment from one of a project's own.
    own = (Kind.ENVIRONMENT, Kind.OVERLAY)
    return frozenset(at.name for at in locations if at.kind in own and not at.team)


class NameIndex:
    """Every agent, team and workflow by its path, from places that can be gone through several times.

    `named` are the environments, if they are known already.
    """

    def __init__(self, locations: Iterable[Location], environment_names: frozenset[str] | None = None) -> None:
        # Most trees mention nothing of other projects, and need not be gone through.
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
        for at in self._locations:
            if at.kind in INDEXED_KINDS:
                paths[at.kind].add(entity_path(at))
            if at.team:
                paths[Kind.TEAM].add(f"{at.project}/{at.team}")
        return paths

    @cached_property
    def _paths_by_last_segment(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for kind, paths in self._paths_by_kind.items():
            for path in sorted(paths):
                found.setdefault((kind, path.rpartition("/")[2]), []).append(path)
        return found

    @cached_property
    def digest(self) -> str:
        """What changes with the names."""
        names = repr([sorted(paths) for paths in self._paths_by_kind.values()])
        return sha256(names.encode("utf-8", "surrogateescape")).hexdigest()

    def paths(self, kinds: Iterable[str]) -> list[str]:
        """The paths of all entities of some kinds."""
        return sorted({path for kind in kinds for path in self._paths_by_kind[kind]})

    def find(self, name: str, kinds: Iterable[str], near: str = "") -> list[str]:
        """The paths that a name may mean; in the folder `near`, its own entities come first."""
        for exact in (name, f"{near}/{name}"):
            if any(exact in self._paths_by_kind[kind] for kind in kinds):
                return [exact]
        return sorted({path for kind in kinds for path in self._paths_by_last_segment.get((kind, name), ())})


def entity_path(at: Location) -> str:
    """The path by which others mention what a file describes."""
    return "/".join(filter(None, at[1:4]))
