"""Private folders in memory, for what sops only does to files."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Linux keeps files there in memory. Elsewhere a temporary folder has to do, on whatever disk it is.
_MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 -- a folder of our own is made in it, which only we can enter


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that only this user can enter; it is gone at the end with all that is in it."""
    in_memory = os.path.isdir(_MEMORY_FOLDER) and os.access(_MEMORY_FOLDER, os.W_OK | os.X_OK)
    with tempfile.TemporaryDirectory(prefix="envtree-", dir=_MEMORY_FOLDER if in_memory else None) as folder:
        yield Path(folder)
