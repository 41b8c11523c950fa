"""Archives as a port: an output in one file, whose bytes depend on nothing but what is in it."""

from pathlib import PurePath

from envtree.system.archive.archive_writer import ArchiveWriter, archive_artifacts

ARCHIVE_SUFFIXES = (".tar.zst", ".zip")


def is_archive(path: PurePath) -> bool:
    """Whether a path is named as an archive that can be made."""
    return path.name.endswith(ARCHIVE_SUFFIXES) and path.name not in ARCHIVE_SUFFIXES


__all__ = ["ARCHIVE_SUFFIXES", "ArchiveWriter", "archive_artifacts", "is_archive"]
