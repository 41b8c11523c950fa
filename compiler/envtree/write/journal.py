"""The commit of an existing output: a redo journal, so that a run killed in the middle is finished by the next one."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from envtree import disk
from envtree.artifact import Mode
from envtree.diagnostic import Refusal

STAGING = ".envtree-staging"
_JOURNAL = "journal.json"


class Journal(NamedTuple):
    """What a commit does: `moves` are (staged name, path in the output); a staged manifest goes last."""

    mode: Mode
    moves: list[tuple[str, str]]
    removals: list[str]

    def commit(self, root: str) -> None:
        """Bring the output to its new state, or leave it as it was if the folders cannot be made."""
        journal = f"{root}/{STAGING}/{_JOURNAL}"
        disk.create(f"{journal}.new", orjson.dumps([self.mode, self.moves, self.removals]), disk.FILE_BITS["plain"])
        os.rename(f"{journal}.new", journal)
        # From here on a killed run will be finished by the next.
        try:
            self.make_folders(root)
        except BaseException:
            os.unlink(journal)
            raise
        self.finish(root)

    def finish(self, root: str) -> None:
        """Do what may in part be done already: swap in, prune, the manifest last."""
        staging = f"{root}/{STAGING}"
        for staged, path in self.moves:
            _replace(f"{staging}/{staged}", f"{root}/{path}")
        for path in self.removals:
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(f"{root}/{path}")
        _remove_empty(root, self.removals)
        _replace(f"{staging}/{disk.MANIFEST}", f"{root}/{disk.MANIFEST}")
        os.unlink(f"{staging}/{_JOURNAL}")
        shutil.rmtree(staging)

    def make_folders(self, root: str) -> None:
        """Make all folders or none: a full disk shows here, for renames need no space."""
        made: list[str] = []
        try:
            for folder in _with_parents(path for _, path in self.moves):
                with suppress(FileExistsError):
                    disk.create_folder(f"{root}/{folder}", disk.FOLDER_BITS[self.mode])
                    made.append(folder)
        except BaseException:
            for folder in reversed(made):
                os.rmdir(f"{root}/{folder}")
            raise


def has_journal(root: str) -> bool:
    """Whether a commit was begun and not finished."""
    return os.path.lexists(f"{root}/{STAGING}/{_JOURNAL}")


def recover(root: str) -> None:
    """Finish the commit of a killed run, or remove what it had staged before its commit began."""
    staging = f"{root}/{STAGING}"
    if os.path.islink(staging):
        raise Refusal("ET806", f"'{staging}' is a symbolic link", "move it away")
    data = disk.read(f"{staging}/{_JOURNAL}")
    if data is not None:
        journal = _parse(data, staging)
        journal.make_folders(root)
        journal.finish(root)
    elif os.path.lexists(staging):
        shutil.rmtree(staging)


def _parse(data: bytes, staging: str) -> Journal:
    try:
        mode, moves, removals = orjson.loads(data)
        journal = Journal(_mode(mode), [_move(*move) for move in moves], [_inside(path) for path in removals])
    except (ValueError, TypeError, AttributeError):
        raise Refusal("ET806", f"'{staging}' is not what envtree left there", "delete the output folder") from None
    return journal


def _mode(mode: Any) -> Mode:
    if mode not in disk.FOLDER_BITS:
        raise ValueError("unknown mode")
    return "plain" if mode == "plain" else "ref"


def _move(staged: str, path: str) -> tuple[str, str]:
    return str(int(staged)), _inside(path)


def _inside(path: str) -> str:
    folder, _, name = path.rpartition("/")
    if path != disk.IGNORE:
        disk.check_inside(folder, [name])
    return path


def _replace(source: str, target: str) -> None:
    with suppress(FileNotFoundError):
        os.replace(source, target)


def _with_parents(paths: Iterable[str]) -> list[str]:
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return sorted(found)


def _remove_empty(root: str, removals: list[str]) -> None:
    for folder in reversed(_with_parents(removals)):
        with suppress(OSError):
            os.rmdir(f"{root}/{folder}")
