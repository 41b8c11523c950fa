"""The documents of a project as they were read the last time, for files that have the same content now."""

from typing import Any

from envtree.engine.cache.cache_folder import CacheFolder
from envtree.engine.cache.object_store import load_object, save_object


class StoredDocuments(dict[Any, Any]):
    """What is known of files, by path, place and digest; what nobody asks for any more is forgotten."""

    def __init__(self, folder: CacheFolder, name: str) -> None:
        super().__init__(load_object(folder, name) or {})
        self._folder, self._name = folder, name
        self._loaded_keys, self._used_keys = set(self), set[Any]()

    def __getitem__(self, key: Any) -> Any:
        self._used_keys.add(key)
        return super().__getitem__(key)

    def save(self) -> None:
        """Keep what was asked for."""
        if self._used_keys != self._loaded_keys:
            save_object(self._folder, self._name, {key: self.get(key) for key in self._used_keys})
