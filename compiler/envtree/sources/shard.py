"""A part of a tree for one of several machines: whole projects, and of the others only the names of what is in them.

The parts follow from the names of the files alone, so each machine finds the same ones without asking another.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.manifest_records import project_of
from envtree.model.source import Kind, Location
from envtree.model.tree_layout import IMPLICIT_PROJECT_FOLDERS, ROOT_FILE
from envtree.sources.entity_listing import list_entity_files
from envtree.sources.tree import Tree, TreeEntry, TreeWrapper


class Shard(NamedTuple):
    """One of the parts: `others` are the projects of other parts, in `folders`, and `elsewhere` what is in these.

    What no part has, a project that somebody removed for one, is none of the others and seen by each part.
    """

    other_projects: frozenset[str]
    hidden_folders: frozenset[str]
    other_locations: tuple[Location, ...]

    def restrict(self, tree: Tree) -> Tree:
        """A tree without what is in the other parts; it may be an earlier state of the one that was parted."""
        return _ShardTree(tree, self.hidden_folders)

    def has_bundle(self, id: str) -> bool:
        """Whether a bundle is none of another part's."""
        return project_of(id) not in self.other_projects

    def possible_other_ids(self, environments: Iterable[str]) -> Iterator[str]:
        """The ids that the other parts may have, and some more: which targets there are, nobody has read.

        `environments` are those of the root; a project's own are known by their names.
        """
        own: dict[str, list[str]] = {project: list(environments) for project in self.other_projects}
        for at in self.other_locations:
            if at.kind is Kind.OVERLAY and not at.team:
                own[at.project].append(at.name)
        for at in self.other_locations:
            if at.kind is Kind.AGENT:
                agent = "/".join(filter(None, at[1:4]))
                yield from (f"{agent}@{environment}" for environment in own[at.project])


def make_shard(tree: Tree, number: int, count: int) -> Shard:
    """The part of a number, from 1 on, of `count` parts with about as many agents each; some may be empty."""
    found = [one for one in list_entity_files(tree) if one.location.project]
    ignored = tree.ignored((ROOT_FILE, *(one.path for one in found)))
    # A tree that stands in an ignored folder was named on purpose.
    kept = [one for one in found if ROOT_FILE in ignored or one.path not in ignored]
    own = _partition_projects([one.location for one in kept], count)[number - 1]
    others = [one for one in kept if one.location.project not in own]
    homes = {_project_folder(one.path) for one in kept}
    # Both forms in one tree are a mistake, which whoever has a project has to see.
    shared = IMPLICIT_PROJECT_FOLDERS if not homes <= IMPLICIT_PROJECT_FOLDERS else frozenset()
    return Shard(
        frozenset(one.location.project for one in others),
        frozenset(_project_folder(one.path) for one in others) - shared,
        tuple(one.location for one in others),
    )


def _partition_projects(files: list[Location], count: int) -> list[set[str]]:
    """The projects of each part: the largest first, each to the part with least so far."""
    sizes: dict[str, tuple[int, int]] = {}
    for at in files:
        agents, all = sizes.get(at.project, (0, 0))
        sizes[at.project] = (agents + (at.kind is Kind.AGENT), all + 1)
    parts: list[set[str]] = [set() for _ in range(count)]
    loads = [(0, 0)] * count
    for project in sorted(sizes, key=lambda name: (*(-size for size in sizes[name]), name)):
        least = loads.index(min(loads))
        parts[least].add(project)
        loads[least] = (loads[least][0] + sizes[project][0], loads[least][1] + sizes[project][1])
    return parts


def _project_folder(path: str) -> str:
    """The folder of a project, or the one at the root that belongs to the default one."""
    return "/".join(path.split("/")[: 1 if path.partition("/")[0] in IMPLICIT_PROJECT_FOLDERS else 2])


class _ShardTree(TreeWrapper):
    """A tree without some folders."""

    def __init__(self, tree: Tree, hidden: frozenset[str]) -> None:
        super().__init__(tree)
        self._hidden = hidden

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """What lies directly in a folder and is not hidden, sorted; the empty string is the root."""
        return tuple(entry for entry in self.base.entries(folder) if entry.path not in self._hidden)
