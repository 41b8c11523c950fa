"""What leads where in a diff: from the files that cause changes to the bundles that show them."""

from envtree.diff.model import Diff
from envtree.report.graph import Graph, Key, Node

# As many nodes as a reader of a comment takes in.
DRAWN = 50


def changed_graph(diff: Diff) -> Graph:
    """The files on the left, the agents that they reach in the middle, and their environments on the right."""
    nodes: dict[Key, Node] = {}
    arrows: dict[tuple[Key, Key], None] = {}
    told = [(one.bundles, one.causes) for one in diff.changes] + [((one.id,), one.causes) for one in diff.bundles]
    for ids, causes in told:
        for cause in causes:
            file: Key = ("file", cause.path)
            nodes.setdefault(file, Node(cause.path, "file", "folder"))
            for id in ids:
                place, _, environment = id.partition("@")
                agent: Key = ("agent", place)
                nodes.setdefault(agent, Node(place, "agent", "round"))
                nodes.setdefault(("environment", environment), Node(environment, "environment", "hexagon"))
                arrows[file, agent] = None
                arrows[agent, ("environment", environment)] = None
    return Graph(nodes, tuple(arrows))
