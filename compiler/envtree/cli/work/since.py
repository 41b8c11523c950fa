"""`--changed-since`: what a command is to look at when only a difference matters."""

from envtree.cli.work.sides import side
from envtree.diff.affected import affected
from envtree.pipeline import Request, Run
from envtree.tree import DirectoryTree


def affected_since(request: Request, revision: str) -> Request:
    """The same request, for the bundles that a difference from a revision can reach."""
    tree = request.tree
    assert isinstance(tree, DirectoryTree)
    request = request._replace(memory={})
    everything = request._replace(selectors=(), allow_empty=True, decrypter=None)
    base, head = (Run(everything._replace(tree=each)) for each in (side(tree.root, revision)[0], tree))
    return request._replace(ids=affected(base, head))
