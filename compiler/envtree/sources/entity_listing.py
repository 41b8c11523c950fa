"""The entities of a tree by the names of their files: nothing is read, and what is wrong is passed over."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.model.source import Location
from envtree.model.tree_layout import (
    DEFAULT_PROJECT,
    IMPLICIT_PROJECT_FOLDERS,
    ROOT_LAYOUT,
    FolderLayout,
    is_valid_name,
)
from envtree.sources.tree import EntryType, Tree


class ListedFile(NamedTuple):
    """A file or link that may lie where it does, and what its path says that it is."""

    path: str
    location: Location
    type: EntryType


def list_entity_files(
    tree: Tree, folder: str = "", place: FolderLayout = ROOT_LAYOUT, project: str = "", team: str = ""
) -> Iterator[ListedFile]:
    """The YAML files of a tree, or below one of its folders, that are no secrets files."""
    for entry in tree.entries(folder):
        name = entry.name
        stem, _, ending = name.rpartition(".")
        if entry.type is EntryType.FOLDER and place.child_layout and is_valid_name(name):
            names = (project, name) if project else (name, "")
            yield from list_entity_files(tree, entry.path, place.child_layout, *names)
        elif entry.type is EntryType.FOLDER and name in place.folders:
            home = DEFAULT_PROJECT if place is ROOT_LAYOUT and name in IMPLICIT_PROJECT_FOLDERS else project
            yield from list_entity_files(tree, entry.path, place.folders[name], home, team)
        elif entry.type in (EntryType.FILE, EntryType.LINK) and ending == "yaml" and is_valid_name(stem):
            kind, own = (place.own_kind, "") if stem == place.own_kind else (place.entry_kind, stem)
            if kind:
                yield ListedFile(entry.path, Location(kind, project, team, own), entry.type)
