"""List the entity files of a tree by name alone: no file is read, and misplaced files are skipped."""

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
    """A file or link at a valid path, with the location that the path implies."""

    path: str
    location: Location
    type: EntryType


def list_entity_files(
    tree: Tree, folder: str = "", layout: FolderLayout = ROOT_LAYOUT, project: str = "", team: str = ""
) -> Iterator[ListedFile]:
    """Yield the YAML files of a tree, or below one of its folders, except secrets files."""
    for entry in tree.entries(folder):
        name = entry.name
        stem, _, extension = name.rpartition(".")
        if entry.type is EntryType.FOLDER and layout.child_layout and is_valid_name(name):
            names = (project, name) if project else (name, "")
            yield from list_entity_files(tree, entry.path, layout.child_layout, *names)
        elif entry.type is EntryType.FOLDER and name in layout.folders:
            is_implicit = layout is ROOT_LAYOUT and name in IMPLICIT_PROJECT_FOLDERS
            parent = DEFAULT_PROJECT if is_implicit else project
            yield from list_entity_files(tree, entry.path, layout.folders[name], parent, team)
        elif entry.type in (EntryType.FILE, EntryType.LINK) and extension == "yaml" and is_valid_name(stem):
            kind, entity = (layout.own_kind, "") if stem == layout.own_kind else (layout.entry_kind, stem)
            if kind:
                yield ListedFile(entry.path, Location(kind, project, team, entity), entry.type)
