"""Record the sources of an output so that a repository can prove them: the commit, and git's blob ids of the files."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from envtree import __version__
from envtree.engine.bundle_files import list_bundle_files
from envtree.engine.run import Run
from envtree.frontend.discover import discover, read_sources
from envtree.model.artifact import Receipt
from envtree.model.diagnostic import Diagnostics
from envtree.model.manifest_records import project_of
from envtree.sources.git_revision import RevisionTree
from envtree.sources.shard import Shard
from envtree.sources.tree import FILE_LIMIT, DirectoryTree, FileAboveRoot, ReadProblem, Tree, TreeEntry
from envtree.system.git import repository_root
from envtree.system.git.objects import UnknownRevisionError, resolve_commit


class RecordingTree:
    """A tree that records each file read in `blob_ids`: path to the id of the git blob with its content."""

    def __init__(self, tree: Tree, algorithm: str) -> None:
        self.blob_ids: dict[str, str] = {}
        self._tree, self._algorithm = tree, algorithm

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the direct entries of a folder, sorted; the empty string is the root."""
        return self._tree.entries(folder)

    def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
        """Return the bytes of a file, and record its blob id."""
        data = self._tree.read(path, limit=limit)
        if isinstance(data, bytes):
            header = f"blob {len(data)}\0".encode()
            self.blob_ids[path] = hashlib.new(self._algorithm, header + data, usedforsecurity=False).hexdigest()
        return data

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        """Return those of the paths that git ignores."""
        return self._tree.ignored(paths)

    def find_above_root(self, name: str) -> FileAboveRoot | None:
        """Return the nearest file of a name above the root."""
        return self._tree.find_above_root(name)


class ReceiptRecorder(NamedTuple):
    """The recording tree of a run; if it is in a repository, with the commit and the folder of the tree."""

    tree: RecordingTree
    repository: Path | None
    commit: str | None
    folder: str
    shard: Shard | None

    def make_receipts(self, run: Run) -> Callable[[str], Receipt]:
        """Return a function that makes the receipt of a project's selected bundles; the empty name is for all."""
        paths_by_project: dict[str, set[str]] = {"": set()}
        for id, bundle_files in list_bundle_files(run):
            if run.is_selected(id):
                paths = {path for path, _ in bundle_files}
                paths_by_project[""] |= paths
                paths_by_project.setdefault(project_of(id), set()).update(paths)
        clean = self._is_clean(run)

        def make_receipt(project: str) -> Receipt:
            files = {
                path: self.tree.blob_ids[path]
                for path in sorted(paths_by_project[project])
                if path in self.tree.blob_ids
            }
            return Receipt(__version__, self.commit, clean, self.folder, files)

        return make_receipt

    def _is_clean(self, run: Run) -> bool | None:
        """Report whether the commit has exactly the relevant files that were read; None without a commit."""
        if self.repository is None or self.commit is None:
            return None
        templates = [path for path, _ in run.template_digests()]
        read = {path: self.tree.blob_ids.get(path, "") for path in (*run.files, *templates)}
        return read == committed_files(self.repository, self.folder, self.commit, templates, self.shard)


def record_receipt(tree: DirectoryTree, shard: Shard | None = None) -> ReceiptRecorder:
    """Start recording the files that are read of a tree, or of a shard of it."""
    repository = repository_root(tree.root)
    commit = _head(repository) if repository else None
    folder = tree.root.relative_to(repository).as_posix() if repository else ""
    return ReceiptRecorder(
        RecordingTree(tree, _algorithm(commit)), repository, commit, "" if folder == "." else folder, shard
    )


def committed_files(
    repository: Path, folder: str, commit: str, extra_paths: Iterable[str], shard: Shard | None = None
) -> dict[str, str]:
    """Return the blob ids of the relevant files at a commit, and of `extra_paths`, by path.

    With a shard, files of other shards are left out.
    """
    tree = RecordingTree(RevisionTree(repository, folder, commit, commit), _algorithm(commit))
    locations = discover(shard.restrict(tree) if shard else tree, Diagnostics())
    paths = [source.path for source in read_sources(tree, locations, Diagnostics())]
    for path in extra_paths:
        tree.read(path)
    return {path: tree.blob_ids.get(path, "") for path in (*paths, *extra_paths)}


def _head(repository: Path) -> str | None:
    """Return the commit that is checked out; None before the first."""
    try:
        return resolve_commit(repository, "HEAD")
    except UnknownRevisionError:
        return None


def _algorithm(commit: str | None) -> str:
    """Return the hash algorithm of a repository by the length of a commit id; SHA-1 has 40 digits."""
    return "sha256" if commit and len(commit) == 64 else "sha1"
