"""A tree that remembers what was read of it, by the ids that git gives to contents."""

import hashlib
from collections.abc import Iterable

from envtree.sources.tree import FILE_LIMIT, FileAboveRoot, ReadProblem, Tree, TreeEntry


class RecordingTree:
    """Another tree, and in `ids` the files that were read: path to the id of the blob with this content."""

    def __init__(self, tree: Tree, algorithm: str) -> None:
        self.blob_ids: dict[str, str] = {}
        self._tree, self._algorithm = tree, algorithm

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """What lies directly in a folder, sorted; the empty string is the root."""
        return self._tree.entries(folder)

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """The bytes of a file."""
        data = self._tree.read(path, limit=limit)
        if isinstance(data, bytes):
            header = f"blob {len(data)}\0".encode()
            self.blob_ids[path] = hashlib.new(self._algorithm, header + data, usedforsecurity=False).hexdigest()
        return data

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that git ignores."""
        return self._tree.ignored(paths)

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        """The nearest file of a name above the root."""
        return self._tree.find_above_root(name)
