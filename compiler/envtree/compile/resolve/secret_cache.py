"""Secrets of a bundle: found by dotted path in the merged content of its secrets files, known or not."""

from collections.abc import Mapping
from typing import Any

from envtree.model.keypath import format_path
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import UNKNOWN, HiddenValue

# Per file: dotted path to plaintext. A file that is not there has not been decrypted.
Plaintexts = Mapping[str, Mapping[str, Any]]


def find_secret(content: Mapping[str, MergedValue], path: tuple[str | int, ...]) -> MergedValue | None:
    """The merged secret at a path, a map or list of secrets included."""
    found: MergedValue | None = None
    for n, part in enumerate(path):
        if n == 0:
            found = content.get(str(part))
        elif type(found) is MergedMapping:
            found = found.entries.get(str(part))
        elif type(found) is MergedSequence:
            found = _list_item(found, part)
        else:
            return None
    return found


def _list_item(listing: MergedSequence, part: str | int) -> MergedValue | None:
    return next((item for n, item in enumerate(listing.items) if str(n) == str(part)), None)


class SecretCache:
    """The values of merged secrets, made once for bundles that share them; `clear` it when their bundles are done."""

    def __init__(self, plaintexts: Plaintexts) -> None:
        self._plaintexts = plaintexts
        # What is hidden keeps its merged secret, so that the id of that is not given to another.
        self._cache: dict[int, HiddenValue] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._cache.clear()

    def value(self, secret: MergedValue) -> HiddenValue:
        """The value of a merged secret; unknown when any part of it is."""
        known = self._cache.get(id(secret))
        if known is None:
            value = _plaintext(secret, self._plaintexts)
            known = self._cache[id(secret)] = HiddenValue(value, secret=True, symbol=secret)
        return known


def _plaintext(secret: MergedValue, plaintexts: Plaintexts) -> Any:
    if type(secret) is MergedScalar:
        cipher = secret.node.value
        assert isinstance(cipher, EncryptedValue)
        return plaintexts.get(cipher.file, {}).get(cipher.path, UNKNOWN)
    if type(secret) is MergedSequence:
        items = [_plaintext(item, plaintexts) for item in secret.items]
        return UNKNOWN if UNKNOWN in items else items
    assert type(secret) is MergedMapping
    entries = {key: _plaintext(child, plaintexts) for key, child in secret.entries.items()}
    return UNKNOWN if any(value is UNKNOWN for value in entries.values()) else entries


def secret_paths(content: Mapping[str, MergedValue]) -> list[str]:
    """The dotted paths of all secrets of a bundle, for hints."""
    found: list[str] = []

    def walk(node: MergedValue, path: tuple[str, ...]) -> None:
        if type(node) is MergedMapping:
            for key, child in node.entries.items():
                walk(child, (*path, key))
        else:
            found.append(format_path(path))

    for key, child in content.items():
        walk(child, (key,))
    return found
