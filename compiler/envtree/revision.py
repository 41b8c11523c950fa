"""The tree as it is at a commit: a `Tree` read from git's objects, without a checkout."""

import posixpath
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from envtree.diagnostic import Failure
from envtree.git.objects import Blob, contents, files
from envtree.layout import ROOT_FILE, SOURCE_FOLDERS, parse_file_name, shown
from envtree.tree import FILE_LIMIT, Entry, Refusal, What, dangling, hidden_target, not_regular, outside, too_large

_LINK, _SUBMODULE = "120000", "160000"
# As many links in a row as Linux follows.
_HOPS = 40


class RevisionTree:
    """The files below a folder of a repository at a commit; `name` is what the user calls the commit."""

    def __init__(self, repository: Path, folder: str, commit: str, name: str) -> None:
        self.name = name
        self._repository = repository
        self._files = files(repository, commit, folder)
        self._folders = _folders(self._files)

    @property
    def empty(self) -> bool:
        """Whether there is no organization at this commit."""
        return ROOT_FILE not in self._files

    def entries(self, folder: str) -> tuple[Entry, ...]:
        """What lies directly in a folder, sorted; the empty string is the root."""
        paths = self._folders.get(folder, ())
        return tuple(Entry(path, self._what(path)) for path in sorted(paths))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | Refusal:
        """The bytes of a regular file inside the folder, a link to one included."""
        target = self._follow(path)
        if isinstance(target, Refusal):
            return target
        blob = self._files[target]
        if blob.size > limit:
            return too_large(path, limit)
        if blob.id not in self._read_ahead:
            self._read_ahead.update(contents(self._repository, [blob.id]))
        return self._read_ahead[blob.id]

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """None: what is committed is not ignored."""
        return frozenset()

    @cached_property
    def _read_ahead(self) -> dict[str, bytes]:
        """What will be read, and the targets of links: to ask git for each file would take a process for each."""
        return contents(self._repository, [blob.id for path, blob in self._files.items() if _is_wanted(path, blob)])

    def _what(self, path: str) -> What:
        blob = self._files.get(path)
        if blob is None:
            return What.FOLDER
        if blob.mode == _SUBMODULE:
            if path.partition("/")[0] not in SOURCE_FOLDERS:
                return What.FOLDER
            hint = "compare two folders instead"
            message = f"'{shown(path)}' is a submodule at '{self.name}', and its files are in another repository"
            raise Failure("ET805", message, hint)
        if blob.mode != _LINK:
            return What.FILE
        return What.FOLDER_LINK if self._resolve(path) in self._folders else What.LINK

    def _follow(self, path: str) -> str | Refusal:
        """The path of the regular file that a path leads to."""
        target = self._resolve(path)
        if target is None or target.startswith("../"):
            return outside(path) if target else dangling(path)
        # The path itself may lie in a hidden folder only if somebody asked for it by that name.
        if target != path and "/." in f"/{target}":
            return hidden_target(path)
        if target in self._folders:
            return not_regular(path)
        return target if target in self._files else dangling(path)

    def _resolve(self, path: str) -> str | None:
        """Where a path leads when all links are followed; `../` stands for outside, None for a circle."""
        for _ in range(_HOPS):
            link = next((part for part in _prefixes(path) if self._is_link(part)), None)
            if link is None:
                return path
            target = self._read_ahead[self._files[link].id].decode("utf-8", "surrogateescape")
            path = posixpath.normpath(posixpath.join(posixpath.dirname(link), target) + path[len(link) :])
            if path.startswith(("/", "../")) or path == "..":
                return "../"
        return None

    def _is_link(self, path: str) -> bool:
        return path in self._files and self._files[path].mode == _LINK


def _folders(paths: Iterable[str]) -> dict[str, set[str]]:
    """What lies directly in each folder."""
    found: dict[str, set[str]] = {"": set()}
    for path in paths:
        below = path
        while below:
            folder = below.rpartition("/")[0]
            inside = found.setdefault(folder, set())
            if below in inside:
                break
            inside.add(below)
            below = folder
    return found


def _prefixes(path: str) -> Iterator[str]:
    """The folders on the way to a path, the outermost first, and itself."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)
    yield path


def _is_wanted(path: str, blob: Blob) -> bool:
    folder, _, name = path.rpartition("/")
    known = path.partition("/")[0] in SOURCE_FOLDERS if folder else True
    return blob.mode == _LINK or (known and 0 <= blob.size <= FILE_LIMIT and parse_file_name(name) is not None)
