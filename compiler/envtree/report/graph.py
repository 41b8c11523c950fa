"""A graph to draw: nodes of a few kinds and the edges between them; a large graph is folded."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from envtree.diagnostics.summary import plural

NodeShape = Literal["stadium", "folder", "round", "hexagon", "box"]
NodeKey = tuple[str, ...]


class GraphNode(NamedTuple):
    """A node; one that stands for several nodes has their number as `size`, and is labelled with it and the `noun`."""

    label: str
    noun: str
    shape: NodeShape = "box"
    size: int = 1


class Graph(NamedTuple):
    """Nodes by key, in the order of drawing, and edges from one key to another; keys are not drawn."""

    nodes: Mapping[NodeKey, GraphNode]
    edges: tuple[tuple[NodeKey, NodeKey], ...]


def fold_graph(graph: Graph, max_nodes: int, max_edges: int) -> Graph:
    """Fold groups of nodes with the same noun until the graph fits the limits, or has one node for each noun.

    Nodes are folded together if their incoming edges come from the same nodes: first those with the fewest levels below
    them, the largest groups first, and no more than necessary.
    """
    while (len(graph.nodes) > max_nodes or len(graph.edges) > max_edges) and (groups := _foldable_groups(graph)):
        graph = _fold_groups(graph, _select_groups(groups, len(graph.nodes) - max_nodes))
    while groups := _groups_below_folded(graph):
        graph = _fold_groups(graph, groups)
    return graph


def _foldable_groups(graph: Graph) -> list[list[NodeKey]]:
    """Return the groups to fold next, each of at least two nodes."""
    sources = _sources_by_node(graph)
    groups, heights = _groups_with_same_sources(graph, sources), _heights(graph, sources)
    tops = [max(heights[key] for key in group) for group in groups]
    return [group for group, top in zip(groups, tops, strict=True) if top == min(tops)] or _groups_with_same_sources(
        graph, {}
    )


def _groups_below_folded(graph: Graph) -> list[list[NodeKey]]:
    """Return the groups below nodes that stand for several, which can no longer be told apart."""
    sources, folded = _sources_by_node(graph), {key for key, node in graph.nodes.items() if node.size > 1}
    return [
        group
        for group in _groups_with_same_sources(graph, sources)
        if sources[group[0]] and folded.issuperset(sources[group[0]])
    ]


def _sources_by_node(graph: Graph) -> dict[NodeKey, list[NodeKey]]:
    """Return the sources of the edges into each node."""
    sources: dict[NodeKey, list[NodeKey]] = {key: [] for key in graph.nodes}
    for start, end in graph.edges:
        sources[end].append(start)
    return sources


def _groups_with_same_sources(graph: Graph, sources: Mapping[NodeKey, list[NodeKey]]) -> list[list[NodeKey]]:
    """Return the nodes of one noun whose edges come from the same nodes."""
    groups: dict[tuple[str, frozenset[NodeKey]], list[NodeKey]] = defaultdict(list)
    for key, node in graph.nodes.items():
        groups[node.noun, frozenset(sources.get(key, ()))].append(key)
    return [group for group in groups.values() if len(group) > 1]


def _heights(graph: Graph, sources: Mapping[NodeKey, list[NodeKey]]) -> dict[NodeKey, int]:
    """Return the length of the longest path from each node; nodes that lead into a cycle are the highest."""
    heights = dict.fromkeys(graph.nodes, len(graph.nodes))
    open_edges = Counter(start for start, _ in graph.edges)
    finished, height = [key for key in graph.nodes if not open_edges[key]], 0
    while finished:
        heights |= dict.fromkeys(finished, height)
        parents = [start for key in finished for start in sources[key]]
        open_edges.subtract(parents)
        finished, height = [key for key in dict.fromkeys(parents) if not open_edges[key]], height + 1
    return heights


def _select_groups(groups: Iterable[list[NodeKey]], excess: int) -> list[list[NodeKey]]:
    """Return the largest groups, as many as remove the excess, and at least one."""
    largest, *rest = sorted(groups, key=len, reverse=True)
    selected, excess = [largest], excess - len(largest) + 1
    for group in rest:
        if excess <= 0:
            break
        selected.append(group)
        excess -= len(group) - 1
    return selected


def _fold_groups(graph: Graph, groups: Sequence[Sequence[NodeKey]]) -> Graph:
    """Replace each group by one node, in the position of its first node."""
    representatives = {key: group[0] for group in groups for key in group}
    nodes = {key: node for key, node in graph.nodes.items() if representatives.get(key, key) == key}
    for group in groups:
        size = sum(graph.nodes[key].size for key in group)
        first_node = nodes[group[0]]
        nodes[group[0]] = first_node._replace(label=plural(size, first_node.noun), size=size)
    edges = dict.fromkeys(
        (representatives.get(start, start), representatives.get(end, end)) for start, end in graph.edges
    )
    return Graph(nodes, tuple((start, end) for start, end in edges if start != end))
