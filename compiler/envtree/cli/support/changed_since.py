"""`--changed-since`: what a command is to look at when only a difference matters."""

from envtree.cli.support.compared_trees import open_named_tree
from envtree.engine.affected import find_affected
from envtree.engine.by_project import ProjectRunner
from envtree.engine.request import Request
from envtree.engine.run import Run
from envtree.sources.tree import DirectoryTree


def limit_to_affected(request: Request, revision: str) -> Request:
    """The same request, for the bundles that a difference from a revision can reach."""
    tree = request.tree
    assert isinstance(tree, DirectoryTree)
    base = open_named_tree(tree.root, revision)[0]
    asked = request._replace(tree=base, selectors=(), allow_empty=True, decrypter=None)
    return request._replace(restrict_ids=_BaseTree(asked).affected_bundles)


class _BaseTree:
    """An earlier tree, read as far as a later one differs."""

    def __init__(self, request: Request) -> None:
        self._request, self._runner = request, ProjectRunner(request)
        # Whoever compares projects may be another process, which had better not read what all need.
        _ = self._runner.root

    def affected_bundles(self, head: Run) -> frozenset[str]:
        """The bundles of a run, over a project or over a whole tree, that are not made of the same files as before."""
        if head.scope is None:
            return find_affected(Run(self._request), head)
        if self._runner.has_same_files(head):
            return frozenset()
        return frozenset().union(*(find_affected(self._runner.start(project), head) for project in head.scope.projects))
