"""The commit of an existing output: a redo journal, so that a run killed in the middle is finished by the next one."""

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NamedTuple

import orjson

from envtree.model.artifact import Mode
from envtree.model.diagnostic import Refusal
from envtree.output.destination_checks import check_leftover
from envtree.system import disk


class Journal(NamedTuple):
    """What a commit does: `moves` are (staged name, path in the output); a staged manifest goes last."""

    mode: Mode
    moves: list[tuple[str, str]]
    removals: list[str]

    def commit(self, root: str) -> None:
        """Bring the output to its new state, or leave it as it was if the folders cannot be made."""
        journal = f"{root}/{disk.JOURNAL}"
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
        staging = f"{root}/{disk.STAGING}"
        for staged, path in self.moves:
            _replace(f"{staging}/{staged}", f"{root}/{path}")
        for path in self.removals:
            with suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(f"{root}/{path}")
        _remove_empty(root, self.removals)
        _replace(f"{staging}/{disk.MANIFEST}", f"{root}/{disk.MANIFEST}")
        os.unlink(f"{root}/{disk.JOURNAL}")
        # The output is new by now. An empty folder that cannot be removed is no failure, and the next run sees it.
        shutil.rmtree(staging, ignore_errors=True)

    def make_folders(self, root: str) -> None:
        """Make all folders or none: a full disk shows here, for renames need no space.

        No folder in which something will be done is, or lies behind, a link.
        """
        folders = disk.Folders(root)
        for folder in _with_parents([*(path for _, path in self.moves), *self.removals]):
            folders.bits(folder)
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


def has_leftover(root: str) -> bool:
    """Whether a run was killed, in its commit or before."""
    return os.path.lexists(f"{root}/{disk.STAGING}")


def recover(root: str) -> None:
    """Finish the commit of a killed run, or remove what it had staged before its commit began."""
    check_leftover(root)
    staging = f"{root}/{disk.STAGING}"
    data = disk.read(f"{root}/{disk.JOURNAL}")
    if data is None:
        shutil.rmtree(staging)
        return
    journal = _parse(data, staging)
    journal.make_folders(root)
    journal.finish(root)


def _parse(data: bytes, staging: str) -> Journal:
    try:
        mode, moves, removals = orjson.loads(data)
        journal = Journal(_mode(mode), [_move(*move) for move in moves], [_inside(path) for path in removals])
    except (ValueError, TypeError, AttributeError):
        raise Refusal("ET806", f"'{staging}' is not what envtree left there", "look at it, and delete it") from None
    return journal


def _mode(mode: Any) -> Mode:
    for known in disk.FOLDER_BITS:
        if mode == known:
            return known
    raise ValueError("unknown mode")


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
