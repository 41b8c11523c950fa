"""Store objects in the cache folder with pickle, restricted to a few types when they are loaded."""

import io
import pickle
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from envtree.engine.cache.cache_folder import CacheFolder

# Raised for objects that cannot be stored.
PICKLE_ERRORS = (TypeError, pickle.PicklingError)

# Allowed in addition to the named tuples and enumerations of envtree, which are pure data.
_ALLOWED_TYPES = {
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("collections", "Counter"),
    ("datetime", "date"),
}


class _RestrictedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _ALLOWED_TYPES:
            return super().find_class(module, name)
        # A dotted name, or a class imported into the module, could reach code outside of envtree.
        if module.startswith("envtree.") and "." not in name:
            cls = super().find_class(module, name)
            if isinstance(cls, type) and issubclass(cls, tuple | Enum) and cls.__module__ == module:
                return cls
        raise pickle.UnpicklingError(f"'{module}.{name}' is nothing that is kept")


class LazyObjects(Mapping[str, Any]):
    """Objects by name, each decoded on first access from the encoded `data`."""

    def __init__(self, data: dict[str, bytes]) -> None:
        self.data = data
        self._decoded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._decoded:
            self._decoded[name] = decode_object(self.data[name])
        return self._decoded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)


def load_object(folder: CacheFolder, name: str) -> Any:
    """Return the objects stored under a name, or None."""
    data = folder.read(name)
    return None if data is None else decode_object(data)


def save_object(folder: CacheFolder, name: str, objects: Any) -> None:
    """Store objects under a name; objects that cannot be stored are computed again by the next run."""
    with suppress(*PICKLE_ERRORS):
        folder.write(name, encode_object(objects))


def decode_object(data: bytes) -> Any:
    """Decode objects; return None if the data is invalid or has a type that is not allowed."""
    try:
        return _RestrictedUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, AttributeError, ImportError, IndexError, TypeError, ValueError, EOFError):
        return None


def encode_object(objects: Any) -> bytes:
    """Encode objects; raise one of `PICKLE_ERRORS` if they cannot be stored."""
    return pickle.dumps(objects, pickle.HIGHEST_PROTOCOL)
