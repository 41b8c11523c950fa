"""Commit changes of an existing output with a redo journal, so that the next run can finish a killed one."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from envtree.model.artifact import SecretsMode
from envtree.model.diagnostic import RefusedError
from envtree.output.destination_checks import check_staging_folder
from envtree.system import disk


class Journal(NamedTuple):
    """The steps of a commit: `moves` are (staged name, path in the output); a staged manifest is moved last."""

    mode: SecretsMode
    moves: list[tuple[str, str]]
    removals: list[str]

    def commit(self, root: str) -> None:
        """Bring the output to its new state, or leave it as it was if the folders cannot be created."""
        journal = f"{root}/{disk.JOURNAL_FILE}"
        disk.create_file(
            f"{journal}.new", orjson.dumps([self.mode, self.moves, self.removals]), disk.FILE_BITS["plain"]
        )
        os.rename(f"{journal}.new", journal)
        # From here on the next run finishes this one if it is killed.
        try:
            self.make_folders(root)
        except BaseException:
            os.unlink(journal)
            raise
        self.finish(root)

    def finish(self, root: str) -> None:
        """Move the staged files, remove files, and move the manifest last; steps done by a killed run are skipped."""
        staging = f"{root}/{disk.STAGING_FOLDER}"
        for staged, path in self.moves:
            _replace(f"{staging}/{staged}", f"{root}/{path}")
        for path in self.removals:
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(f"{root}/{path}")
        _remove_empty(root, self.removals)
        _replace(f"{staging}/{disk.MANIFEST_FILE}", f"{root}/{disk.MANIFEST_FILE}")
        os.unlink(f"{root}/{disk.JOURNAL_FILE}")
        # The output is complete. An empty folder that cannot be removed is no failure; the next run finds it.
        shutil.rmtree(staging, ignore_errors=True)

    def make_folders(self, root: str) -> None:
        """Create all folders or none: a full disk fails here, because renames need no space.

        Also check that no folder that the commit changes is a link or below one.
        """
        folders = disk.FolderPermissions(root)
        for folder in _parent_folders([*(path for _, path in self.moves), *self.removals]):
            folders.bits(folder)
        created: list[str] = []
        try:
            for folder in _parent_folders(path for _, path in self.moves):
                with suppress(FileExistsError):
                    disk.create_folder(f"{root}/{folder}", disk.FOLDER_BITS[self.mode])
                    created.append(folder)
        except BaseException:
            for folder in reversed(created):
                os.rmdir(f"{root}/{folder}")
            raise


def has_interrupted_run(root: str) -> bool:
    """Return whether a run was killed during its commit or before it."""
    return os.path.lexists(f"{root}/{disk.STAGING_FOLDER}")


def recover_output(root: str) -> None:
    """Finish the commit of a killed run, or remove its staged files if the commit had not begun."""
    check_staging_folder(root)
    staging = f"{root}/{disk.STAGING_FOLDER}"
    data = disk.read_file(f"{root}/{disk.JOURNAL_FILE}")
    if data is None:
        shutil.rmtree(staging)
        return
    journal = _parse_journal(data, staging)
    journal.make_folders(root)
    journal.finish(root)


def _parse_journal(data: bytes, staging: str) -> Journal:
    try:
        mode, moves, removals = orjson.loads(data)
        journal = Journal(
            _parse_mode(mode), [_parse_move(*move) for move in moves], [_checked_path(path) for path in removals]
        )
    except (ValueError, TypeError, AttributeError):
        raise RefusedError(
            "ET806", f"'{staging}' is not what envtree left there", "look at it, and delete it"
        ) from None
    return journal


def _parse_mode(mode: Any) -> SecretsMode:
    for valid_mode in disk.FOLDER_BITS:
        if mode == valid_mode:
            return valid_mode
    raise ValueError("unknown mode")


def _parse_move(staged: str, path: str) -> tuple[str, str]:
    return str(int(staged)), _checked_path(path)


def _checked_path(path: str) -> str:
    folder, _, name = path.rpartition("/")
    if path != disk.IGNORE_FILE:
        disk.check_inside(folder, [name])
    return path


def _replace(source: str, target: str) -> None:
    with suppress(FileNotFoundError):
        os.replace(source, target)


def _parent_folders(paths: Iterable[str]) -> list[str]:
    folders: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(folders)


def _remove_empty(root: str, removals: list[str]) -> None:
    for folder in reversed(_parent_folders(removals)):
        with suppress(OSError):
            os.rmdir(f"{root}/{folder}")
