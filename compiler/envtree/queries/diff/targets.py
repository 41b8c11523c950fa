"""Why only one of the trees has a bundle."""

from collections.abc import Iterator

from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.queries.diff.edits import in_documents
from envtree.queries.diff.model import Cause
from envtree.queries.diff.side import Side

# What chooses the environments of a bundle, where a file says anything of it.
_FIELDS = ("targets", "abstract")
# Whose files may be why there is a bundle, the most telling one first.
_TELLING = ("agent", "environment", "team", "project")


def target_causes(id: str, base: Side, head: Side) -> tuple[Cause, ...]:
    """A new or removed file, the most telling one, or the lines that choose environments."""
    before, after = (_documents(side, id) for side in (base, head))
    pairs = list(zip(before, after, strict=True))
    whole = (cause for one, other in pairs for cause in _whole(one, other))
    first = next(whole, None)
    if first:
        return (first,)
    edited = (in_documents(one, other, name) for one, other in pairs for name in _FIELDS if one and other)
    return tuple(dict.fromkeys(cause for causes in edited for cause in causes))


def is_uncertain(id: str, base: Side, head: Side) -> bool:
    """Whether an error in a file that decides whether there is this bundle may be why only one of the trees has it."""
    return any(_in_error(side, id) for side in (base, head))


def _in_error(side: Side, id: str) -> bool:
    # Without an organization there are no bundles; that none is there is no error, but one that cannot be read is.
    if side.workspace is None:
        return bool(side.broken)
    return any(document.path in side.broken for document in _documents(side, id) if document)


def _documents(side: Side, id: str) -> list[Document | None]:
    found = side.roster.of(Target.parse(id)).documents
    return [found.get(name) for name in _TELLING]


def _whole(base: Document | None, head: Document | None) -> Iterator[Cause]:
    if base is None and head:
        yield Cause(head.path, 1, "added")
    elif head is None and base:
        yield Cause(base.path, 1, "removed")
