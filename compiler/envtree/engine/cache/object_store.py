"""What one run hands to the next as objects: only those of a few kinds are ever made of what lies there."""

import io
import pickle
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from typing import Any

from envtree.engine.cache.cache_folder import CacheFolder

# What is raised for objects that cannot be kept.
PICKLE_ERRORS = (TypeError, pickle.PicklingError)

# Beside our own, of which only named tuples and words of enumerations are data alone.
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
        # A name with a dot would lead through a module into what it imports, and whatever a module imports is in it.
        if module.startswith("envtree.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and issubclass(found, tuple | Enum) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"'{module}.{name}' is nothing that is kept")


class LazyObjects(Mapping[str, Any]):
    """Objects by name, each made when it is asked for; their `data` is kept among other objects."""

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
    """The objects that are kept under a name, None if there are none."""
    data = folder.read(name)
    return None if data is None else decode_object(data)


def save_object(folder: CacheFolder, name: str, objects: Any) -> None:
    """Keep objects under a name; those that cannot be kept are found again by the next run."""
    with suppress(*PICKLE_ERRORS):
        folder.write(name, encode_object(objects))


def decode_object(data: bytes) -> Any:
    """The objects that some data was made of, None if it is nothing that is kept."""
    try:
        return _RestrictedUnpickler(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, AttributeError, ImportError, IndexError, TypeError, ValueError, EOFError):
        return None


def encode_object(objects: Any) -> bytes:
    """Objects as data; raises one of UNFIT for what cannot be kept."""
    return pickle.dumps(objects, pickle.HIGHEST_PROTOCOL)
