"""Resolve anchors and aliases within a budget: the nodes of an alias are counted before it is expanded.

No finding quotes their names: to a YAML reader, a password that begins with '*' is an alias.
"""

from typing import NamedTuple

from envtree.frontend.parse.parse_report import FatalParseError, ParseReport
from envtree.model.nodes import Node, ScalarNode
from envtree.model.span import Mark

MAX_NODES = 200_000
MAX_DEPTH = 64
_UNKNOWN_HINT = "put its '&name' before the value that it repeats, or quote a text that begins with '*'"


class _AnchoredNode(NamedTuple):
    """A node with an anchor.

    `size` counts the nodes of the subtree with aliases expanded, `height` its levels of collections.
    """

    node: Node
    at: Mark
    size: int
    height: int


class _OpenCollection(NamedTuple):
    """A collection that is being read; `nodes_before` counts the nodes in front of it."""

    anchor: str | None
    at: Mark
    nodes_before: int


class Anchors:
    """The anchors of one document, and its node count."""

    def __init__(self, report: ParseReport) -> None:
        self._report = report
        self._by_name: dict[str, _AnchoredNode] = {}
        self._open: list[_OpenCollection] = []
        # The height of the content so far of each open collection, outermost first; the first entry is the document.
        self._heights = [0]
        self._nodes = 0

    def count_nodes(self, nodes: int, at: Mark) -> None:
        """Count nodes against the budget, before they are created."""
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            message = f"the file has more than {MAX_NODES} nodes, aliases expanded"
            raise FatalParseError(at, "ET109", message, "split the file, or use fewer aliases")

    def add_scalar(self, anchor: str, node: ScalarNode) -> None:
        """Define the anchor of a scalar."""
        self._define(anchor, _AnchoredNode(node, node.mark, 1, 0))

    def begin_collection(self, anchor: str | None, at: Mark) -> None:
        """Open a collection, and count it; its children follow."""
        self._open.append(_OpenCollection(anchor, at, self._nodes))
        self._heights.append(0)
        self.count_nodes(1, at)

    def end_collection(self, node: Node) -> None:
        """Close the innermost open collection, and define its anchor if it has one."""
        opened = self._open.pop()
        height = self._heights.pop() + 1
        self._heights[-1] = max(self._heights[-1], height)
        if opened.anchor is not None:
            self._define(opened.anchor, _AnchoredNode(node, opened.at, self._nodes - opened.nodes_before, height))

    def resolve_alias(self, name: str, at: Mark) -> Node:
        """Return the anchored node at the position of the alias; a null scalar for an unknown alias."""
        anchored = self._by_name.get(name)
        if anchored is None:
            self._report_unknown_alias(name, at)
            return ScalarNode(None, "", is_plain=True, mark=at)
        if len(self._open) + anchored.height > MAX_DEPTH:
            raise FatalParseError(at, "ET110", f"aliases nest the file more than {MAX_DEPTH} levels deep", "flatten it")
        self._heights[-1] = max(self._heights[-1], anchored.height)
        self.count_nodes(anchored.size, at)
        self._report.aliases[at] = anchored.node.mark
        # With the mark of the alias, findings about the repeated value point at the alias.
        return anchored.node._replace(mark=at)

    def _define(self, name: str, anchored: _AnchoredNode) -> None:
        first = self._by_name.setdefault(name, anchored)
        if first is not anchored:
            message, hint = "found a second anchor of one name", "give each anchor a name of its own"
            self._report.add(anchored.at, "ET111", message, hint, (first.at, "the first is here"))

    def _report_unknown_alias(self, name: str, at: Mark) -> None:
        outer = next((opened for opened in self._open if opened.anchor == name), None)
        if outer:
            hint = "write out what is meant, for a value cannot hold itself"
            message = "found an alias inside what it stands for"
            self._report.add(at, "ET111", message, hint, (outer.at, "its anchor is here"))
        else:
            self._report.add(at, "ET111", "found an alias without an anchor before it", _UNKNOWN_HINT)
