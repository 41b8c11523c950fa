"""What an output is made from, told so that whoever has the repository can look: the commit, and git's ids of files."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from envtree import __version__
from envtree.artifact import Receipt
from envtree.diagnostic import Diagnostics
from envtree.discover import discover
from envtree.footprint import footprints
from envtree.git import repository_root
from envtree.git.objects import UnknownRevision, commit_of
from envtree.pipeline import Run
from envtree.recorded import Recorded
from envtree.revision import RevisionTree
from envtree.tree import DirectoryTree


class Origin(NamedTuple):
    """The tree that a run reads, which remembers what was read, and where it stands if it lies in a repository."""

    tree: Recorded
    repository: Path | None
    commit: str | None
    folder: str

    def receipt(self, run: Run) -> Receipt:
        """What the selected bundles of a run over the tree are made from."""
        made = {id: footprint for id, footprint in footprints(run) if run.selects(id)}
        taken = sorted({path for footprint in made.values() for path, _ in footprint})
        files = {path: self.tree.ids[path] for path in taken if path in self.tree.ids}
        return Receipt(__version__, self.commit, self._is_clean(run), self.folder, files)

    def _is_clean(self, run: Run) -> bool | None:
        """Whether the commit holds the files that mean something, those and no others, as they were read."""
        if self.repository is None or self.commit is None:
            return None
        templates = [path for path, _ in run.template_digests()]
        read = {path: self.tree.ids.get(path, "") for path in (*run.files, *templates)}
        return read == committed(self.repository, self.folder, self.commit, templates)


def origin(tree: DirectoryTree) -> Origin:
    """Begin to record what is read of a tree."""
    repository = repository_root(tree.root)
    commit = _head(repository) if repository else None
    folder = tree.root.relative_to(repository).as_posix() if repository else ""
    return Origin(Recorded(tree, _algorithm(commit)), repository, commit, "" if folder == "." else folder)


def committed(repository: Path, folder: str, commit: str, others: Iterable[str]) -> dict[str, str]:
    """The files that mean something at a commit, and `others`, by their paths: the ids of their contents."""
    tree = Recorded(RevisionTree(repository, folder, commit, commit), _algorithm(commit))
    paths = [source.path for source in discover(tree, Diagnostics())]
    for path in others:
        tree.read(path)
    return {path: tree.ids.get(path, "") for path in (*paths, *others)}


def _head(repository: Path) -> str | None:
    """The commit that is checked out; None before the first."""
    try:
        return commit_of(repository, "HEAD")
    except UnknownRevision:
        return None


def _algorithm(commit: str | None) -> str:
    """The hash of a repository's objects: git's first one has 40 digits."""
    return "sha256" if commit and len(commit) == 64 else "sha1"
