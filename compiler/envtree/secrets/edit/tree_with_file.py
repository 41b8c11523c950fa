"""A tree as it will be once one of its files is written."""

from dataclasses import dataclass

from envtree.sources.tree import FILE_LIMIT, EntryType, ReadProblem, TreeEntry, TreeWrapper


@dataclass(frozen=True)
class TreeWithFile(TreeWrapper):
    """A tree with one file more, or with other bytes in one."""

    path: str
    content: bytes

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """What will lie directly in a folder, sorted."""
        found = {entry.path: entry for entry in self.base.entries(folder)} if self._has_folder(folder) else {}
        inside = f"{folder}/" if folder else ""
        if self.path.startswith(inside):
            name, below, _ = self.path.removeprefix(inside).partition("/")
            found.setdefault(inside + name, TreeEntry(inside + name, EntryType.FOLDER if below else EntryType.FILE))
        return tuple(sorted(found.values(), key=lambda entry: entry.path))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """The bytes that a file will have."""
        return self.content if path == self.path else self.base.read(path, limit=limit)

    def _has_folder(self, folder: str) -> bool:
        parent = folder.rpartition("/")[0]
        return not folder or (
            self._has_folder(parent)
            and any(entry.path == folder and entry.type is EntryType.FOLDER for entry in self.base.entries(parent))
        )
