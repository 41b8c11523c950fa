"""Secrets of a bundle: found by dotted path in the merged content of its secrets files, known or not."""

from collections.abc import Mapping
from typing import Any

from envtree.model.keypath import format_path
from envtree.model.merged import Branch, Leaf, Listing, Merged
from envtree.model.nodes import Cipher
from envtree.model.resolved import UNKNOWN, Hidden

# Per file: dotted path to plaintext. A file that is not there has not been decrypted.
Plaintexts = Mapping[str, Mapping[str, Any]]


def find(content: Mapping[str, Merged], path: tuple[str | int, ...]) -> Merged | None:
    """The merged secret at a path, a map or list of secrets included."""
    found: Merged | None = None
    for n, part in enumerate(path):
        if n == 0:
            found = content.get(str(part))
        elif type(found) is Branch:
            found = found.entries.get(str(part))
        elif type(found) is Listing:
            found = _item(found, part)
        else:
            return None
    return found


def _item(found: Listing, part: str | int) -> Merged | None:
    return next((item for n, item in enumerate(found.items) if str(n) == str(part)), None)


class Secrets:
    """The values of merged secrets, made once for bundles that share them; `clear` it when their bundles are done."""

    def __init__(self, plaintexts: Plaintexts) -> None:
        self._plaintexts = plaintexts
        # What is hidden keeps its merged secret, so that the id of that is not given to another.
        self._known: dict[int, Hidden] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()

    def value(self, found: Merged) -> Hidden:
        """The value of a merged secret; unknown when any part of it is."""
        known = self._known.get(id(found))
        if known is None:
            value = _value(found, self._plaintexts)
            known = self._known[id(found)] = Hidden(value, secret=True, symbol=found)
        return known


def _value(found: Merged, plaintexts: Plaintexts) -> Any:
    if type(found) is Leaf:
        cipher = found.node.value
        assert isinstance(cipher, Cipher)
        return plaintexts.get(cipher.file, {}).get(cipher.path, UNKNOWN)
    if type(found) is Listing:
        items = [_value(item, plaintexts) for item in found.items]
        return UNKNOWN if UNKNOWN in items else items
    assert type(found) is Branch
    entries = {key: _value(child, plaintexts) for key, child in found.entries.items()}
    return UNKNOWN if any(value is UNKNOWN for value in entries.values()) else entries


def paths(content: Mapping[str, Merged]) -> list[str]:
    """The dotted paths of all secrets of a bundle, for hints."""
    found: list[str] = []

    def walk(node: Merged, path: tuple[str, ...]) -> None:
        if type(node) is Branch:
            for key, child in node.entries.items():
                walk(child, (*path, key))
        else:
            found.append(format_path(path))

    for key, child in content.items():
        walk(child, (key,))
    return found
