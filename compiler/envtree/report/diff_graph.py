"""The graph of a diff: from the files that cause changes to the bundles that show them."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from typing import NamedTuple

from envtree.diagnostics.summary import plural
from envtree.queries.diff.diff_model import Diff
from envtree.report.graph import Graph, GraphNode, NodeKey, NodeShape

# More nodes are unreadable in a comment.
MAX_DRAWN_NODES = 50
# With more files and agents, those with the same targets are grouped first: single edges could be millions.
_GROUPING_THRESHOLD = 500

BundleLists = dict[int, tuple[str, ...]]


class _NodeGroup(NamedTuple):
    """Files or agents that are drawn as one node."""

    key: NodeKey
    node: GraphNode
    reach: frozenset[object]


def build_diff_graph(diff: Diff) -> Graph:
    """Return a graph of the files, the agents that they reach, and the environments of these."""
    bundle_lists, files = _bundle_lists_by_file(diff)
    agents: dict[str, set[object]] = defaultdict(set)
    for number, ids in bundle_lists.items():
        for id in ids:
            agent, _, environment = id.partition("@")
            agents[agent] |= {number, environment}
    should_group = len(files) + len(agents) > _GROUPING_THRESHOLD
    file_groups = _group_nodes(files, "file", "folder", should_group=should_group)
    agent_groups = _group_nodes(agents, "agent", "round", should_group=should_group)
    nodes = {group.key: group.node for group in (*file_groups, *agent_groups)}
    edges: list[tuple[NodeKey, NodeKey]] = []
    for group in agent_groups:
        edges += [(file_group.key, group.key) for file_group in file_groups if file_group.reach & group.reach]
        for environment in sorted(name for name in group.reach if isinstance(name, str)):
            environment_key = ("environment", environment)
            nodes[environment_key] = GraphNode(environment, "environment", "hexagon")
            edges.append((group.key, environment_key))
    return Graph(nodes, tuple(edges))


def _bundle_lists_by_file(diff: Diff) -> tuple[BundleLists, dict[str, set[object]]]:
    """Return the distinct lists of bundles by number, and the numbers of those that each file reaches."""
    caused = [(change.bundles, change.causes) for change in diff.changes]
    caused += [((bundle.id,), bundle.causes) for bundle in diff.bundles]
    lists: BundleLists = {id(ids): ids for ids, _ in caused}
    files: dict[str, set[object]] = defaultdict(set)
    for ids, causes in caused:
        for cause in causes:
            files[cause.path].add(id(ids))
    return lists, files


def _group_nodes(
    reach_by_name: Mapping[str, Iterable[object]], noun: str, shape: NodeShape, *, should_group: bool
) -> list[_NodeGroup]:
    names_by_reach: dict[Hashable, list[str]] = defaultdict(list)
    for name, reach in reach_by_name.items():
        names_by_reach[frozenset(reach) if should_group else name].append(name)
    return [
        _NodeGroup(
            (noun, names[0]),
            GraphNode(_label(names, noun), noun, shape, len(names)),
            frozenset(reach_by_name[names[0]]),
        )
        for names in names_by_reach.values()
    ]


def _label(names: list[str], noun: str) -> str:
    return names[0] if len(names) == 1 else plural(len(names), noun)
