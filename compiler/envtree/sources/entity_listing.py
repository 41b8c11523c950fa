"""The entities of a tree by the names of their files: nothing is read, and what is wrong is passed over."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.model.source import Location
from envtree.model.tree_layout import DEFAULT_PROJECT, IMPLICIT, ROOT, Place, is_name
from envtree.sources.tree import Tree, What


class Placed(NamedTuple):
    """A file or link that may lie where it does, and what its path says that it is."""

    path: str
    at: Location
    what: What


def outline(tree: Tree, folder: str = "", place: Place = ROOT, project: str = "", team: str = "") -> Iterator[Placed]:
    """The YAML files of a tree, or below one of its folders, that are no secrets files."""
    for entry in tree.entries(folder):
        name = entry.name
        stem, _, ending = name.rpartition(".")
        if entry.what is What.FOLDER and place.children and is_name(name):
            names = (project, name) if project else (name, "")
            yield from outline(tree, entry.path, place.children, *names)
        elif entry.what is What.FOLDER and name in place.folders:
            home = DEFAULT_PROJECT if place is ROOT and name in IMPLICIT else project
            yield from outline(tree, entry.path, place.folders[name], home, team)
        elif entry.what in (What.FILE, What.LINK) and ending == "yaml" and is_name(stem):
            kind, own = (place.own, "") if stem == place.own else (place.each, stem)
            if kind:
                yield Placed(entry.path, Location(kind, project, team, own), entry.what)
