"""What a run has read of a tree, and whether all of it is still the same."""

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

# More paths than these are looked at by several processes.
_PARALLEL_THRESHOLD = 10_000

# A part of a tree as it is now, and what is not what it was.
RefreshedPart = tuple[PathFingerprints, frozenset[ReadKey]]


class ReadLog(NamedTuple):
    """What was read, by the part of the tree that it belongs to.

    `asked` has the paths of which git was asked whether it ignores them, those of a repository in the tree by where
    this lies, and `ignored` those that it does; `above` has what was found above the root, by name.
    """

    parts: dict[str, PathFingerprints]
    ignore_queries: dict[str, str]
    ignored: frozenset[str]
    files_above_root: dict[str, str]

    @property
    def listing_digest(self) -> str:
        """What changes with which files there are, and which of them mean anything."""
        parts = sorted((name, sights.listing_digest) for name, sights in self.parts.items())
        told = repr((parts, sorted(self.ignored), sorted(self.files_above_root.items())))
        return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()


EMPTY_LOG = ReadLog({}, {}, frozenset(), {})


class ReadLogDelta(NamedTuple):
    """What was read of a tree in some time; `asked` has the repository that a path lies in."""

    fingerprints: dict[ReadKey, PathFingerprint]
    ignore_queries: dict[str, str]
    ignored: set[str]
    files_above_root: dict[str, str]

    @classmethod
    def empty(cls) -> "ReadLogDelta":
        """Those of somebody who begins to read."""
        return cls({}, {}, set(), {})


class ReadRecorder(TreeWrapper):
    """A tree that notes what is read of it, and looks once at all that was seen `before`."""

    def __init__(self, base: DirectoryTree) -> None:
        super().__init__(base)
        self.root, self.previous = base.root, EMPTY_LOG
        self._tree, self._started_ns = base, time.time_ns()
        self._log, self._pending = ReadLogDelta.empty(), ReadLogDelta.empty()
        self._changed_keys, self._reuses_previous = frozenset[ReadKey](), False
        self._previous_parts: dict[str, dict[ReadKey, PathFingerprint]] = {}

    def refresh(self, previous: ReadLog, jobs: int | None = 1) -> None:
        """Look again at all that was seen; what is as it was need not be read to know what is in it.

        Where that is much, as many processes do it as there are `jobs`.
        """
        looked = self._refresh_parts(previous.parts, jobs)
        self.previous = previous._replace(parts=previous.parts | {name: now for name, (now, _) in looked.items()})
        self._changed_keys = frozenset[ReadKey]().union(*(changed for _, changed in looked.values()))

    def _refresh_parts(self, parts: dict[str, PathFingerprints], jobs: int | None) -> dict[str, RefreshedPart]:
        """The parts that are not as they were, and what has changed in them."""

        def look(names: list[str]) -> dict[str, RefreshedPart]:
            found = {name: parts[name].refresh(self._tree, self._started_ns) for name in names}
            return {name: one for name, one in found.items() if one != (parts[name], frozenset())}

        names = list(parts)
        if sum(sights.total for sights in parts.values()) > _PARALLEL_THRESHOLD:
            from envtree.system.workers import process_count, run_in_processes  # noqa: PLC0415 -- few trees are worth it

            found: dict[str, RefreshedPart] = {}
            count = process_count(jobs)
            if count > 1 and run_in_processes(
                count, count, lambda n: look(names[n::count]), lambda _, told: found.update(told)
            ):
                return found
        return look(names)

    @property
    def is_unchanged(self) -> bool:
        """Whether all is as it was before."""
        return not self._changed_keys and self.is_listing_unchanged

    @cached_property
    def is_listing_unchanged(self) -> bool:
        """Whether there are the same files as before."""
        before = self.previous
        if not before.parts or not all(map(is_file_key, self._changed_keys)):
            return False
        if any(
            _above_root_digest(self.base.find_above_root(name)) != digest
            for name, digest in before.files_above_root.items()
        ):
            return False
        asked = {repository: paths.split("\0") for repository, paths in before.ignore_queries.items()}
        return git.find_ignored_in(self.root, asked) == before.ignored

    def reuse_previous(self) -> bool:
        """Take over what was seen before, if there are the same files: no folder has to be looked through then."""
        self._reuses_previous = self.is_listing_unchanged
        return self._reuses_previous

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """What lies directly in a folder."""
        marks = stat_key_of(self._prefix, folder)
        found = super().entries(folder)
        self._record((folder, FOLDER_LIMIT), PathFingerprint(marks, entries_digest(found)))
        return found

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """The bytes of a file."""
        marks = stat_key_of(self._prefix, path)
        found = super().read(path, limit=limit)
        self._record((path, limit), PathFingerprint(marks, content_digest(found)))
        return found

    def _record(self, key: ReadKey, fingerprint: PathFingerprint) -> None:
        known = self._pending.fingerprints.get(key) or self._log.fingerprints.get(key)
        # Where it has changed since it was read, nobody knows what was made from which.
        self._pending.fingerprints[key] = (
            fingerprint if known is None or known.digest == fingerprint.digest else CHANGED_FINGERPRINT
        )

    def file_digest(self, path: str) -> bytes:
        """What changes with what is read from a file."""
        key = (path, FILE_LIMIT)
        known = (
            self._pending.fingerprints.get(key)
            or self._log.fingerprints.get(key)
            or self._previous_part(part_name(path)).get(key)
        )
        if known is None:
            self.read(path)
            known = self._pending.fingerprints[key]
        else:
            self._log.fingerprints[key] = known
        return known.digest

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that git ignores."""
        asked = git.group_by_repository(self.root, dict.fromkeys(paths))
        found = git.find_ignored_in(self.root, asked)
        self._pending.ignore_queries.update(
            (path, repository) for repository, members in asked.items() for path in members
        )
        self._pending.ignored.update(found)
        return found

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        """The nearest file of a name above the root."""
        found = super().find_above_root(name)
        self._pending.files_above_root[name] = _above_root_digest(found)
        return found

    def drain_reads(self) -> ReadLogDelta:
        """What was read since the last time that this was asked."""
        new, self._pending = self._pending, ReadLogDelta.empty()
        self.merge_reads(new)
        return new

    def merge_reads(self, delta: ReadLogDelta) -> None:
        """Take over what was read by another process."""
        sights, asked, ignored, above = self._log
        sights.update(delta.fingerprints)
        asked.update(delta.ignore_queries)
        ignored.update(delta.ignored)
        above.update(delta.files_above_root)

    def read_log(self) -> ReadLog:
        """All that was read so far, and what was relied on."""
        self.drain_reads()
        found: dict[str, dict[ReadKey, PathFingerprint]] = {}
        for key, sight in self._log.fingerprints.items():
            found.setdefault(part_name(key[0]), {})[key] = sight
        base = self.previous if self._reuses_previous else EMPTY_LOG
        parts = base.parts | {name: self._merge_part(name, sights, base) for name, sights in found.items()}
        above = base.files_above_root | self._log.files_above_root
        if not self._log.ignore_queries:
            return ReadLog(parts, base.ignore_queries, base.ignored, above)
        asked: dict[str, list[str]] = {}
        for path, repository in self._log.ignore_queries.items():
            asked.setdefault(repository, []).append(path)
        joined = {repository: "\0".join(paths) for repository, paths in asked.items()}
        return ReadLog(parts, joined, frozenset(self._log.ignored), above)

    def _merge_part(self, name: str, fingerprints: dict[ReadKey, PathFingerprint], base: ReadLog) -> PathFingerprints:
        """A part of the tree, of which some was read again."""
        if name not in base.parts:
            return PathFingerprints.from_mapping(self._started_ns, fingerprints)
        before = self._previous_part(name)
        return (
            base.parts[name]
            if fingerprints.items() <= before.items()
            else PathFingerprints.from_mapping(self._started_ns, before | fingerprints)
        )

    def _previous_part(self, name: str) -> dict[ReadKey, PathFingerprint]:
        """What was seen before in a part of the tree."""
        if name not in self._previous_parts:
            self._previous_parts[name] = self.previous.parts[name].by_key() if name in self.previous.parts else {}
        return self._previous_parts[name]

    @property
    def _prefix(self) -> str:
        return f"{self.root}/"


def _above_root_digest(found: FileAboveRoot | None) -> str:
    return f"{found.path} {found.root_prefix} {content_digest(found.content).hex()}" if found else ""
