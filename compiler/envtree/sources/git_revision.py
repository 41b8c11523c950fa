"""The tree as it is at a commit: a `Tree` read from git's objects, without a checkout."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from envtree.model.diagnostic import MachineError
from envtree.model.tree_layout import ROOT_FILE, SOURCE_FOLDERS, escape_unprintable, parse_file_name
from envtree.sources.tree import (
    FILE_LIMIT,
    EntryType,
    FileAboveRoot,
    ReadProblem,
    TreeEntry,
    dangling_link_problem,
    hidden_target_problem,
    not_regular_problem,
    outside_link_problem,
    too_large_problem,
)
from envtree.system.disk import MANIFEST_FILE
from envtree.system.git.objects import Blob, find_blob, list_files, read_blobs

_LINK, _SUBMODULE = "120000", "160000"
# As many links in a row, and as long a target, as Linux follows.
_MAX_LINKS = 40
_MAX_TARGET_LENGTH = 4095
_OUTSIDE = ".."


class RevisionTree:
    """The files below a folder of a repository at a commit; `name` is what the user calls the commit.

    What lies outside of the folder is not known, nor where a checkout would be: an absolute link leads outside.
    """

    def __init__(self, repository: Path, folder: str, commit: str, name: str) -> None:
        self.name = name
        self._repository, self._commit = repository, commit
        self._folder_parts = folder.split("/") if folder else []
        self._folder = folder
        self._fetched: dict[str, bytes] = {}

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells this tree from all others: the repository, the folder in it, the commit."""
        return str(self._repository), self._folder, self._commit

    @property
    def is_empty(self) -> bool:
        """Whether there is no organization at this commit."""
        return ROOT_FILE not in self._files

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """What lies directly in a folder, sorted; the empty string is the root."""
        paths = self._folders.get(folder, ())
        return tuple(TreeEntry(path, self._entry_type(path)) for path in sorted(paths))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """The bytes of a regular file inside the folder, a link to one included."""
        target = self._resolve_file(path)
        if isinstance(target, ReadProblem):
            return target
        blob = self._files[target]
        if blob.size > limit:
            return too_large_problem(path, limit)
        if blob.id not in self._fetched:
            # Who reads one file of the tree without having asked for it reads all of them.
            self.prefetch(filter(_is_source_file, self._files) if _is_source_file(path) else ())
        if blob.id not in self._fetched:
            self._fetched |= read_blobs(self._repository, [blob.id])
        return self._fetched[blob.id]

    def prefetch(self, paths: Iterable[str]) -> None:
        """Have some files at hand: to ask git for each would take a process for each."""
        targets = (self._resolve(path) for path in paths)
        blobs = (self._files[path] for path in targets if path in self._files)
        missing = (blob.id for blob in blobs if 0 <= blob.size <= FILE_LIMIT and blob.id not in self._fetched)
        self._fetched |= read_blobs(self._repository, missing)

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """None: what is committed is not ignored."""
        return frozenset()

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        """The nearest file of a name above the root, within the repository; none of a link."""
        for depth in range(len(self._folder_parts) - 1, -1, -1):
            blob = find_blob(self._repository, self._commit, "/".join((*self._folder_parts[:depth], name)))
            if blob:
                path = "../" * (len(self._folder_parts) - depth) + name
                return FileAboveRoot(path, "/".join((*self._folder_parts[depth:], "")), self._read_blob(path, blob))
        return None

    def _read_blob(self, path: str, blob: Blob) -> bytes | ReadProblem:
        if blob.mode == _LINK:
            return outside_link_problem(path)
        return (
            too_large_problem(path, FILE_LIMIT)
            if blob.size > FILE_LIMIT
            else read_blobs(self._repository, [blob.id])[blob.id]
        )

    @cached_property
    def _links(self) -> dict[str, str]:
        """The targets of the links."""
        ids = {
            path: blob.id
            for path, blob in self._files.items()
            if blob.mode == _LINK and blob.size <= _MAX_TARGET_LENGTH
        }
        at_hand = {id for path, id in ids.items() if self._files[path].size >= 0}
        targets = read_blobs(self._repository, at_hand)
        return {path: targets[id].decode("utf-8", "surrogateescape") for path, id in ids.items() if id in targets}

    @cached_property
    def _files(self) -> dict[str, Blob]:
        return list_files(self._repository, self._commit, self._folder)

    @cached_property
    def _folders(self) -> dict[str, set[str]]:
        return _group_by_folder(self._files)

    def _entry_type(self, path: str) -> EntryType:
        blob = self._files.get(path)
        if blob is None:
            return EntryType.FOLDER
        if blob.mode == _SUBMODULE:
            if path.partition("/")[0] in SOURCE_FOLDERS:
                raise self._submodule_error(path)
            return EntryType.FOLDER
        if blob.mode != _LINK:
            return EntryType.FILE
        target = self._resolve(path)
        # Of what is outside, the name tells what it was meant to be.
        is_folder = parse_file_name(path.rpartition("/")[2]) is None if target == _OUTSIDE else target in self._folders
        return EntryType.FOLDER_LINK if is_folder else EntryType.LINK

    def _resolve_file(self, path: str) -> str | ReadProblem:
        """The path of the regular file that a path leads to."""
        target = self._resolve(path)
        if target is None:
            return dangling_link_problem(path)
        if target in ("", _OUTSIDE):
            return outside_link_problem(path)
        # The path itself may lie in a hidden folder only if somebody asked for it by that name.
        if target != path and "/." in f"/{target}":
            return hidden_target_problem(path)
        submodule = next((part for part in _path_prefixes(target) if self._has_mode(part, _SUBMODULE)), None)
        if submodule:
            raise self._submodule_error(submodule)
        if target in self._folders:
            return not_regular_problem(path)
        return target if target in self._files and not self._has_mode(target, _LINK) else dangling_link_problem(path)

    def _resolve(self, path: str) -> str | None:
        """Where a path leads when all links are followed, None for a circle; what is on the way need not be there."""
        if not self._links and _is_normalized(path):
            return path
        home = len(self._folder_parts)
        done, ahead, hops = [*self._folder_parts], path.split("/")[::-1], 0
        while ahead:
            part = ahead.pop()
            if part == "..":
                if not done:
                    return _OUTSIDE
                done.pop()
            elif part not in ("", "."):
                done.append(part)
            target = self._links.get("/".join(done[home:])) if done[:home] == self._folder_parts else None
            if target is not None:
                hops += 1
                if hops > _MAX_LINKS:
                    return None
                if target.startswith("/"):
                    return _OUTSIDE
                done.pop()
                ahead += target.split("/")[::-1]
        return "/".join(done[home:]) if done[:home] == self._folder_parts else _OUTSIDE

    def _has_mode(self, path: str, mode: str) -> bool:
        return path in self._files and self._files[path].mode == mode

    def _submodule_error(self, submodule: str) -> MachineError:
        path = escape_unprintable(submodule)
        message = f"'{path}' is a submodule at '{self.name}', and its files are in another repository"
        return MachineError("ET805", message, "compare two folders instead")


def _group_by_folder(tree: dict[str, Blob]) -> dict[str, set[str]]:
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


def _path_prefixes(path: str) -> Iterator[str]:
    """The folders on the way to a path, the outermost first, and itself."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)
    yield path


def _is_normalized(path: str) -> bool:
    """Whether a path leads nowhere else without links."""
    return bool(path) and "/." not in f"/{path}" and "//" not in path and path[0] != "/" and path[-1] != "/"


def _is_source_file(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    known = path.partition("/")[0] in SOURCE_FOLDERS if folder else True
    return known and (parse_file_name(name) is not None or name == MANIFEST_FILE)
