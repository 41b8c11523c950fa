"""Anchors and aliases within the budget: what an alias stands for is counted before it is used.

No finding names them: a password that begins with '*' is an alias to a YAML reader.
"""

from typing import NamedTuple

from envtree.frontend.parse.parse_report import FatalParseError, ParseReport
from envtree.model.nodes import Node, ScalarNode
from envtree.model.span import Mark

MAX_NODES = 200_000
MAX_DEPTH = 64
_UNKNOWN_HINT = "put its '&name' before the value that it repeats, or quote a text that begins with '*'"


class _AnchoredNode(NamedTuple):
    """`size` counts the nodes of the whole subtree, aliases expanded; `height` the levels of collections in it."""

    node: Node
    at: Mark
    size: int
    height: int


class _OpenCollection(NamedTuple):
    """A collection that is being read; `before` counts the nodes in front of it."""

    anchor: str | None
    at: Mark
    nodes_before: int


class Anchors:
    """The anchors of one document, and the count of its nodes."""

    def __init__(self, report: ParseReport) -> None:
        self._report = report
        self._by_name: dict[str, _AnchoredNode] = {}
        self._open: list[_OpenCollection] = []
        # The levels of collections below each open one, the document itself first.
        self._heights = [0]
        self._nodes = 0

    def count_nodes(self, nodes: int, at: Mark) -> None:
        """Count nodes, before they are made, against the budget."""
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            message = f"the file has more than {MAX_NODES} nodes, aliases expanded"
            raise FatalParseError(at, "ET109", message, "split the file, or use fewer aliases")

    def add_scalar(self, anchor: str, node: ScalarNode) -> None:
        """Remember a scalar that has an anchor."""
        self._define(anchor, _AnchoredNode(node, node.mark, 1, 0))

    def begin_collection(self, anchor: str | None, at: Mark) -> None:
        """Count a collection whose children follow."""
        self._open.append(_OpenCollection(anchor, at, self._nodes))
        self._heights.append(0)
        self.count_nodes(1, at)

    def end_collection(self, node: Node) -> None:
        """Close the collection that was begun last."""
        opened = self._open.pop()
        height = self._heights.pop() + 1
        self._heights[-1] = max(self._heights[-1], height)
        if opened.anchor is not None:
            self._define(opened.anchor, _AnchoredNode(node, opened.at, self._nodes - opened.nodes_before, height))

    def resolve_alias(self, name: str, at: Mark) -> Node:
        """What an alias stands for; null if it stands for nothing."""
        found = self._by_name.get(name)
        if found is None:
            self._report_unknown_alias(name, at)
            return ScalarNode(None, "", True, at)
        if len(self._open) + found.height > MAX_DEPTH:
            raise FatalParseError(at, "ET110", f"aliases nest the file more than {MAX_DEPTH} levels deep", "flatten it")
        self._heights[-1] = max(self._heights[-1], found.height)
        self.count_nodes(found.size, at)
        self._report.aliases[at] = found.node.mark
        # What is wrong with the value where it is repeated is told there.
        return found.node._replace(mark=at)

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
