"""What a run has read in one part of a tree, in a form that is compared with the disk in one step."""

import hashlib
import os
import stat
from array import array
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from envtree.model.diagnostic import MachineError
from envtree.sources.tree import FILE_LIMIT, DirectoryTree, ReadProblem, TreeEntry, digest_read_result

# Within this time, in nanoseconds, a file may have changed again without another time: file systems count coarsely.
_TIMESTAMP_GRANULARITY = 2_000_000_000

# A path, and of how many bytes a file may have been at most; what was looked through as a folder has this limit.
ReadKey = tuple[str, int]
FOLDER_LIMIT = -1

# Times of content and inode in nanoseconds, size, inode, mode; zeros for what is not there.
StatKey = tuple[int, ...]
_MISSING: StatKey = (0, 0, 0, 0, 0)
_DIGEST_SIZE = hashlib.sha256().digest_size
# The numbers of inodes are unsigned, and all others signed.
_INT64_MAX = (1 << 63) - 1


class PathFingerprint(NamedTuple):
    """How something was marked before it was read, and the digest of what was found then."""

    stat_key: StatKey
    digest: bytes


# What was seen of something that has changed while a run lasted: it is never like that again.
CHANGED_FINGERPRINT = PathFingerprint(_MISSING, bytes(_DIGEST_SIZE))


class PathFingerprints(NamedTuple):
    """Several of them, one after the other, as they were at a time in nanoseconds.

    Nothing had changed for a while if they are `quiet`, so that later changes show in marks, but for those behind
    links, where there are `links`. `files` changes with what is in the files of the tree, and `listing` with which
    these are, and with what only tells folders apart.
    """

    taken_ns: int
    is_settled: bool
    has_links: bool
    paths: str
    limits: bytes
    stat_keys: bytes
    digests: bytes
    files_digest: bytes
    listing_digest: bytes

    @classmethod
    def from_mapping(cls, taken_ns: int, fingerprints: Mapping[ReadKey, PathFingerprint]) -> "PathFingerprints":
        """Those of keys."""
        keys = sorted(fingerprints)
        sights = [fingerprints[key] for key in keys]
        return cls(
            taken_ns,
            all(_is_settled(marks, taken_ns) for marks, _ in sights),
            any(_is_link(marks) for marks, _ in sights),
            "\0".join(path for path, _ in keys),
            array("q", [limit for _, limit in keys]).tobytes(),
            array("q", [mark for marks, _ in sights for mark in marks]).tobytes(),
            b"".join(digest for _, digest in sights),
            _combined_digest(one for one in fingerprints.items() if is_file_key(one[0])),
            _combined_digest(one for one in fingerprints.items() if not is_file_key(one[0])),
        )

    @property
    def total(self) -> int:
        """How many they are."""
        return len(self.digests) // _DIGEST_SIZE

    def by_key(self) -> dict[ReadKey, PathFingerprint]:
        """All of them."""
        limits, marks, size = array("q", self.limits), array("q", self.stat_keys), len(_MISSING)
        digests = [self.digests[start : start + _DIGEST_SIZE] for start in range(0, len(self.digests), _DIGEST_SIZE)]
        return {
            (path, limits[n]): PathFingerprint(tuple(marks[n * size : (n + 1) * size]), digests[n])
            for n, path in enumerate(self._paths)
        }

    def refresh(self, tree: DirectoryTree, taken_ns: int) -> "tuple[PathFingerprints, frozenset[ReadKey]]":
        """The same as it is now, and the keys of what is not what it was.

        Only where a mark has changed, or does not tell for sure, the content is compared.
        """
        look = partial(stat_key_of, f"{tree.root}/")
        tells = self.is_settled and not self.has_links
        if tells and array("q", [mark for path in self._paths for mark in look(path)]).tobytes() == self.stat_keys:
            return self, frozenset()
        now, changed = {}, set()
        for key, before in self.by_key().items():
            marks, digest = look(key[0]), before.digest
            if marks != before.stat_key or not _is_settled(marks, self.taken_ns) or _is_link(marks):
                try:
                    digest = current_digest(tree, key)
                except MachineError:
                    # What is gone, or may not be read any more; who needs it will tell.
                    changed.add(key)
                    continue
            now[key] = PathFingerprint(marks, digest)
            if digest != before.digest:
                changed.add(key)
        sights = PathFingerprints.from_mapping(taken_ns, now)
        # What was quiet already is no more so by having been looked at.
        return self if self.is_settled and sights._replace(taken_ns=self.taken_ns) == self else sights, frozenset(
            changed
        )

    @property
    def _paths(self) -> list[str]:
        return self.paths.split("\0") if self.limits else []


def is_file_key(key: ReadKey) -> bool:
    """Whether what was read is a file of the tree, and not what only tells a folder apart."""
    return key[1] == FILE_LIMIT


def part_name(path: str) -> str:
    """The part of a tree that a path belongs to: what is said of it changes with few others."""
    parts = path.split("/", 2)
    return f"{parts[0]}/{parts[1]}" if len(parts) > 2 else ""


def stat_key_of(prefix: str, path: str) -> StatKey:
    """The marks of something below a folder."""
    try:
        found = os.lstat(prefix + path)
    except OSError:
        return _MISSING
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino & _INT64_MAX, found.st_mode


def current_digest(tree: DirectoryTree, key: ReadKey) -> bytes:
    """The digest of what is there now."""
    path, limit = key
    return entries_digest(tree.entries(path)) if limit == FOLDER_LIMIT else content_digest(tree.read(path, limit=limit))


def entries_digest(entries: Iterable[TreeEntry]) -> bytes:
    """The digest of what lies in a folder."""
    listed = "".join(f"{entry.type.name} {entry.path}\0" for entry in entries)
    return hashlib.sha256(listed.encode("utf-8", "surrogateescape")).digest()


def content_digest(content: bytes | ReadProblem) -> bytes:
    """The digest of what a file holds."""
    return bytes.fromhex(digest_read_result(content))


def _combined_digest(fingerprints: Iterable[tuple[ReadKey, PathFingerprint]]) -> bytes:
    told = sorted((key, sight.digest) for key, sight in fingerprints)
    return hashlib.sha256(repr(told).encode("utf-8", "surrogateescape")).digest()


def _is_settled(stat_key: StatKey, taken_ns: int) -> bool:
    """Whether something is there, and had not changed for a while at some time."""
    return stat_key != _MISSING and stat_key[1] + _TIMESTAMP_GRANULARITY <= taken_ns


def _is_link(stat_key: StatKey) -> bool:
    return stat.S_ISLNK(stat_key[4])
