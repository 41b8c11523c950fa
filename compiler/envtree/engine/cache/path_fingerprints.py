"""What a run has read in one part of a tree, in a form that is compared with the disk in one step."""

import hashlib
import os
import stat
from array import array
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from envtree.model.diagnostic import Failure
from envtree.sources.tree import FILE_LIMIT, DirectoryTree, Entry, Refusal, digest_of

# Within this time, in nanoseconds, a file may have changed again without another time: file systems count coarsely.
_COARSE = 2_000_000_000

# A path, and of how many bytes a file may have been at most; what was looked through as a folder has this limit.
Key = tuple[str, int]
FOLDER = -1

# Times of content and inode in nanoseconds, size, inode, mode; zeros for what is not there.
Marks = tuple[int, ...]
_NONE: Marks = (0, 0, 0, 0, 0)
_DIGEST = hashlib.sha256().digest_size
# The numbers of inodes are unsigned, and all others signed.
_SIGNED = (1 << 63) - 1


class Sight(NamedTuple):
    """How something was marked before it was read, and the digest of what was found then."""

    marks: Marks
    digest: bytes


# What was seen of something that has changed while a run lasted: it is never like that again.
CHANGED = Sight(_NONE, bytes(_DIGEST))


class Sights(NamedTuple):
    """Several of them, one after the other, as they were at a time in nanoseconds.

    Nothing had changed for a while if they are `quiet`, so that later changes show in marks, but for those behind
    links, where there are `links`. `files` changes with what is in the files of the tree, and `listing` with which
    these are, and with what only tells folders apart.
    """

    at: int
    quiet: bool
    links: bool
    paths: str
    limits: bytes
    marks: bytes
    digests: bytes
    files: bytes
    listing: bytes

    @classmethod
    def of(cls, at: int, found: Mapping[Key, Sight]) -> "Sights":
        """Those of keys."""
        keys = sorted(found)
        sights = [found[key] for key in keys]
        return cls(
            at,
            all(_is_quiet(marks, at) for marks, _ in sights),
            any(_is_link(marks) for marks, _ in sights),
            "\0".join(path for path, _ in keys),
            array("q", [limit for _, limit in keys]).tobytes(),
            array("q", [mark for marks, _ in sights for mark in marks]).tobytes(),
            b"".join(digest for _, digest in sights),
            _digest(one for one in found.items() if is_file(one[0])),
            _digest(one for one in found.items() if not is_file(one[0])),
        )

    @property
    def total(self) -> int:
        """How many they are."""
        return len(self.digests) // _DIGEST

    def by_key(self) -> dict[Key, Sight]:
        """All of them."""
        limits, marks, size = array("q", self.limits), array("q", self.marks), len(_NONE)
        digests = [self.digests[start : start + _DIGEST] for start in range(0, len(self.digests), _DIGEST)]
        return {
            (path, limits[n]): Sight(tuple(marks[n * size : (n + 1) * size]), digests[n])
            for n, path in enumerate(self._paths)
        }

    def again(self, tree: DirectoryTree, at: int) -> "tuple[Sights, frozenset[Key]]":
        """The same as it is now, and the keys of what is not what it was.

        Only where a mark has changed, or does not tell for sure, the content is compared.
        """
        look = partial(marks_of, f"{tree.root}/")
        tells = self.quiet and not self.links
        if tells and array("q", [mark for path in self._paths for mark in look(path)]).tobytes() == self.marks:
            return self, frozenset()
        now, changed = {}, set()
        for key, before in self.by_key().items():
            marks, digest = look(key[0]), before.digest
            if marks != before.marks or not _is_quiet(marks, self.at) or _is_link(marks):
                try:
                    digest = read(tree, key)
                except Failure:
                    # What is gone, or may not be read any more; who needs it will tell.
                    changed.add(key)
                    continue
            now[key] = Sight(marks, digest)
            if digest != before.digest:
                changed.add(key)
        sights = Sights.of(at, now)
        # What was quiet already is no more so by having been looked at.
        return self if self.quiet and sights._replace(at=self.at) == self else sights, frozenset(changed)

    @property
    def _paths(self) -> list[str]:
        return self.paths.split("\0") if self.limits else []


def is_file(key: Key) -> bool:
    """Whether what was read is a file of the tree, and not what only tells a folder apart."""
    return key[1] == FILE_LIMIT


def home(path: str) -> str:
    """The part of a tree that a path belongs to: what is said of it changes with few others."""
    parts = path.split("/", 2)
    return f"{parts[0]}/{parts[1]}" if len(parts) > 2 else ""


def marks_of(prefix: str, path: str) -> Marks:
    """The marks of something below a folder."""
    try:
        found = os.lstat(prefix + path)
    except OSError:
        return _NONE
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino & _SIGNED, found.st_mode


def read(tree: DirectoryTree, key: Key) -> bytes:
    """The digest of what is there now."""
    path, limit = key
    return of_entries(tree.entries(path)) if limit == FOLDER else of_content(tree.read(path, limit=limit))


def of_entries(found: Iterable[Entry]) -> bytes:
    """The digest of what lies in a folder."""
    listed = "".join(f"{entry.what.name} {entry.path}\0" for entry in found)
    return hashlib.sha256(listed.encode("utf-8", "surrogateescape")).digest()


def of_content(found: bytes | Refusal) -> bytes:
    """The digest of what a file holds."""
    return bytes.fromhex(digest_of(found))


def _digest(found: Iterable[tuple[Key, Sight]]) -> bytes:
    told = sorted((key, sight.digest) for key, sight in found)
    return hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).digest()


def _is_quiet(marks: Marks, at: int) -> bool:
    """Whether something is there, and had not changed for a while at some time."""
    return marks != _NONE and marks[1] + _COARSE <= at


def _is_link(marks: Marks) -> bool:
    return stat.S_ISLNK(marks[4])
