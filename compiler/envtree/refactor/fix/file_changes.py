"""What a fix does to a tree, before any of it is on disk."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from envtree.sources.tree import FILE_LIMIT, EntryType, ReadProblem, Tree, TreeEntry, TreeWrapper


class FileEdit(NamedTuple):
    """A file with other bytes; `path` is the one it has on disk, `before` what was checked."""

    path: str
    before: bytes
    after: bytes


class FileRename(NamedTuple):
    """A file with another name in the same folder."""

    path: str
    new_path: str


@dataclass(frozen=True)
class PatchedTree(TreeWrapper):
    """A tree as it will be: `contents` and `new` paths are by the paths of the tree below, `old` leads back to them."""

    contents: Mapping[str, bytes] = field(default_factory=dict)
    new_paths: Mapping[str, str] = field(default_factory=dict)
    old_paths: Mapping[str, str] = field(default_factory=dict)

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """What will lie directly in a folder, sorted."""
        found = (entry._replace(path=self.new_paths.get(entry.path, entry.path)) for entry in self.base.entries(folder))
        return tuple(sorted(found, key=lambda entry: entry.path))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """The bytes that a file will have."""
        path = self.old_paths.get(path, path)
        content = self.contents.get(path)
        return self.base.read(path, limit=limit) if content is None else content

    def with_edits(self, edits: Iterable[FileEdit]) -> "PatchedTree":
        """The tree with some files edited; their paths are those of this tree."""
        after = {self.old_paths.get(one.path, one.path): one.after for one in edits}
        return replace(self, contents={**self.contents, **after})

    def with_renames(self, renames: Iterable[FileRename]) -> "PatchedTree":
        """The tree with some files renamed."""
        new = {**self.new_paths, **{self.old_paths.get(one.path, one.path): one.new_path for one in renames}}
        return replace(self, new_paths=new, old_paths={path: old for old, path in new.items()})

    def changes(self) -> tuple[FileEdit | FileRename, ...]:
        """All that has to be done to the tree below, edits first."""
        befores = ((path, self.base.read(path), after) for path, after in sorted(self.contents.items()))
        edits = [FileEdit(path, before, after) for path, before, after in befores if isinstance(before, bytes)]
        return (*edits, *(FileRename(path, new) for path, new in sorted(self.new_paths.items())))


class TreeIndex:
    """What stands where in a tree; each folder is looked at once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._folders: dict[str, dict[str, EntryType]] = {}

    def kind_at(self, path: str) -> EntryType | None:
        """What stands at a path, None for nothing; a link on the way is the answer, for nobody follows it here."""
        at, what = "", EntryType.FOLDER
        for segment in path.split("/"):
            if what is not EntryType.FOLDER:
                return None if what is EntryType.FILE else what
            found = self.kinds_in(at).get(segment)
            if found is None:
                return None
            at, what = f"{at}/{segment}" if at else segment, found
        return what

    def kinds_in(self, folder: str) -> dict[str, EntryType]:
        """What lies directly in a folder, by name."""
        if folder not in self._folders:
            self._folders[folder] = {entry.name: entry.type for entry in self._tree.entries(folder)}
        return self._folders[folder]
