"""What one run hands to the next as objects: only those of a few kinds are ever made of what lies there."""

import io
import pickle
from contextlib import suppress
from enum import Enum
from typing import Any

from envtree.cache.folder import Folder

# Beside our own, of which only named tuples and words of enumerations are data alone.
_HARMLESS = {
    ("builtins", "set"),
    ("builtins", "frozenset"),
    ("collections", "Counter"),
    ("datetime", "date"),
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _HARMLESS:
            return super().find_class(module, name)
        # A name with a dot would lead through a module into what it imports, and whatever a module imports is in it.
        if module.startswith("envtree.") and "." not in name:
            found = super().find_class(module, name)
            if isinstance(found, type) and issubclass(found, tuple | Enum) and found.__module__ == module:
                return found
        raise pickle.UnpicklingError(f"'{module}.{name}' is nothing that is kept")


def load(folder: Folder, name: str) -> Any:
    """The objects that are kept under a name, None if there are none."""
    data = folder.read(name)
    if data is None:
        return None
    try:
        return _Reader(io.BytesIO(data)).load()
    except (pickle.UnpicklingError, AttributeError, ImportError, IndexError, TypeError, ValueError, EOFError):
        return None


def save(folder: Folder, name: str, objects: Any) -> None:
    """Keep objects under a name; those that cannot be kept are found again by the next run."""
    with suppress(TypeError, pickle.PicklingError):
        folder.write(name, pickle.dumps(objects, pickle.HIGHEST_PROTOCOL))
