"""Record the reads of a run from a tree, and check whether all of them would still give the same."""

import hashlib
import time
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from envtree.engine.cache.path_fingerprints import (
    CHANGED_FINGERPRINT,
    FOLDER_LIMIT,
    PathFingerprint,
    PathFingerprints,
    ReadKey,
    content_digest,
    entries_digest,
    is_file_key,
    part_name,
    stat_key_of,
)
from envtree.sources.tree import FILE_LIMIT, DirectoryTree, FileAboveRoot, ReadProblem, TreeEntry, TreeWrapper
from envtree.system import git

# More paths than this are checked by several processes.
_PARALLEL_THRESHOLD = 10_000

# The current fingerprints of a part of a tree, and the keys of changed paths.
RefreshedPart = tuple[PathFingerprints, frozenset[ReadKey]]


class ReadLog(NamedTuple):
    """The reads of a run, by part of the tree.

    `ignore_queries` has the paths for which git was asked whether it ignores them, joined by NUL, by the folder of
    their repository in the tree; `ignored` are those that git ignores. `files_above_root` has digests by file name.
    """

    parts: dict[str, PathFingerprints]
    ignore_queries: dict[str, str]
    ignored: frozenset[str]
    files_above_root: dict[str, str]

    @property
    def listing_digest(self) -> str:
        """A digest of the files that exist, and of the answers that decide which are sources."""
        parts = sorted((name, part.listing_digest) for name, part in self.parts.items())
        listing = repr((parts, sorted(self.ignored), sorted(self.files_above_root.items())))
        return hashlib.sha256(listing.encode("utf-8", "surrogateescape")).hexdigest()


EMPTY_LOG = ReadLog({}, {}, frozenset(), {})


class ReadLogDelta(NamedTuple):
    """The reads of a period; `ignore_queries` has the repository of each path."""

    fingerprints: dict[ReadKey, PathFingerprint]
    ignore_queries: dict[str, str]
    ignored: set[str]
    files_above_root: dict[str, str]

    @classmethod
    def empty(cls) -> "ReadLogDelta":
        """Return a delta without reads."""
        return cls({}, {}, set(), {})


class ReadRecorder(TreeWrapper):
    """A tree that records the reads from it, and compares them with the log of a previous run."""

    def __init__(self, base: DirectoryTree) -> None:
        super().__init__(base)
        self.root, self.previous = base.root, EMPTY_LOG
        self._tree, self._started_ns = base, time.time_ns()
        self._log, self._pending = ReadLogDelta.empty(), ReadLogDelta.empty()
        self._changed_keys, self._reuses_previous = frozenset[ReadKey](), False
        self._previous_parts: dict[str, dict[ReadKey, PathFingerprint]] = {}

    def refresh(self, previous: ReadLog, jobs: int | None = 1) -> None:
        """Check the paths of a previous log, so that unchanged ones need not be read to know their digest.

        Large logs are checked by up to `jobs` processes.
        """
        refreshed = self._refresh_parts(previous.parts, jobs)
        self.previous = previous._replace(parts=previous.parts | {name: part for name, (part, _) in refreshed.items()})
        self._changed_keys = frozenset[ReadKey]().union(*(changed for _, changed in refreshed.values()))

    def _refresh_parts(self, parts: dict[str, PathFingerprints], jobs: int | None) -> dict[str, RefreshedPart]:
        """Return the parts whose fingerprints differ, with the keys of changed paths."""

        def refresh_parts(names: list[str]) -> dict[str, RefreshedPart]:
            refreshed = {name: parts[name].refresh(self._tree, self._started_ns) for name in names}
            return {name: part for name, part in refreshed.items() if part != (parts[name], frozenset())}

        names = list(parts)
        if sum(part.total for part in parts.values()) > _PARALLEL_THRESHOLD:
            from envtree.system.workers import process_count, run_in_processes  # noqa: PLC0415 -- few trees are worth it

            all_refreshed: dict[str, RefreshedPart] = {}
            count = process_count(jobs)
            if count > 1 and run_in_processes(
                count, count, lambda n: refresh_parts(names[n::count]), lambda _, part: all_refreshed.update(part)
            ):
                return all_refreshed
        return refresh_parts(names)

    @property
    def is_unchanged(self) -> bool:
        """Whether nothing that the previous run read has changed."""
        return not self._changed_keys and self.is_listing_unchanged

    @cached_property
    def is_listing_unchanged(self) -> bool:
        """Whether the tree has the same files as in the previous run."""
        previous = self.previous
        if not previous.parts or not all(map(is_file_key, self._changed_keys)):
            return False
        if any(
            _above_root_digest(self.base.find_above_root(name)) != digest
            for name, digest in previous.files_above_root.items()
        ):
            return False
        queries = {repository: paths.split("\0") for repository, paths in previous.ignore_queries.items()}
        return git.find_ignored_in(self.root, queries) == previous.ignored

    def reuse_previous(self) -> bool:
        """Take over the previous log if the tree has the same files, so that no folder has to be listed."""
        self._reuses_previous = self.is_listing_unchanged
        return self._reuses_previous

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the entries of a folder, and record them."""
        stat_key = stat_key_of(self._prefix, folder)
        entries = super().entries(folder)
        self._record((folder, FOLDER_LIMIT), PathFingerprint(stat_key, entries_digest(entries)))
        return entries

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """Return the bytes of a file, and record them."""
        stat_key = stat_key_of(self._prefix, path)
        content = super().read(path, limit=limit)
        self._record((path, limit), PathFingerprint(stat_key, content_digest(content)))
        return content

    def _record(self, key: ReadKey, fingerprint: PathFingerprint) -> None:
        recorded = self._pending.fingerprints.get(key) or self._log.fingerprints.get(key)
        # If the content changed between two reads, the result may be based on either.
        self._pending.fingerprints[key] = (
            fingerprint if recorded is None or recorded.digest == fingerprint.digest else CHANGED_FINGERPRINT
        )

    def file_digest(self, path: str) -> bytes:
        """Return the digest of a file's content, from a recorded read if there is one."""
        key = (path, FILE_LIMIT)
        recorded = (
            self._pending.fingerprints.get(key)
            or self._log.fingerprints.get(key)
            or self._previous_part(part_name(path)).get(key)
        )
        if recorded is None:
            self.read(path)
            recorded = self._pending.fingerprints[key]
        else:
            self._log.fingerprints[key] = recorded
        return recorded.digest

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Return those of the paths that git ignores, and record the answer."""
        queries = git.group_by_repository(self.root, dict.fromkeys(paths))
        ignored = git.find_ignored_in(self.root, queries)
        self._pending.ignore_queries.update(
            (path, repository) for repository, repository_paths in queries.items() for path in repository_paths
        )
        self._pending.ignored.update(ignored)
        return ignored

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        """Return the nearest file of a name above the root, and record it."""
        file = super().find_above_root(name)
        self._pending.files_above_root[name] = _above_root_digest(file)
        return file

    def drain_reads(self) -> ReadLogDelta:
        """Return the reads since the last call."""
        delta, self._pending = self._pending, ReadLogDelta.empty()
        self.merge_reads(delta)
        return delta

    def merge_reads(self, delta: ReadLogDelta) -> None:
        """Add the reads of another process."""
        self._log.fingerprints.update(delta.fingerprints)
        self._log.ignore_queries.update(delta.ignore_queries)
        self._log.ignored.update(delta.ignored)
        self._log.files_above_root.update(delta.files_above_root)

    def read_log(self) -> ReadLog:
        """Return all reads so far, and those of the previous log if it is reused."""
        self.drain_reads()
        by_part: dict[str, dict[ReadKey, PathFingerprint]] = {}
        for key, fingerprint in self._log.fingerprints.items():
            by_part.setdefault(part_name(key[0]), {})[key] = fingerprint
        base = self.previous if self._reuses_previous else EMPTY_LOG
        parts = base.parts | {name: self._merge_part(name, part, base) for name, part in by_part.items()}
        files_above_root = base.files_above_root | self._log.files_above_root
        if not self._log.ignore_queries:
            return ReadLog(parts, base.ignore_queries, base.ignored, files_above_root)
        queries: dict[str, list[str]] = {}
        for path, repository in self._log.ignore_queries.items():
            queries.setdefault(repository, []).append(path)
        joined = {repository: "\0".join(paths) for repository, paths in queries.items()}
        return ReadLog(parts, joined, frozenset(self._log.ignored), files_above_root)

    def _merge_part(self, name: str, fingerprints: dict[ReadKey, PathFingerprint], base: ReadLog) -> PathFingerprints:
        """Return the fingerprints of a part of the tree, some of which was read again."""
        if name not in base.parts:
            return PathFingerprints.from_mapping(self._started_ns, fingerprints)
        previous = self._previous_part(name)
        if fingerprints.items() <= previous.items():
            return base.parts[name]
        return PathFingerprints.from_mapping(self._started_ns, previous | fingerprints)

    def _previous_part(self, name: str) -> dict[ReadKey, PathFingerprint]:
        """Return the fingerprints of the previous run for a part of the tree."""
        if name not in self._previous_parts:
            self._previous_parts[name] = self.previous.parts[name].by_key() if name in self.previous.parts else {}
        return self._previous_parts[name]

    @property
    def _prefix(self) -> str:
        return f"{self.root}/"


def _above_root_digest(file: FileAboveRoot | None) -> str:
    return f"{file.path} {file.root_prefix} {content_digest(file.content).hex()}" if file else ""
