"""Archives as a port: an output in one file, whose bytes depend on nothing but what is in it."""

from pathlib import PurePath

from envtree.system.archive.packing import Packing, through

SUFFIXES = (".tar.zst", ".zip")


def is_archive(path: PurePath) -> bool:
    """Whether a path is named as an archive that can be made."""
    return path.name.endswith(SUFFIXES) and path.name not in SUFFIXES


__all__ = ["SUFFIXES", "Packing", "is_archive", "through"]
