"""The tree as it is at a commit: a `Tree` read from git's objects, without a checkout."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from envtree.model.diagnostic import Failure
from envtree.model.tree_layout import ROOT_FILE, SOURCE_FOLDERS, parse_file_name, shown
from envtree.sources.tree import (
    FILE_LIMIT,
    Above,
    Entry,
    Refusal,
    What,
    dangling,
    hidden_target,
    not_regular,
    outside,
    too_large,
)
from envtree.system.disk import MANIFEST
from envtree.system.git.objects import Blob, contents, files, find

_LINK, _SUBMODULE = "120000", "160000"
# As many links in a row, and as long a target, as Linux follows.
_HOPS = 40
_TARGET = 4095
_OUTSIDE = ".."


class RevisionTree:
    """The files below a folder of a repository at a commit; `name` is what the user calls the commit.

    What lies outside of the folder is not known, nor where a checkout would be: an absolute link leads outside.
    """

    def __init__(self, repository: Path, folder: str, commit: str, name: str) -> None:
        self.name = name
        self._repository, self._commit = repository, commit
        self._home = folder.split("/") if folder else []
        self._folder = folder
        self._fetched: dict[str, bytes] = {}

    @property
    def place(self) -> tuple[str, ...]:
        """What tells this tree from all others: the repository, the folder in it, the commit."""
        return str(self._repository), self._folder, self._commit

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
        if blob.id not in self._fetched:
            # Who reads one file of the tree without having asked for it reads all of them.
            self.fetch(filter(_is_wanted, self._files) if _is_wanted(path) else ())
        if blob.id not in self._fetched:
            self._fetched |= contents(self._repository, [blob.id])
        return self._fetched[blob.id]

    def fetch(self, paths: Iterable[str]) -> None:
        """Have some files at hand: to ask git for each would take a process for each."""
        targets = (self._resolve(path) for path in paths)
        blobs = (self._files[path] for path in targets if path in self._files)
        missing = (blob.id for blob in blobs if 0 <= blob.size <= FILE_LIMIT and blob.id not in self._fetched)
        self._fetched |= contents(self._repository, missing)

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """None: what is committed is not ignored."""
        return frozenset()

    def above(self, name: str) -> Above | None:
        """The nearest file of a name above the root, within the repository; none of a link."""
        for depth in range(len(self._home) - 1, -1, -1):
            blob = find(self._repository, self._commit, "/".join((*self._home[:depth], name)))
            if blob:
                path = "../" * (len(self._home) - depth) + name
                return Above(path, "/".join((*self._home[depth:], "")), self._content(path, blob))
        return None

    def _content(self, path: str, blob: Blob) -> bytes | Refusal:
        if blob.mode == _LINK:
            return outside(path)
        return too_large(path, FILE_LIMIT) if blob.size > FILE_LIMIT else contents(self._repository, [blob.id])[blob.id]

    @cached_property
    def _links(self) -> dict[str, str]:
        """The targets of the links."""
        ids = {path: blob.id for path, blob in self._files.items() if blob.mode == _LINK and blob.size <= _TARGET}
        at_hand = {id for path, id in ids.items() if self._files[path].size >= 0}
        targets = contents(self._repository, at_hand)
        return {path: targets[id].decode("utf-8", "surrogateescape") for path, id in ids.items() if id in targets}

    @cached_property
    def _files(self) -> dict[str, Blob]:
        return files(self._repository, self._commit, self._folder)

    @cached_property
    def _folders(self) -> dict[str, set[str]]:
        return _folders(self._files)

    def _what(self, path: str) -> What:
        blob = self._files.get(path)
        if blob is None:
            return What.FOLDER
        if blob.mode == _SUBMODULE:
            if path.partition("/")[0] in SOURCE_FOLDERS:
                raise self._unreadable(path)
            return What.FOLDER
        if blob.mode != _LINK:
            return What.FILE
        target = self._resolve(path)
        # Of what is outside, the name tells what it was meant to be.
        is_folder = parse_file_name(path.rpartition("/")[2]) is None if target == _OUTSIDE else target in self._folders
        return What.FOLDER_LINK if is_folder else What.LINK

    def _follow(self, path: str) -> str | Refusal:
        """The path of the regular file that a path leads to."""
        target = self._resolve(path)
        if target is None:
            return dangling(path)
        if target in ("", _OUTSIDE):
            return outside(path)
        # The path itself may lie in a hidden folder only if somebody asked for it by that name.
        if target != path and "/." in f"/{target}":
            return hidden_target(path)
        submodule = next((part for part in _prefixes(target) if self._is(part, _SUBMODULE)), None)
        if submodule:
            raise self._unreadable(submodule)
        if target in self._folders:
            return not_regular(path)
        return target if target in self._files and not self._is(target, _LINK) else dangling(path)

    def _resolve(self, path: str) -> str | None:
        """Where a path leads when all links are followed, None for a circle; what is on the way need not be there."""
        if not self._links and _is_plain(path):
            return path
        home = len(self._home)
        done, ahead, hops = [*self._home], path.split("/")[::-1], 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                if not done:
                    return _OUTSIDE
                done.pop()
            elif part not in ("", "."):
                done.append(part)
            target = self._links.get("/".join(done[home:])) if done[:home] == self._home else None
            if target is not None:
                hops += 1
                if hops > _HOPS:
                    return None
                if target.startswith("/"):
                    return _OUTSIDE
                done.pop()
                ahead += target.split("/")[::-1]
        return "/".join(done[home:]) if done[:home] == self._home else _OUTSIDE

    def _is(self, path: str, mode: str) -> bool:
        return path in self._files and self._files[path].mode == mode

    def _unreadable(self, submodule: str) -> Failure:
        message = f"'{shown(submodule)}' is a submodule at '{self.name}', and its files are in another repository"
        return Failure("ET805", message, "compare two folders instead")


def _folders(tree: dict[str, Blob]) -> dict[str, set[str]]:
    """What lies directly in each folder; that of a submodule is empty here."""
    found: dict[str, set[str]] = {path: set() for path, blob in tree.items() if blob.mode == _SUBMODULE}
    found[""] = set()
    for path in tree:
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


def _is_plain(path: str) -> bool:
    """Whether a path leads nowhere else without links."""
    return bool(path) and "/." not in f"/{path}" and "//" not in path and path[0] != "/" and path[-1] != "/"


def _is_wanted(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    known = path.partition("/")[0] in SOURCE_FOLDERS if folder else True
    return known and (parse_file_name(name) is not None or name == MANIFEST)
