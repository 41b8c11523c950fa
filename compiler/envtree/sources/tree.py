"""Trees of source files: the `Tree` protocol, and the tree in a folder with the search for its root."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

from envtree.model.diagnostic import MachineError, os_error_reason
from envtree.model.tree_layout import ROOT_FILE, escape_unprintable
from envtree.system import git

FILE_LIMIT = 1 << 20
_CHUNK = 1 << 16
# Do not block on a FIFO, do not follow a link, do not pass the descriptor to child processes.
_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class EntryType(Enum):
    """The type of a directory entry; links to folders are distinguished because they are never followed."""

    FILE = auto()
    FOLDER = auto()
    LINK = auto()
    FOLDER_LINK = auto()
    SPECIAL = auto()


class TreeEntry(NamedTuple):
    """One entry of a folder; `path` is relative to the root and uses `/`."""

    path: str
    type: EntryType

    @property
    def name(self) -> str:
        """The last segment of the path."""
        return self.path.rpartition("/")[2]


class ReadProblem(NamedTuple):
    """The reason why a file was not read, as the content of a diagnostic."""

    code: str
    message: str
    hint: str


class FileAboveRoot(NamedTuple):
    """A file in a folder above the root; `path` begins with `../`.

    `root_prefix` is the path from the folder to the root of the tree, with a trailing `/`.
    """

    path: str
    root_prefix: str
    content: bytes | ReadProblem


class Tree(Protocol):
    """The files of an organization."""

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the entries of a folder, sorted; the empty string is the root."""

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """Return the bytes of a regular file of at most `limit` bytes."""

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Return those of the paths that git ignores."""

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        """Return the nearest file of a name above the root, within the repository."""


@runtime_checkable
class ReadTrackingTree(Protocol):
    """A tree that records which of its files and folders are read."""

    def drain_reads(self) -> Any:
        """Return the reads since the last call, and forget them."""

    def merge_reads(self, reads: Any) -> None:
        """Add the reads of another process."""


@runtime_checkable
class PrefetchingTree(Protocol):
    """A tree that can read many files at once faster than one by one."""

    def prefetch(self, paths: Iterable[str]) -> None:
        """Load some files into memory."""


@dataclass(frozen=True)
class TreeWrapper:
    """A tree that delegates to `base`, for subclasses that override parts of it."""

    base: Tree

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the entries of a folder, sorted; the empty string is the root."""
        return self.base.entries(folder)

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """Return the bytes of a regular file of at most `limit` bytes."""
        return self.base.read(path, limit=limit)

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Return those of the paths that git ignores."""
        return self.base.ignored(paths)

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        """Return the nearest file of a name above the root, within the repository."""
        return self.base.find_above_root(name)


def digest_read_result(result: bytes | ReadProblem) -> str:
    """Return the SHA-256, in hex, of the content of a file, or of the reason why it was not read."""
    return hashlib.sha256(result if isinstance(result, bytes) else repr(tuple(result)).encode()).hexdigest()


class RootNotFoundError(Exception):
    """No folder upwards contains an organization.yaml, which is a usage error; `searched` are the folders searched."""

    def __init__(self, searched: tuple[Path, ...]) -> None:
        where = f"'{searched[0]}'" if len(searched) == 1 else f"'{searched[0]}' or above it up to '{searched[-1]}'"
        self.message = f"no '{ROOT_FILE}' in {where}"
        self.hint = "change into the tree, name it with -C, or start one with 'envtree init'"
        self.searched = searched
        super().__init__(self.message)


class DirectoryTree:
    """A tree in a folder of the file system."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.realpath(root))
        self._prefix = str(self.root).rstrip("/") + "/"

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the entries of a folder, sorted, so that the order of the file system does not matter."""
        prefix = f"{folder}/" if folder else ""
        try:
            with os.scandir(self._prefix + folder) as scan:
                entries = [TreeEntry(prefix + entry.name, _entry_type(entry)) for entry in scan]
        except OSError as error:
            raise _read_error(folder or ".", error) from None
        return tuple(sorted(entries, key=lambda entry: entry.path))

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """Return the bytes of a regular file in the tree, or of a link to one."""
        try:
            return _read_file(self._prefix + path, path, limit)
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise _read_error(path, error) from None
        return self._read_link(path, limit)

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Return those of the paths that git ignores."""
        return git.find_ignored(self.root, paths)

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        """Return the nearest file of a name above the root, within the repository; links are not followed."""
        repository = git.repository_root(self.root)
        folder, root_prefix, path = self.root, "", name
        while repository and folder != repository:
            folder, root_prefix, path = folder.parent, f"{folder.name}/{root_prefix}", f"../{path}"
            if os.path.lexists(folder / name):
                return FileAboveRoot(path, root_prefix, _read_file_above(folder / name, path))
        return None

    def _read_link(self, path: str, limit: int) -> bytes | ReadProblem:
        target = os.path.realpath(self._prefix + path)
        if not target.startswith(self._prefix):
            return outside_link_problem(path)
        # `.git/config` and `.env` contain credentials, which an excerpt would print.
        if "/." in target[len(self._prefix) - 1 :]:
            return hidden_target_problem(path)
        try:
            return _read_file(target, path, limit)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENOTDIR):
                return dangling_link_problem(path)
            raise _read_error(path, error) from None


def find_root(start: Path) -> Path:
    """Return the nearest folder upwards with an organization.yaml, not above the repository or a ceiling directory."""
    ceilings = _ceilings()
    searched: list[Path] = []
    folder = Path(os.path.realpath(start))
    for candidate in (folder, *folder.parents):
        searched.append(candidate)
        if os.path.lexists(candidate / ROOT_FILE):
            _check_owner(candidate)
            return candidate
        if candidate in ceilings or os.path.lexists(candidate / ".git"):
            break
    raise RootNotFoundError(tuple(searched))


def _ceilings() -> frozenset[Path]:
    listed = os.environ.get("ENVTREE_CEILING_DIRECTORIES", "").split(os.pathsep)
    return frozenset(Path(os.path.realpath(folder)) for folder in listed if os.path.isabs(folder))


def _check_owner(root: Path) -> None:
    """Refuse a tree that another user has placed above the working directory, as git does."""
    user = os.geteuid()
    for path in (root, root / ROOT_FILE):
        if user != 0 and path.lstat().st_uid not in (0, user):
            raise MachineError("ET805", f"'{path}' belongs to another user", "work in a checkout of your own")


def _entry_type(entry: os.DirEntry[str]) -> EntryType:
    if entry.is_file(follow_symlinks=False):
        return EntryType.FILE
    if entry.is_dir(follow_symlinks=False):
        return EntryType.FOLDER
    if not entry.is_symlink():
        return EntryType.SPECIAL
    try:
        return EntryType.FOLDER_LINK if entry.is_dir() else EntryType.LINK
    except OSError:
        # A cycle, or a path through a file; reading it reports the problem.
        return EntryType.LINK


def _read_file(file: str, path: str, limit: int) -> bytes | ReadProblem:
    try:
        descriptor = os.open(file, _OPEN_FLAGS)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return not_regular_problem(path)
        raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return not_regular_problem(path)
        data = b"" if status.st_size > limit else _read_up_to(descriptor, limit)
    finally:
        os.close(descriptor)
    if max(status.st_size, len(data)) > limit:
        return too_large_problem(path, limit)
    return data


def _read_file_above(file: Path, path: str) -> bytes | ReadProblem:
    try:
        return _read_file(str(file), path, FILE_LIMIT)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return outside_link_problem(path)
        raise _read_error(path, error) from None


def _read_up_to(descriptor: int, limit: int) -> bytes:
    """Read up to one byte more than the limit: a file may grow while it is read, or report no size."""
    data = os.read(descriptor, _CHUNK)
    if not data:
        return data
    parts, size = [data], len(data)
    while size <= limit and (data := os.read(descriptor, min(_CHUNK, limit + 1 - size))):
        parts.append(data)
        size += len(data)
    return b"".join(parts)


def not_regular_problem(path: str) -> ReadProblem:
    """Return the problem of a folder, FIFO, socket or device where a file is expected."""
    return _read_problem("ET120", path, "is not a regular file", "replace it with a file, or give it another name")


def outside_link_problem(path: str) -> ReadProblem:
    """Return the problem of a link that leads out of the tree."""
    return _read_problem("ET121", path, "is a link that leads out of the tree", "link to a file inside it")


def hidden_target_problem(path: str) -> ReadProblem:
    """Return the problem of a link to a hidden file."""
    return _read_problem("ET121", path, "is a link to a hidden file", "link to a file without a leading dot")


def dangling_link_problem(path: str) -> ReadProblem:
    """Return the problem of a link whose target does not exist."""
    return _read_problem("ET120", path, "is a link that leads to nothing", "correct or remove the link")


def too_large_problem(path: str, limit: int) -> ReadProblem:
    """Return the problem of a file of more than `limit` bytes."""
    return _read_problem("ET109", path, f"is larger than {limit >> 10} KiB", "split it")


def _read_problem(code: str, path: str, reason: str, hint: str) -> ReadProblem:
    return ReadProblem(code, f"'{escape_unprintable(path)}' {reason}", hint)


def _read_error(path: str, error: OSError) -> MachineError:
    hint = "check its permissions" if isinstance(error, PermissionError) else ""
    return MachineError("ET805", f"cannot read '{escape_unprintable(path)}': {os_error_reason(error)}", hint)
