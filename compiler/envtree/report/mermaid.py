"""A graph as Mermaid's flowchart, which GitHub and GitLab draw; labels are escaped, so that they are never syntax."""

import re

from envtree.model.tree_layout import escape_unprintable
from envtree.report.graph import Graph, fold_graph

# Mermaid draws at most 500 edges, and text of at most 50,000 characters; these limits stay far below.
MAX_NODES = 200
_MAX_EDGES = 500
_MAX_LABEL_LENGTH = 150
_SHAPES = {
    "stadium": ("([", "])"),
    "folder": ("[[", "]]"),
    "round": ("(", ")"),
    "hexagon": ("{{", "}}"),
    "box": ("[", "]"),
}
# Mermaid's internal placeholders for escaped characters begin with this ligature.
_LIGATURE = "ﬂ"


def render_mermaid(graph: Graph, max_nodes: int = MAX_NODES) -> str:
    """Return the graph with at most `max_nodes` nodes; the others are folded into counts."""
    folded = fold_graph(graph, max_nodes, _MAX_EDGES)
    ids = {key: f"n{number}" for number, key in enumerate(folded.nodes, start=1)}
    lines = ["flowchart LR"]
    for key, node in folded.nodes.items():
        opening, closing = _SHAPES[node.shape]
        lines.append(f'  {ids[key]}{opening}"{_label(node.label)}"{closing}')
    lines += [f"  {ids[start]} --> {ids[end]}" for start, end in folded.edges]
    return "".join(f"{line}\n" for line in lines)


def _label(text: str) -> str:
    """Return a text in which all characters but letters, digits and joiners between them are escaped by number.

    So it contains no quotes, comments, directives, icons, and none of the Markdown that Mermaid reads in labels.
    """
    text = escape_unprintable(text).replace(_LIGATURE, "fl")
    plain_positions = {match.start() for match in re.finditer(_plain_pattern(text), text)}
    escaped, length = [], 0
    for position, character in enumerate(text):
        escaped.append(character if position in plain_positions else f"#{ord(character)};")
        length += len(escaped[-1])
        if length > _MAX_LABEL_LENGTH:
            escaped[-1] = f"#{ord('…')};"
            break
    # A node must have a label.
    return "".join(escaped) or "#32;"


def _plain_pattern(text: str) -> str:
    """Return the pattern of the characters of a text that need no escape."""
    joiners = "-_/"
    # Together, or after `www`, they may form an address, which Markdown turns into a link.
    if not ("." in text and ("@" in text or "www" in text.lower())):
        joiners += ".@"
    return rf"[^\W_]|(?<=[^\W_])(?:[{joiners}](?=[^\W_])| (?=\S))"
