"""A tree restricted to one bundle: the files of other projects, teams and agents are hidden, and not read."""

from collections.abc import Sequence

from envtree.model.tree_layout import DEFAULT_PROJECT, IMPLICIT_PROJECT_FOLDERS
from envtree.sources.tree import Tree, TreeEntry, TreeWrapper


class SingleBundleTree(TreeWrapper):
    """The files of a tree that can affect the bundle with an id, which need not exist."""

    def __init__(self, tree: Tree, id: str) -> None:
        super().__init__(tree)
        *folders, self._agent = id.partition("@")[0].split("/")
        self._project, self._team = "".join(folders[:1]), "/".join(folders[1:])

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        """Return the relevant entries of a folder, sorted; the empty string is the root."""
        return tuple(entry for entry in self.base.entries(folder) if self._is_relevant(entry.path.split("/")))

    def _is_relevant(self, path: Sequence[str]) -> bool:
        match path:
            case ["projects", project, *inside]:
                return project == self._project and self._is_relevant_in_project(inside)
            case [folder, *_] if folder in IMPLICIT_PROJECT_FOLDERS:
                return self._project == DEFAULT_PROJECT and self._is_relevant_in_project(path)
        return True

    def _is_relevant_in_project(self, path: Sequence[str]) -> bool:
        match path:
            case ["workflows", _]:
                return False
            case ["teams", team, *inside]:
                return team == self._team and self._is_of_agent(inside)
            case ["agents", _]:
                return not self._team and self._is_of_agent(path)
        return True

    def _is_of_agent(self, path: Sequence[str]) -> bool:
        """Report whether a path, relative to the team, or to the project without one, is not that of another agent."""
        match path:
            case ["agents", name]:
                return name.partition(".")[0] == self._agent
        return True
