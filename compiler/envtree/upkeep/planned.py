"""A tree as it will be once one of its files is written."""

from collections.abc import Iterable
from typing import NamedTuple

from envtree.tree import FILE_LIMIT, Above, Entry, Refusal, Tree, What


class Planned(NamedTuple):
    """A tree with one file more, or with other bytes in one."""

    base: Tree
    path: str
    content: bytes

    def entries(self, folder: str) -> tuple[Entry, ...]:
        """What will lie directly in a folder, sorted."""
        found = {entry.path: entry for entry in self.base.entries(folder)} if self._is_there(folder) else {}
        inside = f"{folder}/" if folder else ""
        if self.path.startswith(inside):
            name, below, _ = self.path.removeprefix(inside).partition("/")
            found.setdefault(inside + name, Entry(inside + name, What.FOLDER if below else What.FILE))
        return tuple(sorted(found.values(), key=lambda entry: entry.path))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | Refusal:
        """The bytes that a file will have."""
        return self.content if path == self.path else self.base.read(path, limit=limit)

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that git ignores."""
        return self.base.ignored(paths)

    def above(self, name: str) -> Above | None:
        """The nearest file of a name above the root: nothing is changed there."""
        return self.base.above(name)

    def _is_there(self, folder: str) -> bool:
        parent = folder.rpartition("/")[0]
        return not folder or (
            self._is_there(parent)
            and any(entry.path == folder and entry.what is What.FOLDER for entry in self.base.entries(parent))
        )
