"""What is to be drawn: nodes of a few kinds and the arrows between them; a large graph is folded."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from envtree.report import plural

Shape = Literal["stadium", "folder", "round", "hexagon", "box"]
Key = tuple[str, ...]


class Node(NamedTuple):
    """One node; several alike are one, of a higher `number`, which is labelled by that and their `noun`."""

    label: str
    noun: str
    shape: Shape = "box"
    number: int = 1


class Graph(NamedTuple):
    """Nodes by keys, which are not shown, in the order of drawing; an arrow leads from one key to another."""

    nodes: Mapping[Key, Node]
    arrows: tuple[tuple[Key, Key], ...]


def folded(graph: Graph, nodes: int, arrows: int) -> Graph:
    """The graph with no more nodes and arrows than that, or one node for each noun: several of a noun become one.

    First those with the least below them which have their arrows from the same nodes: the largest groups, and no more
    than must.
    """
    while (len(graph.nodes) > nodes or len(graph.arrows) > arrows) and (groups := _groups(graph)):
        graph = _fold(graph, _needed(groups, len(graph.nodes) - nodes))
    while groups := _below_several(graph):
        graph = _fold(graph, groups)
    return graph


def _groups(graph: Graph) -> list[list[Key]]:
    """The groups to be folded next, each of two nodes at least."""
    sources = _sources(graph)
    alike, heights = _alike(graph, sources), _heights(graph, sources)
    tops = [max(heights[key] for key in group) for group in alike]
    return [group for group, top in zip(alike, tops, strict=True) if top == min(tops)] or _alike(graph, {})


def _below_several(graph: Graph) -> list[list[Key]]:
    """The groups that hang below a node which stands for several, and are no more to be told apart."""
    sources, several = _sources(graph), {key for key, node in graph.nodes.items() if node.number > 1}
    return [group for group in _alike(graph, sources) if sources[group[0]] and several.issuperset(sources[group[0]])]


def _sources(graph: Graph) -> dict[Key, list[Key]]:
    """Where the arrows into each node come from."""
    found: dict[Key, list[Key]] = {key: [] for key in graph.nodes}
    for start, end in graph.arrows:
        found[end].append(start)
    return found


def _alike(graph: Graph, sources: Mapping[Key, list[Key]]) -> list[list[Key]]:
    """The nodes of one noun that have their arrows from the same nodes."""
    found: dict[tuple[str, frozenset[Key]], list[Key]] = defaultdict(list)
    for key, node in graph.nodes.items():
        found[node.noun, frozenset(sources.get(key, ()))].append(key)
    return [group for group in found.values() if len(group) > 1]


def _heights(graph: Graph, sources: Mapping[Key, list[Key]]) -> dict[Key, int]:
    """How many arrows in a row lead on from each node; those that lead into a circle are the highest."""
    heights = dict.fromkeys(graph.nodes, len(graph.nodes))
    left = Counter(start for start, _ in graph.arrows)
    done, height = [key for key in graph.nodes if not left[key]], 0
    while done:
        heights |= dict.fromkeys(done, height)
        above = [start for key in done for start in sources[key]]
        left.subtract(above)
        done, height = [key for key in dict.fromkeys(above) if not left[key]], height + 1
    return heights


def _needed(groups: Iterable[list[Key]], excess: int) -> list[list[Key]]:
    """The largest groups, as many as take away what is too much, and one at least."""
    largest, *others = sorted(groups, key=len, reverse=True)
    chosen, excess = [largest], excess - len(largest) + 1
    for group in others:
        if excess <= 0:
            break
        chosen.append(group)
        excess -= len(group) - 1
    return chosen


def _fold(graph: Graph, groups: Sequence[Sequence[Key]]) -> Graph:
    """Each group stands where its first node stood."""
    first = {key: group[0] for group in groups for key in group}
    nodes = {key: node for key, node in graph.nodes.items() if first.get(key, key) == key}
    for group in groups:
        number = sum(graph.nodes[key].number for key in group)
        one = nodes[group[0]]
        nodes[group[0]] = one._replace(label=plural(number, one.noun), number=number)
    arrows = dict.fromkeys((first.get(start, start), first.get(end, end)) for start, end in graph.arrows)
    return Graph(nodes, tuple((start, end) for start, end in arrows if start != end))
