"""Find the nodes in which two versions of a file differ."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.fields import get_field
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.span import Mark
from envtree.queries.diff.diff_model import Cause
from envtree.queries.layer_statements import are_nodes_equal


class FileVersions(NamedTuple):
    """A file on both sides; one of them is None if the file is new, or gone."""

    path: str
    base: Document | None
    head: Document | None

    def diff_nodes(self, base: Node | None, head: Node | None) -> Iterator[Cause]:
        """Yield the innermost nodes that differ between two nodes at the same path."""
        if base is None or head is None:
            yield from self.added_causes(head) if head else self.removed_causes(base) if base else ()
        elif isinstance(base, MappingNode) and isinstance(head, MappingNode):
            for key in dict.fromkeys((*base.entries, *head.entries)):
                yield from self.diff_nodes(base.entries.get(key), head.entries.get(key))
        elif isinstance(base, SequenceNode) and isinstance(head, SequenceNode):
            yield from self._diff_lists(base.items, head.items)
        elif not are_nodes_equal(base, head):
            yield Cause(self.path, self._edit_position(head)[0], "edited")

    def added_causes(self, node: Node) -> Iterator[Cause]:
        """Yield the cause for a node that the base does not have."""
        yield Cause(self.path, node.mark[0], "added")

    def removed_causes(self, node: Node) -> Iterator[Cause]:
        """Yield the cause for a node that the head does not have."""
        yield Cause(self.base.path if self.base else self.path, node.mark[0], "removed")

    def diff_field(self, *path: str) -> Iterator[Cause]:
        """Yield the differences in one field of the file, or in all of it."""
        yield from self.diff_nodes(get_field(self.base, *path), get_field(self.head, *path))

    def _diff_lists(self, base: tuple[Node, ...], head: tuple[Node, ...]) -> Iterator[Cause]:
        """Compare the elements between the common prefix and the common suffix of two lists."""
        start = _common_prefix_length(base, head)
        end = _common_prefix_length(base[start:][::-1], head[start:][::-1])
        old, new = base[start : len(base) - end], head[start : len(head) - end]
        if len(old) == len(new):
            for old_item, new_item in zip(old, new, strict=True):
                yield from self.diff_nodes(old_item, new_item)
        else:
            yield from (cause for item in old for cause in self.removed_causes(item))
            yield from (cause for item in new for cause in self.added_causes(item))

    def _edit_position(self, head: Node) -> Mark:
        """Return where a value was edited: its anchor, if an alias repeats it and the anchored value differs."""
        origin = self.head.aliases.get(head.mark) if self.head else None
        if origin is None or self.base is None or self.head is None:
            return head.mark
        anchored = _find_anchored(self.base.root, self.head.root, origin)
        return origin if anchored and not are_nodes_equal(*anchored) else head.mark


def diff_documents(base: Document | None, head: Document | None, *path: str) -> Iterator[Cause]:
    """Yield the differences in one field of two versions of a file, or in all of it; either may be None."""
    file = head or base
    if file:
        yield from FileVersions(file.path, base, head).diff_field(*path)


def _find_anchored(base: Node, head: Node, position: Mark) -> tuple[Node, Node] | None:
    """Return the scalar at a position in the head, preceded by the base's node under the same keys."""
    if head.mark == position and isinstance(head, ScalarNode):
        return base, head
    pairs: Iterable[tuple[Node | None, Node]] = ()
    if isinstance(base, MappingNode) and isinstance(head, MappingNode):
        pairs = ((base.entries.get(key), node) for key, node in head.entries.items())
    elif isinstance(base, SequenceNode) and isinstance(head, SequenceNode):
        pairs = zip(base.items, head.items, strict=False)
    matches = (_find_anchored(base_node, head_node, position) for base_node, head_node in pairs if base_node)
    return next(filter(None, matches), None)


def _common_prefix_length(base: tuple[Node, ...], head: tuple[Node, ...]) -> int:
    """Return the number of equal elements that two lists begin with."""
    count = 0
    for base_node, head_node in zip(base, head, strict=False):
        if not are_nodes_equal(base_node, head_node):
            break
        count += 1
    return count
