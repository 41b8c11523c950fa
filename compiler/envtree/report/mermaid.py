"""A graph as Mermaid's flowchart, which GitHub and GitLab draw; what a label says is never a part of the language."""

import re

from envtree.model.tree_layout import escape_unprintable
from envtree.report.graph import Graph, fold_graph

# Mermaid draws no more than 500 arrows, and no text of more than 50,000 characters, which these are far below.
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
# Mermaid's marks for characters that are written by their numbers begin with this ligature.
_LIGATURE = "ﬂ"


def render_mermaid(graph: Graph, max_nodes: int = MAX_NODES) -> str:
    """The graph with at most `most` nodes; the others are folded into counts."""
    drawn = fold_graph(graph, max_nodes, _MAX_EDGES)
    ids = {key: f"n{number}" for number, key in enumerate(drawn.nodes, start=1)}
    lines = ["flowchart LR"]
    for key, node in drawn.nodes.items():
        before, after = _SHAPES[node.shape]
        lines.append(f'  {ids[key]}{before}"{_label(node.label)}"{after}')
    lines += [f"  {ids[start]} --> {ids[end]}" for start, end in drawn.edges]
    return "".join(f"{line}\n" for line in lines)


def _label(text: str) -> str:
    """A text in which all but letters, digits and what joins them is written by its number.

    So there are no quotes, comments, directives, icons, and none of the Markdown that Mermaid reads in labels.
    """
    text = escape_unprintable(text).replace(_LIGATURE, "fl")
    plain = {match.start() for match in re.finditer(_plain_pattern(text), text)}
    spelt, length = [], 0
    for n, character in enumerate(text):
        spelt.append(character if n in plain else f"#{ord(character)};")
        length += len(spelt[-1])
        if length > _MAX_LABEL_LENGTH:
            spelt[-1] = f"#{ord('…')};"
            break
    # What a node must not be without.
    return "".join(spelt) or "#32;"


def _plain_pattern(text: str) -> str:
    """The pattern of the characters of a text that stand for themselves."""
    joining = "-_/"
    # Together, or behind `www`, they may make an address, which Markdown links.
    if not ("." in text and ("@" in text or "www" in text.lower())):
        joining += ".@"
    return rf"[^\W_]|(?<=[^\W_])(?:[{joining}](?=[^\W_])| (?=\S))"
