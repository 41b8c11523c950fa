"""`--changed-since`: what a command is to look at when only a difference matters."""

from envtree.cli.support.compared_trees import side
from envtree.engine.affected import affected
from envtree.engine.by_project import Parted
from envtree.engine.run import Request, Run
from envtree.sources.tree import DirectoryTree


def affected_since(request: Request, revision: str) -> Request:
    """The same request, for the bundles that a difference from a revision can reach."""
    tree = request.tree
    assert isinstance(tree, DirectoryTree)
    base = side(tree.root, revision)[0]
    asked = request._replace(tree=base, selectors=(), allow_empty=True, decrypter=None)
    return request._replace(within=_Since(asked).reached)


class _Since:
    """An earlier tree, read as far as a later one differs."""

    def __init__(self, request: Request) -> None:
        self._request, self._parts = request, Parted(request)
        # Whoever compares projects may be another process, which had better not read what all need.
        _ = self._parts.root

    def reached(self, head: Run) -> frozenset[str]:
        """The bundles of a run, over a project or over a whole tree, that are not made of the same files as before."""
        if head.part is None:
            return affected(Run(self._request), head)
        if self._parts.is_like(head):
            return frozenset()
        return frozenset().union(*(affected(self._parts.begun(project), head) for project in head.part.projects))
