"""What a run has read of a tree, and whether all of it is still the same."""

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from envtree.diagnostic import Failure
from envtree.tree import FILE_LIMIT, Above, DirectoryTree, Entry, Refusal, TreeOver

# Within this time, in nanoseconds, a file may have changed again without another time: file systems count coarsely.
_COARSE = 2_000_000_000

# Times of content and inode in nanoseconds, size, inode, mode; nothing for what is not there.
Marks = list[int]


class Seen(NamedTuple):
    """What was read: for each file and folder how it was marked before that, and the digest of what was found.

    `asked` are the paths of which git was asked whether it ignores them, and `ignored` those that it does; `above` has
    what was found above the root, by name. `at` is when it began, in nanoseconds.
    """

    at: int
    files: dict[str, tuple[Marks, str]]
    folders: dict[str, tuple[Marks, str]]
    asked: Sequence[str]
    ignored: Sequence[str]
    above: dict[str, str]

    @property
    def listing(self) -> str:
        """What changes with which files there are, and which of them mean anything."""
        folders = [(folder, digest) for folder, (_, digest) in self.folders.items()]
        files = [(key, digest) for key, (_, digest) in self.files.items() if not _is_source(key)]
        told = repr((folders, files, [*self.asked], [*self.ignored], self.above))
        return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()

    @property
    def is_fresh(self) -> bool:
        """Whether some of it had changed so shortly before that its marks did not tell for sure."""
        both = (*self.files.values(), *self.folders.values())
        return any(marks and marks[1] + _COARSE > self.at for marks, _ in both)


NOTHING = Seen(0, {}, {}, (), (), {})


class Notes(NamedTuple):
    """What was read of a tree in some time."""

    files: dict[str, tuple[Marks, str]]
    folders: dict[str, tuple[Marks, str]]
    asked: dict[str, None]
    ignored: dict[str, None]
    above: dict[str, str]


class Witness(TreeOver):
    """A tree that notes what is read of it; what was seen `before` need not be read to know its digest."""

    def __init__(self, base: DirectoryTree) -> None:
        super().__init__(base)
        self.root, self.before = base.root, NOTHING
        self._at = time.time_ns()
        self._all, self._new = Notes({}, {}, {}, {}, {}), Notes({}, {}, {}, {}, {})

    def entries(self, folder: str) -> tuple[Entry, ...]:
        """What lies directly in a folder."""
        marks = _marks(self.root / folder)
        found = super().entries(folder)
        self._new.folders[folder] = marks, _of_entries(found)
        return found

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | Refusal:
        """The bytes of a file."""
        marks = _marks(f"{self.root}/{path}")
        found = super().read(path, limit=limit)
        self._new.files[f"{path}:{limit}"] = marks, _of_content(found)
        return found

    def digest(self, path: str) -> str:
        """What changes with what is read from a file."""
        key = f"{path}:{FILE_LIMIT}"
        known, marks = self.before.files.get(key), _marks(f"{self.root}/{path}")
        if known is None or _is_open(known[0], marks, self.before.at):
            self.read(path)
        else:
            self._new.files[key] = marks, known[1]
        return self._new.files[key][1]

    def is_listed_alike(self) -> bool:
        """Whether there are the same files as before; this is noted then, and no folder has to be looked through."""
        root, before = f"{self.root}/", self.before
        folders = {folder: (_marks(root + folder), digest) for folder, (_, digest) in before.folders.items()}
        files = {key: one for key, one in before.files.items() if not _is_source(key)}
        marks = {key: (_marks(root + key.rpartition(":")[0]), digest) for key, (_, digest) in files.items()}
        both = ((before.folders, folders), (files, marks))
        if not folders or any(_is_open(old[key][0], new[key][0], before.at) for old, new in both for key in new):
            return False
        self._new.folders.update(folders)
        self._new.files.update(marks)
        same = all(_of_above(self.above(name)) == digest for name, digest in before.above.items())
        return same and (not before.asked or self.ignored(before.asked) == frozenset(before.ignored))

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that git ignores."""
        asked = dict.fromkeys(paths)
        found = super().ignored(asked)
        self._new.asked.update(asked)
        self._new.ignored.update(dict.fromkeys(found))
        return found

    def above(self, name: str) -> Above | None:
        """The nearest file of a name above the root."""
        found = super().above(name)
        self._new.above[name] = _of_above(found)
        return found

    def noted(self) -> Notes:
        """What was read since the last time that this was asked."""
        new, self._new = self._new, Notes({}, {}, {}, {}, {})
        self.note(new)
        return new

    def note(self, noted: Notes) -> None:
        """Take over what was read by another process."""
        files, folders, asked, ignored, above = self._all
        files.update(noted.files)
        folders.update(noted.folders)
        asked.update(noted.asked)
        ignored.update(noted.ignored)
        above.update(noted.above)

    def seen(self) -> Seen:
        """All that was read so far."""
        self.noted()
        files, folders, asked, ignored, above = self._all
        return Seen(self._at, files, folders, tuple(asked), tuple(ignored), above)


def still(seen: Seen, tree: DirectoryTree) -> Seen | None:
    """The same with today's marks if a tree is as it was seen, else None.

    Only where a mark has changed, or does not tell for sure, the content is compared.
    """
    root, at = f"{tree.root}/", time.time_ns()
    files, folders = dict(seen.files), dict(seen.folders)
    try:
        for folder, (marks, digest) in seen.folders.items():
            if _is_open(marks, now := _marks(root + folder), seen.at):
                folders[folder] = now, digest
                if _of_entries(tree.entries(folder)) != digest:
                    return None
        for key, (marks, digest) in seen.files.items():
            path, _, limit = key.rpartition(":")
            if _is_open(marks, now := _marks(root + path), seen.at):
                files[key] = now, digest
                if _of_content(tree.read(path, limit=int(limit))) != digest:
                    return None
        same = all(_of_above(tree.above(name)) == digest for name, digest in seen.above.items())
    except Failure:
        # What is gone, or may not be read any more.
        return None
    if not same or (seen.asked and tree.ignored(seen.asked) != frozenset(seen.ignored)):
        return None
    return seen._replace(at=at, files=files, folders=folders)


def _is_open(before: Marks, now: Marks, at: int) -> bool:
    """Whether the marks leave it open that something has changed."""
    return before != now or not now or now[1] + _COARSE > at or stat.S_ISLNK(now[4])


def _is_source(key: str) -> bool:
    """Whether what was read is a file of the tree, and not what only tells a folder apart."""
    return key.endswith(f":{FILE_LIMIT}")


def _marks(path: str | os.PathLike[str]) -> Marks:
    try:
        found = os.lstat(path)
    except OSError:
        return []
    return [found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino, found.st_mode]


def _of_content(found: bytes | Refusal) -> str:
    return hashlib.sha256(found if isinstance(found, bytes) else repr(tuple(found)).encode()).hexdigest()


def _of_entries(found: Iterable[Entry]) -> str:
    listed = "".join(f"{entry.what.name} {entry.path}\0" for entry in found)
    return hashlib.sha256(listed.encode("utf-8", "surrogateescape")).hexdigest()


def _of_above(found: Above | None) -> str:
    return f"{found.path} {found.inside} {_of_content(found.content)}" if found else ""
