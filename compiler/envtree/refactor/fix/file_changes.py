"""The changes of a fix, and a tree in memory to which they are applied."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from envtree.sources.tree import FILE_LIMIT, EntryType, ReadProblem, Tree, TreeEntry, TreeWrapper


class FileEdit(NamedTuple):
    """An edit of a file's bytes; `path` is its path on disk, `before` the bytes that were checked."""

    path: str
    before: bytes
    after: bytes


class FileRename(NamedTuple):
    """A rename of a file within its folder."""

    path: str
    new_path: str


@dataclass(frozen=True)
class PatchedTree(TreeWrapper):
    """A tree with changes: `contents` and `new_paths` are keyed by base path, `old_paths` maps new to base paths."""

    contents: Mapping[str, bytes] = field(default_factory=dict)
    new_paths: Mapping[str, str] = field(default_factory=dict)
    old_paths: Mapping[str, str] = field(default_factory=dict)

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the entries directly in a folder after the changes, sorted."""
        renamed = (
            entry._replace(path=self.new_paths.get(entry.path, entry.path)) for entry in self.base.entries(folder)
        )
        return tuple(sorted(renamed, key=lambda entry: entry.path))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """Return the bytes of a file after the changes."""
        path = self.old_paths.get(path, path)
        content = self.contents.get(path)
        return self.base.read(path, limit=limit) if content is None else content

    def with_edits(self, edits: Iterable[FileEdit]) -> "PatchedTree":
        """Return the tree with some files edited; the paths of the edits are those of this tree."""
        after = {self.old_paths.get(edit.path, edit.path): edit.after for edit in edits}
        return replace(self, contents={**self.contents, **after})

    def with_renames(self, renames: Iterable[FileRename]) -> "PatchedTree":
        """Return the tree with some files renamed."""
        renamed = {self.old_paths.get(rename.path, rename.path): rename.new_path for rename in renames}
        new_paths = {**self.new_paths, **renamed}
        return replace(self, new_paths=new_paths, old_paths={new: old for old, new in new_paths.items()})

    def changes(self) -> tuple[FileEdit | FileRename, ...]:
        """Return all changes to make to the base tree, edits first."""
        befores = ((path, self.base.read(path), after) for path, after in sorted(self.contents.items()))
        edits = [FileEdit(path, before, after) for path, before, after in befores if isinstance(before, bytes)]
        return (*edits, *(FileRename(path, new) for path, new in sorted(self.new_paths.items())))


class TreeIndex:
    """Index of the types of a tree's entries; each folder is read once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._folders: dict[str, dict[str, EntryType]] = {}

    def type_at(self, path: str) -> EntryType | None:
        """Return the type of the entry at a path, None if there is none; links are not followed.

        If a link or another special entry is on the way, its type is the answer.
        """
        folder, type = "", EntryType.FOLDER
        for segment in path.split("/"):
            if type is not EntryType.FOLDER:
                return None if type is EntryType.FILE else type
            child_type = self.types_in(folder).get(segment)
            if child_type is None:
                return None
            folder, type = f"{folder}/{segment}" if folder else segment, child_type
        return type

    def types_in(self, folder: str) -> dict[str, EntryType]:
        """Return the types of the entries directly in a folder, by name."""
        if folder not in self._folders:
            self._folders[folder] = {entry.name: entry.type for entry in self._tree.entries(folder)}
        return self._folders[folder]
