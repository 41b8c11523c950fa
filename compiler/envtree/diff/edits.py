"""Where two versions of a file differ, node by node."""

from collections.abc import Iterator

from envtree.diff.model import Cause
from envtree.node import Document, Mapping, Node, Sequence
from envtree.sayings import same


def edits(base: Node | None, head: Node | None, path: str) -> Iterator[Cause]:
    """The innermost nodes that differ; `path` is the file's, the same on both sides."""
    if base is None or head is None:
        if base is not None:
            yield Cause(path, base.at[0], "removed")
        elif head is not None:
            yield Cause(path, head.at[0], "added")
    elif isinstance(base, Mapping) and isinstance(head, Mapping):
        for key in dict.fromkeys((*base.entries, *head.entries)):
            yield from edits(base.entries.get(key), head.entries.get(key), path)
    elif isinstance(base, Sequence) and isinstance(head, Sequence):
        yield from _in_lists(base.items, head.items, path)
    elif not same(base, head):
        yield Cause(path, head.at[0], "edited")


def in_documents(base: Document | None, head: Document | None, path: str, *field: str) -> Iterator[Cause]:
    """Where one field of two versions of a file, or all of it, differs; either file may be missing."""
    one, other = _field(base, field), _field(head, field)
    yield from edits(one, other, path)


def _field(document: Document | None, field: tuple[str, ...]) -> Node | None:
    node: Node | None = document.root if document else None
    for key in field:
        node = node.entries.get(key) if isinstance(node, Mapping) else None
    return node


def _in_lists(base: tuple[Node, ...], head: tuple[Node, ...], path: str) -> Iterator[Cause]:
    """Elements are compared between those that both lists begin and end with."""
    start = _alike(base, head)
    end = _alike(base[start:][::-1], head[start:][::-1])
    old, new = base[start : len(base) - end], head[start : len(head) - end]
    if len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            yield from edits(one, other, path)
    else:
        yield from (Cause(path, item.at[0], "removed") for item in old)
        yield from (Cause(path, item.at[0], "added") for item in new)


def _alike(base: tuple[Node, ...], head: tuple[Node, ...]) -> int:
    """With how many equal elements two lists begin."""
    count = 0
    for one, other in zip(base, head, strict=False):
        if not same(one, other):
            break
        count += 1
    return count
