"""Fingerprints of the paths that a run has read in one part of a tree, compact and quick to compare with the disk."""

import hashlib
import os
import stat
from array import array
from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from envtree.model.diagnostic import MachineError
from envtree.sources.tree import FILE_LIMIT, DirectoryTree, ReadProblem, TreeEntry, digest_read_result

# Within this time, in nanoseconds, a file may change again with the same timestamp: file system clocks are coarse.
_TIMESTAMP_GRANULARITY = 2_000_000_000

# A path, and the size limit with which it was read; `FOLDER_LIMIT` marks a folder that was listed.
ReadKey = tuple[str, int]
FOLDER_LIMIT = -1

# Modification and change time in nanoseconds, size, inode, mode; zeros for a missing path.
StatKey = tuple[int, ...]
_MISSING: StatKey = (0, 0, 0, 0, 0)
_DIGEST_SIZE = hashlib.sha256().digest_size
# Inode numbers are unsigned, all other values signed.
_INT64_MAX = (1 << 63) - 1


class PathFingerprint(NamedTuple):
    """The stat key of a path before it was read, and the digest of the content that was read."""

    stat_key: StatKey
    digest: bytes


# The fingerprint of a path that changed during a run: it never matches again.
CHANGED_FINGERPRINT = PathFingerprint(_MISSING, bytes(_DIGEST_SIZE))


class PathFingerprints(NamedTuple):
    """The fingerprints of several paths, packed into arrays, as of `taken_ns`.

    They are settled if no path had changed shortly before, so that every later change is visible in the stat keys,
    except behind links (`has_links`). `files_digest` covers the content of the files of the tree, `listing_digest` the
    folder listings and the files that are only read to tell folders apart.
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
        """Pack fingerprints by key."""
        keys = sorted(fingerprints)
        values = [fingerprints[key] for key in keys]
        return cls(
            taken_ns,
            all(_is_settled(stat_key, taken_ns) for stat_key, _ in values),
            any(_is_link(stat_key) for stat_key, _ in values),
            "\0".join(path for path, _ in keys),
            array("q", [limit for _, limit in keys]).tobytes(),
            array("q", [number for stat_key, _ in values for number in stat_key]).tobytes(),
            b"".join(digest for _, digest in values),
            _combined_digest(item for item in fingerprints.items() if is_file_key(item[0])),
            _combined_digest(item for item in fingerprints.items() if not is_file_key(item[0])),
        )

    @property
    def total(self) -> int:
        """The number of fingerprints."""
        return len(self.digests) // _DIGEST_SIZE

    def by_key(self) -> dict[ReadKey, PathFingerprint]:
        """Unpack all fingerprints by key."""
        limits, numbers, size = array("q", self.limits), array("q", self.stat_keys), len(_MISSING)
        digests = [self.digests[start : start + _DIGEST_SIZE] for start in range(0, len(self.digests), _DIGEST_SIZE)]
        return {
            (path, limits[n]): PathFingerprint(tuple(numbers[n * size : (n + 1) * size]), digests[n])
            for n, path in enumerate(self._paths)
        }

    def refresh(self, tree: DirectoryTree, taken_ns: int) -> "tuple[PathFingerprints, frozenset[ReadKey]]":
        """Return the current fingerprints of the same paths, and the keys of those whose content has changed.

        Content is only read where the stat key has changed or is not conclusive.
        """
        current_stat_key = partial(stat_key_of, f"{tree.root}/")
        if self.is_settled and not self.has_links:
            numbers = [number for path in self._paths for number in current_stat_key(path)]
            if array("q", numbers).tobytes() == self.stat_keys:
                return self, frozenset()
        current, changed = {}, set()
        for key, before in self.by_key().items():
            stat_key, digest = current_stat_key(key[0]), before.digest
            if stat_key != before.stat_key or not _is_settled(stat_key, self.taken_ns) or _is_link(stat_key):
                try:
                    digest = current_digest(tree, key)
                except MachineError:
                    # The path is gone or unreadable; the run reports it if it needs it.
                    changed.add(key)
                    continue
            current[key] = PathFingerprint(stat_key, digest)
            if digest != before.digest:
                changed.add(key)
        refreshed = PathFingerprints.from_mapping(taken_ns, current)
        # Settled fingerprints that differ only in their time gain nothing from a later one.
        if self.is_settled and refreshed._replace(taken_ns=self.taken_ns) == self:
            refreshed = self
        return refreshed, frozenset(changed)

    @property
    def _paths(self) -> list[str]:
        return self.paths.split("\0") if self.limits else []


def is_file_key(key: ReadKey) -> bool:
    """Return whether a key is of a file of the tree, not of a folder or of a file read only to classify a folder."""
    return key[1] == FILE_LIMIT


def part_name(path: str) -> str:
    """Return the part of a tree that a path belongs to: its first two folders, so that few files share a digest."""
    parts = path.split("/", 2)
    return f"{parts[0]}/{parts[1]}" if len(parts) > 2 else ""


def stat_key_of(prefix: str, path: str) -> StatKey:
    """Return the stat key of a path; `prefix` is the root with a slash."""
    try:
        status = os.lstat(prefix + path)
    except OSError:
        return _MISSING
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino & _INT64_MAX, status.st_mode


def current_digest(tree: DirectoryTree, key: ReadKey) -> bytes:
    """Return the digest of the current content of a file or folder."""
    path, limit = key
    return entries_digest(tree.entries(path)) if limit == FOLDER_LIMIT else content_digest(tree.read(path, limit=limit))


def entries_digest(entries: Iterable[TreeEntry]) -> bytes:
    """Return the digest of a folder listing."""
    listing = "".join(f"{entry.type.name} {entry.path}\0" for entry in entries)
    return hashlib.sha256(listing.encode("utf-8", "surrogateescape")).digest()


def content_digest(content: bytes | ReadProblem) -> bytes:
    """Return the digest of the content of a file, or of the reason why it cannot be read."""
    return bytes.fromhex(digest_read_result(content))


def _combined_digest(fingerprints: Iterable[tuple[ReadKey, PathFingerprint]]) -> bytes:
    digests = sorted((key, fingerprint.digest) for key, fingerprint in fingerprints)
    return hashlib.sha256(repr(digests).encode("utf-8", "surrogateescape")).digest()


def _is_settled(stat_key: StatKey, taken_ns: int) -> bool:
    """Return whether a path existed at a time and had not changed shortly before."""
    return stat_key != _MISSING and stat_key[1] + _TIMESTAMP_GRANULARITY <= taken_ns


def _is_link(stat_key: StatKey) -> bool:
    return stat.S_ISLNK(stat_key[4])
