"""`--changed-since`: limit a run to the bundles that a difference can reach."""

from envtree.cli.support.compared_trees import open_named_tree
from envtree.engine.affected import find_affected
from envtree.engine.by_project import ProjectRunner
from envtree.engine.request import Request
from envtree.engine.run import Run
from envtree.sources.tree import DirectoryTree


def limit_to_affected(request: Request, revision: str) -> Request:
    """Return a request for only those bundles that a difference from a revision can reach."""
    tree = request.tree
    assert isinstance(tree, DirectoryTree)
    base = open_named_tree(tree.root, revision)[0]
    base_request = request._replace(tree=base, selectors=(), allow_empty=True, decrypter=None)
    return request._replace(restrict_ids=_BaseTree(base_request).affected_bundles)


class _BaseTree:
    """The tree at an earlier revision, of which only projects with differences are read."""

    def __init__(self, request: Request) -> None:
        self._request, self._runner = request, ProjectRunner(request)
        # Read the shared files now: projects may be compared in worker processes, and each would read them again.
        _ = self._runner.root

    def affected_bundles(self, head: Run) -> frozenset[str]:
        """Return the bundles of a run, over a project or a whole tree, whose source files differ from the base."""
        if head.scope is None:
            return find_affected(Run(self._request), head)
        if self._runner.has_same_files(head):
            return frozenset()
        return frozenset().union(*(find_affected(self._runner.start(project), head) for project in head.scope.projects))
