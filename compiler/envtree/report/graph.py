"""What is to be drawn: nodes of a few kinds and the arrows between them; a large graph is folded."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from envtree.diagnostics.summary import plural

NodeShape = Literal["stadium", "folder", "round", "hexagon", "box"]
NodeKey = tuple[str, ...]


class GraphNode(NamedTuple):
    """One node; several alike are one, of a higher `number`, which is labelled by that and their `noun`."""

    label: str
    noun: str
    shape: NodeShape = "box"
    size: int = 1


class Graph(NamedTuple):
    """Nodes by keys, which are not shown, in the order of drawing; an arrow leads from one key to another."""

    nodes: Mapping[NodeKey, GraphNode]
    edges: tuple[tuple[NodeKey, NodeKey], ...]


def fold_graph(graph: Graph, max_nodes: int, max_edges: int) -> Graph:
    """The graph with no more nodes and arrows than that, or one node for each noun: several of a noun become one.

    First those with the least below them which have their arrows from the same nodes: the largest groups, and no more
    than must.
    """
    while (len(graph.nodes) > max_nodes or len(graph.edges) > max_edges) and (groups := _foldable_groups(graph)):
        graph = _fold_groups(graph, _select_groups(groups, len(graph.nodes) - max_nodes))
    while groups := _groups_below_folded(graph):
        graph = _fold_groups(graph, groups)
    return graph


def _foldable_groups(graph: Graph) -> list[list[NodeKey]]:
    """The groups to be folded next, each of two nodes at least."""
    sources = _sources_by_node(graph)
    alike, heights = _groups_with_same_sources(graph, sources), _heights(graph, sources)
    tops = [max(heights[key] for key in group) for group in alike]
    return [group for group, top in zip(alike, tops, strict=True) if top == min(tops)] or _groups_with_same_sources(
        graph, {}
    )


def _groups_below_folded(graph: Graph) -> list[list[NodeKey]]:
    """The groups that hang below a node which stands for several, and are no more to be told apart."""
    sources, several = _sources_by_node(graph), {key for key, node in graph.nodes.items() if node.size > 1}
    return [
        group
        for group in _groups_with_same_sources(graph, sources)
        if sources[group[0]] and several.issuperset(sources[group[0]])
    ]


def _sources_by_node(graph: Graph) -> dict[NodeKey, list[NodeKey]]:
    """Where the arrows into each node come from."""
    found: dict[NodeKey, list[NodeKey]] = {key: [] for key in graph.nodes}
    for start, end in graph.edges:
        found[end].append(start)
    return found


def _groups_with_same_sources(graph: Graph, sources: Mapping[NodeKey, list[NodeKey]]) -> list[list[NodeKey]]:
    """The nodes of one noun that have their arrows from the same nodes."""
    found: dict[tuple[str, frozenset[NodeKey]], list[NodeKey]] = defaultdict(list)
    for key, node in graph.nodes.items():
        found[node.noun, frozenset(sources.get(key, ()))].append(key)
    return [group for group in found.values() if len(group) > 1]


def _heights(graph: Graph, sources: Mapping[NodeKey, list[NodeKey]]) -> dict[NodeKey, int]:
    """How many arrows in a row lead on from each node; those that lead into a circle are the highest."""
    heights = dict.fromkeys(graph.nodes, len(graph.nodes))
    left = Counter(start for start, _ in graph.edges)
    done, height = [key for key in graph.nodes if not left[key]], 0
    while done:
        heights |= dict.fromkeys(done, height)
        above = [start for key in done for start in sources[key]]
        left.subtract(above)
        done, height = [key for key in dict.fromkeys(above) if not left[key]], height + 1
    return heights


def _select_groups(groups: Iterable[list[NodeKey]], excess: int) -> list[list[NodeKey]]:
    """The largest groups, as many as take away what is too much, and one at least."""
    largest, *others = sorted(groups, key=len, reverse=True)
    chosen, excess = [largest], excess - len(largest) + 1
    for group in others:
        if excess <= 0:
            break
        chosen.append(group)
        excess -= len(group) - 1
    return chosen


def _fold_groups(graph: Graph, groups: Sequence[Sequence[NodeKey]]) -> Graph:
    """Each group stands where its first node stood."""
    first = {key: group[0] for group in groups for key in group}
    nodes = {key: node for key, node in graph.nodes.items() if first.get(key, key) == key}
    for group in groups:
        number = sum(graph.nodes[key].size for key in group)
        one = nodes[group[0]]
        nodes[group[0]] = one._replace(label=plural(number, one.noun), size=number)
    arrows = dict.fromkeys((first.get(start, start), first.get(end, end)) for start, end in graph.edges)
    return Graph(nodes, tuple((start, end) for start, end in arrows if start != end))
