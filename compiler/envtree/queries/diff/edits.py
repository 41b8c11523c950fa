"""Where two versions of a file differ, node by node."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envtree.model.fields import field
from envtree.model.nodes import Document, Mapping, Node, Scalar, Sequence
from envtree.model.span import Mark
from envtree.queries.diff.model import Cause
from envtree.queries.layer_statements import same


class Versions(NamedTuple):
    """A file as it is on both sides; it is missing on one of them if it is new, or gone."""

    path: str
    base: Document | None
    head: Document | None

    def edits(self, base: Node | None, head: Node | None) -> Iterator[Cause]:
        """The innermost nodes that differ between two that stand at the same place."""
        if base is None or head is None:
            yield from self.added(head) if head else self.removed(base) if base else ()
        elif isinstance(base, Mapping) and isinstance(head, Mapping):
            for key in dict.fromkeys((*base.entries, *head.entries)):
                yield from self.edits(base.entries.get(key), head.entries.get(key))
        elif isinstance(base, Sequence) and isinstance(head, Sequence):
            yield from self._in_lists(base.items, head.items)
        elif not same(base, head):
            yield Cause(self.path, self._written(head)[0], "edited")

    def added(self, node: Node) -> Iterator[Cause]:
        """A node that the base does not have."""
        yield Cause(self.path, node.at[0], "added")

    def removed(self, node: Node) -> Iterator[Cause]:
        """A node that the head does not have."""
        yield Cause(self.base.path if self.base else self.path, node.at[0], "removed")

    def field(self, *path: str) -> Iterator[Cause]:
        """Where one field of the file, or all of it, differs."""
        yield from self.edits(field(self.base, *path), field(self.head, *path))

    def _in_lists(self, base: tuple[Node, ...], head: tuple[Node, ...]) -> Iterator[Cause]:
        """Elements are compared between those that both lists begin and end with."""
        start = _alike(base, head)
        end = _alike(base[start:][::-1], head[start:][::-1])
        old, new = base[start : len(base) - end], head[start : len(head) - end]
        if len(old) == len(new):
            for one, other in zip(old, new, strict=True):
                yield from self.edits(one, other)
        else:
            yield from (cause for item in old for cause in self.removed(item))
            yield from (cause for item in new for cause in self.added(item))

    def _written(self, head: Node) -> Mark:
        """Where a value was edited: if an alias repeats it, where its anchor stands, unless that says the same."""
        origin = self.head.aliases.get(head.at) if self.head else None
        if origin is None or self.base is None or self.head is None:
            return head.at
        anchored = _anchored(self.base.root, self.head.root, origin)
        return origin if anchored and not same(*anchored) else head.at


def in_documents(base: Document | None, head: Document | None, *path: str) -> Iterator[Cause]:
    """Where one field of two versions of a file, or all of it, differs; either file may be missing."""
    file = head or base
    if file:
        yield from Versions(file.path, base, head).field(*path)


def _anchored(base: Node, head: Node, place: Mark) -> tuple[Node, Node] | None:
    """What the head has at a place, and what the base has under the same keys."""
    if head.at == place and isinstance(head, Scalar):
        return base, head
    pairs: Iterable[tuple[Node | None, Node]] = ()
    if isinstance(base, Mapping) and isinstance(head, Mapping):
        pairs = ((base.entries.get(key), node) for key, node in head.entries.items())
    elif isinstance(base, Sequence) and isinstance(head, Sequence):
        pairs = zip(base.items, head.items, strict=False)
    found = (_anchored(one, other, place) for one, other in pairs if one)
    return next(filter(None, found), None)


def _alike(base: tuple[Node, ...], head: tuple[Node, ...]) -> int:
    """With how many equal elements two lists begin."""
    count = 0
    for one, other in zip(base, head, strict=False):
        if not same(one, other):
            break
        count += 1
    return count
