"""What an output is made from, told so that whoever has the repository can look: the commit, and git's ids of files."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from envtree import __version__
from envtree.engine.bundle_files import footprints
from envtree.engine.run import Run
from envtree.frontend.discover import discover, load
from envtree.model.artifact import Receipt
from envtree.model.diagnostic import Diagnostics
from envtree.model.manifest_records import project_of
from envtree.sources.git_revision import RevisionTree
from envtree.sources.recording import Recorded
from envtree.sources.shard import Shard
from envtree.sources.tree import DirectoryTree
from envtree.system.git import repository_root
from envtree.system.git.objects import UnknownRevision, commit_of


class Origin(NamedTuple):
    """The tree that a run reads, which remembers what was read, and where it stands if it lies in a repository."""

    tree: Recorded
    repository: Path | None
    commit: str | None
    folder: str
    shard: Shard | None

    def receipts(self, run: Run) -> Callable[[str], Receipt]:
        """What tells what the selected bundles of a run over the tree are made from: of a project, or of all."""
        taken: dict[str, set[str]] = {"": set()}
        for id, footprint in footprints(run):
            if run.selects(id):
                paths = {path for path, _ in footprint}
                taken[""] |= paths
                taken.setdefault(project_of(id), set()).update(paths)
        clean = self._is_clean(run)

        def receipt(project: str) -> Receipt:
            files = {path: self.tree.ids[path] for path in sorted(taken[project]) if path in self.tree.ids}
            return Receipt(__version__, self.commit, clean, self.folder, files)

        return receipt

    def _is_clean(self, run: Run) -> bool | None:
        """Whether the commit holds the files that mean something, those and no others, as they were read."""
        if self.repository is None or self.commit is None:
            return None
        templates = [path for path, _ in run.template_digests()]
        read = {path: self.tree.ids.get(path, "") for path in (*run.files, *templates)}
        return read == committed(self.repository, self.folder, self.commit, templates, self.shard)


def origin(tree: DirectoryTree, shard: Shard | None = None) -> Origin:
    """Begin to record what is read of a tree, or of a shard of it."""
    repository = repository_root(tree.root)
    commit = _head(repository) if repository else None
    folder = tree.root.relative_to(repository).as_posix() if repository else ""
    return Origin(Recorded(tree, _algorithm(commit)), repository, commit, "" if folder == "." else folder, shard)


def committed(
    repository: Path, folder: str, commit: str, others: Iterable[str], shard: Shard | None = None
) -> dict[str, str]:
    """The files that mean something at a commit, and `others`, by their paths: the ids of their contents.

    With a shard it is those that are not in another one.
    """
    tree = Recorded(RevisionTree(repository, folder, commit, commit), _algorithm(commit))
    placed = discover(shard.of(tree) if shard else tree, Diagnostics())
    paths = [source.path for source in load(tree, placed, Diagnostics())]
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
