"""`--changed-since`: what a command is to look at when only a difference matters."""

from envtree.affected import affected
from envtree.cli.work.sides import side
from envtree.pipeline import Request, Run
from envtree.tree import DirectoryTree


def affected_since(request: Request, revision: str) -> Request:
    """The same request, for the bundles that a difference from a revision can reach."""
    tree = request.tree
    assert isinstance(tree, DirectoryTree)
    asked = request._replace(memory={})
    base = Run(asked._replace(tree=side(tree.root, revision)[0], selectors=(), allow_empty=True, decrypter=None))
    return asked._replace(within=lambda head: affected(base, head))
