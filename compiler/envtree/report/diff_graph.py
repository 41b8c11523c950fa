"""What leads where in a diff: from the files that cause changes to the bundles that show them."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from envtree.diagnostics.summary import plural
from envtree.queries.diff.diff_model import Diff
from envtree.report.graph import Graph, GraphNode, NodeKey, NodeShape

# As many nodes as a reader of a comment takes in.
MAX_DRAWN_NODES = 50
# Above that, what leads to the same is one node from the start: every arrow by itself would be millions.
_GROUPING_THRESHOLD = 500

BundleLists = dict[int, tuple[str, ...]]


class _NodeGroup(NamedTuple):
    """Files or agents that are one node."""

    key: NodeKey
    node: GraphNode
    reach: frozenset[object]


def build_diff_graph(diff: Diff) -> Graph:
    """The files on the left, the agents that they reach in the middle, and their environments on the right."""
    lists, files = _bundle_lists_by_file(diff)
    agents: dict[str, set[object]] = defaultdict(set)
    for number, ids in lists.items():
        for id in ids:
            place, _, environment = id.partition("@")
            agents[place] |= {number, environment}
    many = len(files) + len(agents) > _GROUPING_THRESHOLD
    left, middle = (
        _group_nodes(files, "file", "folder", should_group=many),
        _group_nodes(agents, "agent", "round", should_group=many),
    )
    nodes = {group.key: group.node for group in (*left, *middle)}
    arrows: list[tuple[NodeKey, NodeKey]] = []
    for group in middle:
        arrows += [(file.key, group.key) for file in left if file.reach & group.reach]
        for environment in sorted(name for name in group.reach if isinstance(name, str)):
            home = ("environment", environment)
            nodes[home] = GraphNode(environment, "environment", "hexagon")
            arrows.append((group.key, home))
    return Graph(nodes, tuple(arrows))


def _bundle_lists_by_file(diff: Diff) -> tuple[BundleLists, dict[str, set[object]]]:
    """The distinct lists of bundles by number, and the numbers of those that each file reaches."""
    told = [(one.bundles, one.causes) for one in diff.changes] + [((one.id,), one.causes) for one in diff.bundles]
    lists: BundleLists = {id(ids): ids for ids, _ in told}
    files: dict[str, set[object]] = defaultdict(set)
    for ids, causes in told:
        for cause in causes:
            files[cause.path].add(id(ids))
    return lists, files


def _group_nodes(
    reached: Mapping[str, Iterable[object]], noun: str, shape: NodeShape, *, should_group: bool
) -> list[_NodeGroup]:
    alike: dict[Hashable, list[str]] = defaultdict(list)
    for name, reach in reached.items():
        alike[frozenset(reach) if should_group else name].append(name)
    return [
        _NodeGroup(
            (noun, names[0]), GraphNode(_label(names, noun), noun, shape, len(names)), frozenset(reached[names[0]])
        )
        for names in alike.values()
    ]


def _label(names: list[str], noun: str) -> str:
    return names[0] if len(names) == 1 else plural(len(names), noun)
