"""What a fix does to a tree, before any of it is on disk."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from envtree.sources.tree import FILE_LIMIT, Entry, Refusal, Tree, TreeOver, What


class Edit(NamedTuple):
    """A file with other bytes; `path` is the one it has on disk, `before` what was checked."""

    path: str
    before: bytes
    after: bytes


class Rename(NamedTuple):
    """A file with another name in the same folder."""

    path: str
    new: str


@dataclass(frozen=True)
class Patched(TreeOver):
    """A tree as it will be: `contents` and `new` paths are by the paths of the tree below, `old` leads back to them."""

    contents: Mapping[str, bytes] = field(default_factory=dict)
    new: Mapping[str, str] = field(default_factory=dict)
    old: Mapping[str, str] = field(default_factory=dict)

    def entries(self, folder: str) -> tuple[Entry, ...]:
        """What will lie directly in a folder, sorted."""
        found = (entry._replace(path=self.new.get(entry.path, entry.path)) for entry in self.base.entries(folder))
        return tuple(sorted(found, key=lambda entry: entry.path))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | Refusal:
        """The bytes that a file will have."""
        path = self.old.get(path, path)
        content = self.contents.get(path)
        return self.base.read(path, limit=limit) if content is None else content

    def edited(self, edits: Iterable[Edit]) -> "Patched":
        """The tree with some files edited; their paths are those of this tree."""
        after = {self.old.get(one.path, one.path): one.after for one in edits}
        return replace(self, contents={**self.contents, **after})

    def renamed(self, renames: Iterable[Rename]) -> "Patched":
        """The tree with some files renamed."""
        new = {**self.new, **{self.old.get(one.path, one.path): one.new for one in renames}}
        return replace(self, new=new, old={path: old for old, path in new.items()})

    def changes(self) -> tuple[Edit | Rename, ...]:
        """All that has to be done to the tree below, edits first."""
        befores = ((path, self.base.read(path), after) for path, after in sorted(self.contents.items()))
        edits = [Edit(path, before, after) for path, before, after in befores if isinstance(before, bytes)]
        return (*edits, *(Rename(path, new) for path, new in sorted(self.new.items())))


class Places:
    """What stands where in a tree; each folder is looked at once."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._folders: dict[str, dict[str, What]] = {}

    def find(self, path: str) -> What | None:
        """What stands at a path, None for nothing; a link on the way is the answer, for nobody follows it here."""
        at, what = "", What.FOLDER
        for segment in path.split("/"):
            if what is not What.FOLDER:
                return None if what is What.FILE else what
            found = self.inside(at).get(segment)
            if found is None:
                return None
            at, what = f"{at}/{segment}" if at else segment, found
        return what

    def inside(self, folder: str) -> dict[str, What]:
        """What lies directly in a folder, by name."""
        if folder not in self._folders:
            self._folders[folder] = {entry.name: entry.what for entry in self._tree.entries(folder)}
        return self._folders[folder]
