"""A tree overlaid with one file that is not written yet."""

from dataclasses import dataclass

from envtree.sources.tree import FILE_LIMIT, EntryType, ReadProblem, TreeEntry, TreeWrapper


@dataclass(frozen=True)
class TreeWithFile(TreeWrapper):
    """A tree with one additional file, or with other content of one."""

    path: str
    content: bytes

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the direct entries of a folder, sorted."""
        entries_by_path = {entry.path: entry for entry in self.base.entries(folder)} if self._has_folder(folder) else {}
        prefix = f"{folder}/" if folder else ""
        if self.path.startswith(prefix):
            name, below, _ = self.path.removeprefix(prefix).partition("/")
            entries_by_path.setdefault(
                prefix + name, TreeEntry(prefix + name, EntryType.FOLDER if below else EntryType.FILE)
            )
        return tuple(sorted(entries_by_path.values(), key=lambda entry: entry.path))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """Return the bytes of a file."""
        return self.content if path == self.path else self.base.read(path, limit=limit)

    def _has_folder(self, folder: str) -> bool:
        parent = folder.rpartition("/")[0]
        return not folder or (
            self._has_folder(parent)
            and any(entry.path == folder and entry.type is EntryType.FOLDER for entry in self.base.entries(parent))
        )
