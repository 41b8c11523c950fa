"""A graph in the DOT language of Graphviz, complete: folding is only necessary for Mermaid."""

from collections import defaultdict

from envtree.diagnostics.printable import printable
from envtree.report.graph import Graph, NodeKey

_SHAPES = {"stadium": "oval", "folder": "folder", "round": "ellipse", "hexagon": "hexagon", "box": "box"}
# In a label `\N` stands for the node's name, and `&lt;` is an entity.
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "&": "&amp;"})


def render_dot(graph: Graph, ranked: tuple[str, ...] = ()) -> str:
    """Return the graph; nodes of one of the `ranked` nouns are drawn in one rank."""
    ids = {key: f"n{number}" for number, key in enumerate(graph.nodes, start=1)}
    lines = ["digraph envtree {", "  rankdir=LR;"]
    ranks: dict[str, list[NodeKey]] = defaultdict(list)
    for key, node in graph.nodes.items():
        label = printable(node.label).translate(_ESCAPES)
        lines.append(f'  {ids[key]} [shape={_SHAPES[node.shape]}, label="{label}"];')
        ranks[node.noun].append(key)
    lines += [f"  {ids[start]} -> {ids[end]};" for start, end in graph.edges]
    lines += [f"  {{ rank=same; {'; '.join(ids[key] for key in ranks[noun])} }}" for noun in ranked if ranks[noun]]
    return "".join(f"{line}\n" for line in [*lines, "}"])
