"""A `Tree` at a commit, read from git's objects without a checkout."""

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
# The limits of Linux for links followed in a row and for the length of a target.
_MAX_LINKS = 40
_MAX_TARGET_LENGTH = 4095
_OUTSIDE = ".."


class RevisionTree:
    """The files below a folder of a repository at a commit; `name` is the user's name for the commit.

    Files outside of the folder are unknown, and so is the path of a checkout: an absolute link leads outside.
    """

    def __init__(self, repository: Path, folder: str, commit: str, name: str) -> None:
        self.name = name
        self._repository, self._commit = repository, commit
        self._folder_parts = folder.split("/") if folder else []
        self._folder = folder
        self._fetched: dict[str, bytes] = {}

    @property
    def identity(self) -> tuple[str, ...]:
        """The identity of this tree: the repository, the folder in it, and the commit."""
        return str(self._repository), self._folder, self._commit

    @property
    def is_empty(self) -> bool:
        """Whether the commit has no organization."""
        return ROOT_FILE not in self._files

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the entries of a folder, sorted; the empty string is the root."""
        paths = self._folders.get(folder, ())
        return tuple(TreeEntry(path, self._entry_type(path)) for path in sorted(paths))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """Return the bytes of a regular file in the folder, or of a link to one."""
        target = self._resolve_file(path)
        if isinstance(target, ReadProblem):
            return target
        blob = self._files[target]
        if blob.size > limit:
            return too_large_problem(path, limit)
        if blob.id not in self._fetched:
            # A caller that reads one source file without prefetching it will read all of them.
            self.prefetch(filter(_is_source_file, self._files) if _is_source_file(path) else ())
        if blob.id not in self._fetched:
            self._fetched |= read_blobs(self._repository, [blob.id])
        return self._fetched[blob.id]

    def prefetch(self, paths: Iterable[str]) -> None:
        """Fetch several files with one git process, instead of one process for each."""
        targets = (self._resolve(path) for path in paths)
        blobs = (self._files[path] for path in targets if path in self._files)
        missing = (blob.id for blob in blobs if 0 <= blob.size <= FILE_LIMIT and blob.id not in self._fetched)
        self._fetched |= read_blobs(self._repository, missing)

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Return an empty set: committed files are not ignored."""
        return frozenset()

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        """Return the nearest file of a name above the root, within the repository; links are not followed."""
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
        """The targets of the links by path."""
        ids = {
            path: blob.id
            for path, blob in self._files.items()
            if blob.mode == _LINK and blob.size <= _MAX_TARGET_LENGTH
        }
        available = {id for path, id in ids.items() if self._files[path].size >= 0}
        targets = read_blobs(self._repository, available)
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
        # The type of a target outside is unknown; judge by the name.
        is_folder = parse_file_name(path.rpartition("/")[2]) is None if target == _OUTSIDE else target in self._folders
        return EntryType.FOLDER_LINK if is_folder else EntryType.LINK

    def _resolve_file(self, path: str) -> str | ReadProblem:
        """Return the path of the regular file that a path leads to."""
        target = self._resolve(path)
        if target is None:
            return dangling_link_problem(path)
        if target in ("", _OUTSIDE):
            return outside_link_problem(path)
        # A hidden file is readable by its own path, but not through a link.
        if target != path and "/." in f"/{target}":
            return hidden_target_problem(path)
        submodule = next((prefix for prefix in _path_prefixes(target) if self._has_mode(prefix, _SUBMODULE)), None)
        if submodule:
            raise self._submodule_error(submodule)
        if target in self._folders:
            return not_regular_problem(path)
        return target if target in self._files and not self._has_mode(target, _LINK) else dangling_link_problem(path)

    def _resolve(self, path: str) -> str | None:
        """Follow all links of a path, which need not exist; return None for a cycle, `..` if the path leads outside."""
        if not self._links and _is_normalized(path):
            return path
        depth = len(self._folder_parts)
        # `resolved` is relative to the repository; `pending` are the segments that remain, the next one last.
        resolved, pending, hops = [*self._folder_parts], path.split("/")[::-1], 0
        while pending:
            segment = pending.pop()
            if segment == "..":
                if not resolved:
                    return _OUTSIDE
                resolved.pop()
            elif segment not in ("", "."):
                resolved.append(segment)
            target = self._links.get("/".join(resolved[depth:])) if resolved[:depth] == self._folder_parts else None
            if target is not None:
                hops += 1
                if hops > _MAX_LINKS:
                    return None
                if target.startswith("/"):
                    return _OUTSIDE
                resolved.pop()
                pending += target.split("/")[::-1]
        return "/".join(resolved[depth:]) if resolved[:depth] == self._folder_parts else _OUTSIDE

    def _has_mode(self, path: str, mode: str) -> bool:
        return path in self._files and self._files[path].mode == mode

    def _submodule_error(self, submodule: str) -> MachineError:
        path = escape_unprintable(submodule)
        message = f"'{path}' is a submodule at '{self.name}', and its files are in another repository"
        return MachineError("ET805", message, "compare two folders instead")


def _group_by_folder(files: dict[str, Blob]) -> dict[str, set[str]]:
    """Return the paths of the entries of each folder; a submodule has none."""
    folders: dict[str, set[str]] = {path: set() for path, blob in files.items() if blob.mode == _SUBMODULE}
    folders[""] = set()
    for path in files:
        entry = path
        while entry:
            folder = entry.rpartition("/")[0]
            entries = folders.setdefault(folder, set())
            if entry in entries:
                break
            entries.add(entry)
            entry = folder
    return folders


def _path_prefixes(path: str) -> Iterator[str]:
    """Yield the folders above a path, the outermost first, and the path itself."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)
    yield path


def _is_normalized(path: str) -> bool:
    """Report whether a path without links resolves to itself."""
    return bool(path) and "/." not in f"/{path}" and "//" not in path and path[0] != "/" and path[-1] != "/"


def _is_source_file(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    is_in_sources = path.partition("/")[0] in SOURCE_FOLDERS if folder else True
    return is_in_sources and (parse_file_name(name) is not None or name == MANIFEST_FILE)
