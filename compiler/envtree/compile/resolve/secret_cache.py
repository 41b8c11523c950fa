"""Find secrets by path in the merged secrets files of a bundle, and cache their hidden values."""

from collections.abc import Mapping
from typing import Any

from envtree.model.keypath import format_path
from envtree.model.merged import MergedMapping, MergedScalar, MergedSequence, MergedValue
from envtree.model.nodes import EncryptedValue
from envtree.model.resolved import UNKNOWN, HiddenValue

# File to dotted path to plaintext. A file without an entry has not been decrypted.
Plaintexts = Mapping[str, Mapping[str, Any]]


def find_secret(content: Mapping[str, MergedValue], path: tuple[str | int, ...]) -> MergedValue | None:
    """Return the merged secret, or map or list of secrets, at a path; None if there is none."""
    node: MergedValue | None = None
    for depth, part in enumerate(path):
        if depth == 0:
            node = content.get(str(part))
        elif type(node) is MergedMapping:
            node = node.entries.get(str(part))
        elif type(node) is MergedSequence:
            node = _list_item(node, part)
        else:
            return None
    return node


def _list_item(listing: MergedSequence, part: str | int) -> MergedValue | None:
    return next((item for n, item in enumerate(listing.items) if str(n) == str(part)), None)


class SecretCache:
    """The hidden values of merged secrets, shared by bundles; must be cleared after the bundles of a project."""

    def __init__(self, plaintexts: Plaintexts) -> None:
        self._plaintexts = plaintexts
        # By id of the merged secret; the hidden value refers to the secret, so that its id is not reused.
        self._cache: dict[int, HiddenValue] = {}

    def clear(self) -> None:
        """Clear the cache."""
        self._cache.clear()

    def value(self, secret: MergedValue) -> HiddenValue:
        """Return the hidden value of a merged secret; unknown if any part of it is."""
        value = self._cache.get(id(secret))
        if value is None:
            plaintext = _plaintext(secret, self._plaintexts)
            value = self._cache[id(secret)] = HiddenValue(plaintext, secret=True, symbol=secret)
        return value


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
    """Return the dotted paths of all secrets of a bundle, for hints."""
    paths: list[str] = []

    def collect(node: MergedValue, path: tuple[str, ...]) -> None:
        if type(node) is MergedMapping:
            for key, child in node.entries.items():
                collect(child, (*path, key))
        else:
            paths.append(format_path(path))

    for key, child in content.items():
        collect(child, (key,))
    return paths
