"""What a run has read of a tree, and whether all of it is still the same."""

import hashlib
import time
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from envtree.engine.cache.path_fingerprints import (
    CHANGED,
    FOLDER,
    Key,
    Sight,
    Sights,
    home,
    is_file,
    marks_of,
    of_content,
    of_entries,
)
from envtree.sources.tree import FILE_LIMIT, Above, DirectoryTree, Entry, Refusal, TreeOver
from envtree.system import git

# More paths than these are looked at by several processes.
_MANY = 10_000

# A part of a tree as it is now, and what is not what it was.
Looked = tuple[Sights, frozenset[Key]]


class Seen(NamedTuple):
    """What was read, by the part of the tree that it belongs to.

    `asked` has the paths of which git was asked whether it ignores them, those of a repository in the tree by where
    this lies, and `ignored` those that it does; `above` has what was found above the root, by name.
    """

    parts: dict[str, Sights]
    asked: dict[str, str]
    ignored: frozenset[str]
    above: dict[str, str]

    @property
    def listing(self) -> str:
        """What changes with which files there are, and which of them mean anything."""
        parts = sorted((name, sights.listing) for name, sights in self.parts.items())
        told = repr((parts, sorted(self.ignored), sorted(self.above.items())))
        return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()


NOTHING = Seen({}, {}, frozenset(), {})


class Notes(NamedTuple):
    """What was read of a tree in some time; `asked` has the repository that a path lies in."""

    sights: dict[Key, Sight]
    asked: dict[str, str]
    ignored: set[str]
    above: dict[str, str]

    @classmethod
    def none(cls) -> "Notes":
        """Those of somebody who begins to read."""
        return cls({}, {}, set(), {})


class Witness(TreeOver):
    """A tree that notes what is read of it, and looks once at all that was seen `before`."""

    def __init__(self, base: DirectoryTree) -> None:
        super().__init__(base)
        self.root, self.before = base.root, NOTHING
        self._tree, self._at = base, time.time_ns()
        self._all, self._new = Notes.none(), Notes.none()
        self._changed, self._relies = frozenset[Key](), False
        self._parts: dict[str, dict[Key, Sight]] = {}

    def look(self, before: Seen, jobs: int | None = 1) -> None:
        """Look again at all that was seen; what is as it was need not be read to know what is in it.

        Where that is much, as many processes do it as there are `jobs`.
        """
        looked = self._looked(before.parts, jobs)
        self.before = before._replace(parts=before.parts | {name: now for name, (now, _) in looked.items()})
        self._changed = frozenset[Key]().union(*(changed for _, changed in looked.values()))

    def _looked(self, parts: dict[str, Sights], jobs: int | None) -> dict[str, Looked]:
        """The parts that are not as they were, and what has changed in them."""

        def look(names: list[str]) -> dict[str, Looked]:
            found = {name: parts[name].again(self._tree, self._at) for name in names}
            return {name: one for name, one in found.items() if one != (parts[name], frozenset())}

        names = list(parts)
        if sum(sights.total for sights in parts.values()) > _MANY:
            from envtree.system.workers import divided, processes  # noqa: PLC0415 -- few trees are worth it

            found: dict[str, Looked] = {}
            count = processes(jobs)
            if count > 1 and divided(count, count, lambda n: look(names[n::count]), lambda _, told: found.update(told)):
                return found
        return look(names)

    @property
    def is_alike(self) -> bool:
        """Whether all is as it was before."""
        return not self._changed and self.is_listed_alike

    @cached_property
    def is_listed_alike(self) -> bool:
        """Whether there are the same files as before."""
        before = self.before
        if not before.parts or not all(map(is_file, self._changed)):
            return False
        if any(_of_above(self.base.above(name)) != digest for name, digest in before.above.items()):
            return False
        asked = {repository: paths.split("\0") for repository, paths in before.asked.items()}
        return git.ignored_in(self.root, asked) == before.ignored

    def rely(self) -> bool:
        """Take over what was seen before, if there are the same files: no folder has to be looked through then."""
        self._relies = self.is_listed_alike
        return self._relies

    def entries(self, folder: str) -> tuple[Entry, ...]:
        """What lies directly in a folder."""
        marks = marks_of(self._prefix, folder)
        found = super().entries(folder)
        self._see((folder, FOLDER), Sight(marks, of_entries(found)))
        return found

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | Refusal:
        """The bytes of a file."""
        marks = marks_of(self._prefix, path)
        found = super().read(path, limit=limit)
        self._see((path, limit), Sight(marks, of_content(found)))
        return found

    def _see(self, key: Key, sight: Sight) -> None:
        known = self._new.sights.get(key) or self._all.sights.get(key)
        # Where it has changed since it was read, nobody knows what was made from which.
        self._new.sights[key] = sight if known is None or known.digest == sight.digest else CHANGED

    def digest(self, path: str) -> bytes:
        """What changes with what is read from a file."""
        key = (path, FILE_LIMIT)
        known = self._new.sights.get(key) or self._all.sights.get(key) or self._before(home(path)).get(key)
        if known is None:
            self.read(path)
            known = self._new.sights[key]
        else:
            self._all.sights[key] = known
        return known.digest

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that git ignores."""
        asked = git.by_repository(self.root, dict.fromkeys(paths))
        found = git.ignored_in(self.root, asked)
        self._new.asked.update((path, repository) for repository, members in asked.items() for path in members)
        self._new.ignored.update(found)
        return found

    def above(self, name: str) -> Above | None:
        """The nearest file of a name above the root."""
        found = super().above(name)
        self._new.above[name] = _of_above(found)
        return found

    def noted(self) -> Notes:
        """What was read since the last time that this was asked."""
        new, self._new = self._new, Notes.none()
        self.note(new)
        return new

    def note(self, noted: Notes) -> None:
        """Take over what was read by another process."""
        sights, asked, ignored, above = self._all
        sights.update(noted.sights)
        asked.update(noted.asked)
        ignored.update(noted.ignored)
        above.update(noted.above)

    def seen(self) -> Seen:
        """All that was read so far, and what was relied on."""
        self.noted()
        found: dict[str, dict[Key, Sight]] = {}
        for key, sight in self._all.sights.items():
            found.setdefault(home(key[0]), {})[key] = sight
        base = self.before if self._relies else NOTHING
        parts = base.parts | {name: self._part(name, sights, base) for name, sights in found.items()}
        above = base.above | self._all.above
        if not self._all.asked:
            return Seen(parts, base.asked, base.ignored, above)
        asked: dict[str, list[str]] = {}
        for path, repository in self._all.asked.items():
            asked.setdefault(repository, []).append(path)
        joined = {repository: "\0".join(paths) for repository, paths in asked.items()}
        return Seen(parts, joined, frozenset(self._all.ignored), above)

    def _part(self, name: str, found: dict[Key, Sight], base: Seen) -> Sights:
        """A part of the tree, of which some was read again."""
        if name not in base.parts:
            return Sights.of(self._at, found)
        before = self._before(name)
        return base.parts[name] if found.items() <= before.items() else Sights.of(self._at, before | found)

    def _before(self, name: str) -> dict[Key, Sight]:
        """What was seen before in a part of the tree."""
        if name not in self._parts:
            self._parts[name] = self.before.parts[name].by_key() if name in self.before.parts else {}
        return self._parts[name]

    @property
    def _prefix(self) -> str:
        return f"{self.root}/"


def _of_above(found: Above | None) -> str:
    return f"{found.path} {found.inside} {of_content(found.content).hex()}" if found else ""
