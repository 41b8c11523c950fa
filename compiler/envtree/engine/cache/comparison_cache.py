"""What is known of two trees from when they were compared before: where files stand, and what was found in projects."""

import os
from collections.abc import Mapping
from typing import Protocol

from envtree.engine import cache
from envtree.engine.cache.object_store import load, save
from envtree.engine.cache.replay import name
from envtree.engine.project_result import Placed, Unit
from envtree.engine.run import Request
from envtree.frontend.read_files import Memory
from envtree.sources.git_revision import RevisionTree
from envtree.sources.tree import DirectoryTree, Tree, digest_of


class _Kept(Protocol):
    def save(self) -> None:
        """Keep what is known now."""


class Pool:
    """What was found in projects of either tree, by digest; of what was not asked for this time nothing is kept."""

    def __init__(self, folder: cache.Folder, *what: object) -> None:
        self._folder, self._name = folder, name(folder, "projects", *what)
        self._before: dict[str, Unit] = load(folder, self._name) or {}
        self._now: dict[str, Unit] = {}
        self._sides: list[_Kept] = []

    def reminded(self, request: Request) -> Request:
        """The same request, over a tree of which is known what was known the last time."""
        tree = request.tree
        if isinstance(tree, RevisionTree):
            commit = _Commit(self, self._folder, tree)
            self._sides.append(commit)
            return request._replace(known=commit)
        if isinstance(tree, DirectoryTree):
            folder = _Directory(self, self._folder, tree, request.jobs)
            self._sides.append(folder)
            return request._replace(known=folder, tree=folder.tree)
        return request

    def recall(self, digests: Mapping[str, str]) -> dict[str, Unit]:
        """What was found in the projects that have these digests."""
        return {project: self._before[digest] for project, digest in digests.items() if digest in self._before}

    def keep(self, units: Mapping[str, Unit], digests: Mapping[str, str]) -> None:
        """Remember what was found in projects, which have these digests."""
        self._now |= {digests[project]: unit for project, unit in units.items()}

    def save(self) -> None:
        """Keep all of it, if there is anything to keep."""
        if self._now and self._now != self._before:
            save(self._folder, self._name, self._now)
        for side in self._sides if self._now else ():
            side.save()
        self._folder.make_room()


class _Side:
    """A tree of a comparison."""

    manifest, again = None, True

    def __init__(self, pool: Pool) -> None:
        self.recall, self.keep = pool.recall, pool.keep
        self._placed: Placed | None = None

    def keep_placed(self, placed: Placed) -> None:
        """Remember what discovery has found."""
        self._placed = placed

    def documents(self, project: str) -> Memory:
        """Nothing: few projects have to be read."""
        return {}

    def keep_documents(self, documents: Memory) -> None:
        """Remember nothing."""


class _Directory(_Side):
    """A folder, and how it was seen the last time."""

    def __init__(self, pool: Pool, folder: cache.Folder, tree: DirectoryTree, jobs: int) -> None:
        super().__init__(pool)
        self._folder, self._name = folder, name(folder, "folder", str(tree.root))
        self._before: tuple[cache.Seen, Placed] | None = load(folder, self._name)
        self.tree = cache.Witness(tree)
        if self._before:
            self.tree.look(self._before[0], jobs)

    def placed(self) -> Placed | None:
        """What discovery would find, if there are the same files as then."""
        return self._before[1] if self._before and self.tree.rely() else None

    def digest(self, path: str) -> str:
        """What changes with the content of a file."""
        return self.tree.digest(path).hex()

    def save(self) -> None:
        """Keep what was seen."""
        seen = self.tree.seen()
        if self._placed and not (self._before and seen == self._before[0]):
            save(self._folder, self._name, (seen, self._placed))


class _Commit(_Side):
    """A commit, of which nothing changes."""

    def __init__(self, pool: Pool, folder: cache.Folder, tree: RevisionTree) -> None:
        super().__init__(pool)
        self._folder, self._name, self._tree = folder, name(folder, "commit", *tree.place), tree
        self._before: tuple[Placed, dict[str, str]] | None = load(folder, self._name)
        self._digests: dict[str, str] = self._before[1] if self._before else {}

    def placed(self) -> Placed | None:
        """What discovery has found."""
        if self._before is None:
            return None
        placed = self._before[0]
        self._tree.fetch(placed.files[""])
        return placed

    def digest(self, path: str) -> str:
        """What changes with the content of a file."""
        if path not in self._digests:
            self._digests[path] = digest_of(self._tree.read(path))
        return self._digests[path]

    def save(self) -> None:
        """Keep where its files stand, and their digests."""
        if self._placed and self._before is None:
            save(self._folder, self._name, (self._placed, self._digests))


def pool(tree: Tree, selectors: tuple[str, ...]) -> Pool | None:
    """What is known of the projects of a tree that is compared with others; None where nothing can be remembered."""
    folder = cache.find(os.environ)
    root = tree.root if isinstance(tree, DirectoryTree) else tree.place if isinstance(tree, RevisionTree) else None
    return Pool(folder, str(root), selectors) if folder and root else None
