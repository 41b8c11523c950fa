"""The documents of a project as they were read the last time, for files that have the same content now."""

from typing import Any

from envtree.engine.cache.folder import Folder
from envtree.engine.cache.object_store import load, save


class Documents(dict[Any, Any]):
    """What is known of files, by path, place and digest; what nobody asks for any more is forgotten."""

    def __init__(self, folder: Folder, name: str) -> None:
        super().__init__(load(folder, name) or {})
        self._folder, self._name = folder, name
        self._kept, self._asked = set(self), set[Any]()

    def __getitem__(self, key: Any) -> Any:
        self._asked.add(key)
        return super().__getitem__(key)

    def save(self) -> None:
        """Keep what was asked for."""
        if self._asked != self._kept:
            save(self._folder, self._name, {key: self.get(key) for key in self._asked})
