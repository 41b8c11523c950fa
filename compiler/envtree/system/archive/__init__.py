"""Archives of an output: one reproducible file, whose bytes depend only on its content."""

from pathlib import PurePath

from envtree.system.archive.archive_writer import ArchiveWriter, archive_artifacts

ARCHIVE_SUFFIXES = (".tar.zst", ".zip")


def is_archive(path: PurePath) -> bool:
    """Report whether a path has the name of a supported archive format."""
    return path.name.endswith(ARCHIVE_SUFFIXES) and path.name not in ARCHIVE_SUFFIXES


__all__ = ["ARCHIVE_SUFFIXES", "ArchiveWriter", "archive_artifacts", "is_archive"]
