"""The documents of a tree as they were read the last time, for files that have the same content now."""

from typing import Any
from zlib import crc32

from envtree.cache.folder import Folder
from envtree.cache.kept import load, save

# Of so many packs those are written again in which a document is new.
_PACKS = 64


class Documents(dict[Any, Any]):
    """What is known of files, by path, place and digest; what nobody asks for any more is forgotten."""

    def __init__(self, folder: Folder, name: str) -> None:
        super().__init__()
        self._folder, self._name = folder, name
        self._packs: list[set[Any]] = []
        self._asked: set[Any] = set()
        for number in range(_PACKS):
            pack = load(folder, f"{name}-{number:02}") or {}
            self._packs.append(set(pack))
            self.update(pack)

    def __getitem__(self, key: Any) -> Any:
        self._asked.add(key)
        return super().__getitem__(key)

    def save(self) -> None:
        """Keep what was asked for."""
        packs: list[dict[Any, Any]] = [{} for _ in range(_PACKS)]
        for key in self._asked:
            packs[_pack(key[0])][key] = super().__getitem__(key)
        for number, pack in enumerate(packs):
            if self._packs[number] != set(pack):
                save(self._folder, f"{self._name}-{number:02}", pack)


def _pack(path: str) -> int:
    """The number of the pack for a file: a project has one for all of its files."""
    return crc32("/".join(path.split("/")[:2]).encode("utf-8", "surrogateescape")) % _PACKS
