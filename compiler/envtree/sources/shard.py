"""Split a tree into shards for several machines: each shard has whole projects, and the names of the other entities.

The split depends on file names alone, so that all machines compute the same shards without communicating.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.manifest_records import project_of
from envtree.model.name_index import entity_path
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import IMPLICIT_PROJECT_FOLDERS, ROOT_FILE
from envtree.sources.entity_listing import list_entity_files
from envtree.sources.tree import Tree, TreeEntry, TreeWrapper


class Shard(NamedTuple):
    """One part of a tree.

    `other_projects` are the projects of the other shards, `hidden_folders` their folders, and `other_locations` the
    locations of their files. Files that are in no shard, such as those of a project that was removed since, are visible
    in every shard.
    """

    other_projects: frozenset[str]
    hidden_folders: frozenset[str]
    other_locations: tuple[Location, ...]

    def restrict(self, tree: Tree) -> Tree:
        """Return a tree without the files of the other shards; it may be an earlier state of the one that was split."""
        return _ShardTree(tree, self.hidden_folders)

    def has_bundle(self, id: str) -> bool:
        """Report whether a bundle does not belong to another shard."""
        return project_of(id) not in self.other_projects

    def possible_other_ids(self, environments: Iterable[str]) -> Iterator[str]:
        """Yield the ids of bundles that other shards may have; a superset, because `targets` have not been read.

        `environments` are those of the root; those of a project are known by their file names.
        """
        names: dict[str, list[str]] = {project: list(environments) for project in self.other_projects}
        for location in self.other_locations:
            if location.kind is Kind.OVERLAY and not location.team:
                names[location.project].append(location.name)
        for location in self.other_locations:
            if location.kind is Kind.AGENT:
                agent = entity_path(location)
                yield from (f"{agent}@{environment}" for environment in names[location.project])


def make_shard(tree: Tree, number: int, count: int) -> Shard:
    """Return shard `number`, counted from 1, of `count` with about the same number of agents; a shard may be empty."""
    listed = [file for file in list_entity_files(tree) if file.location.project]
    ignored = tree.ignored((ROOT_FILE, *(file.path for file in listed)))
    # If the tree itself is in an ignored folder, it was named on purpose and nothing in it is left out.
    files = [file for file in listed if ROOT_FILE in ignored or file.path not in ignored]
    projects = _partition_projects([file.location for file in files], count)[number - 1]
    other_files = [file for file in files if file.location.project not in projects]
    folders = {_project_folder(file.path) for file in files}
    # A tree with both an implicit project and projects/ is an error that every shard has to report.
    shared = IMPLICIT_PROJECT_FOLDERS if not folders <= IMPLICIT_PROJECT_FOLDERS else frozenset()
    return Shard(
        other_projects=frozenset(file.location.project for file in other_files),
        hidden_folders=frozenset(_project_folder(file.path) for file in other_files) - shared,
        other_locations=tuple(file.location for file in other_files),
    )


def _partition_projects(locations: list[Location], count: int) -> list[set[str]]:
    """Assign projects to shards, the largest first, each to the shard with the smallest load so far."""
    # The numbers of agents and of files.
    sizes: dict[str, tuple[int, int]] = {}
    for location in locations:
        agents, files = sizes.get(location.project, (0, 0))
        sizes[location.project] = (agents + (location.kind is Kind.AGENT), files + 1)
    parts: list[set[str]] = [set() for _ in range(count)]
    loads = [(0, 0)] * count
    for project in sorted(sizes, key=lambda name: (*(-size for size in sizes[name]), name)):
        smallest = loads.index(min(loads))
        parts[smallest].add(project)
        loads[smallest] = (loads[smallest][0] + sizes[project][0], loads[smallest][1] + sizes[project][1])
    return parts


def _project_folder(path: str) -> str:
    """Return the folder of a file's project: `projects/<name>`, or the folder at the root for the implicit project."""
    return "/".join(path.split("/")[: 1 if path.partition("/")[0] in IMPLICIT_PROJECT_FOLDERS else 2])


class _ShardTree(TreeWrapper):
    """A tree without some folders."""

    def __init__(self, tree: Tree, hidden: frozenset[str]) -> None:
        super().__init__(tree)
        self._hidden = hidden

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the entries of a folder that are not hidden, sorted; the empty string is the root."""
        return tuple(entry for entry in self.base.entries(folder) if entry.path not in self._hidden)
