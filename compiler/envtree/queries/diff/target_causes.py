"""Why only one of the trees has a bundle."""

from collections.abc import Iterator

from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.queries.diff.diff_model import Cause
from envtree.queries.diff.node_edits import diff_documents
from envtree.queries.diff.tree_side import TreeSide

# What chooses the environments of a bundle, where a file says anything of it.
_TARGET_FIELDS = ("targets", "abstract")
# Whose files may be why there is a bundle, the most telling one first.
_ENTITY_PRECEDENCE = ("agent", "environment", "team", "project")


def find_target_causes(id: str, base: TreeSide, head: TreeSide) -> tuple[Cause, ...]:
    """A new or removed file, the most telling one, or the lines that choose environments."""
    before, after = (_entity_documents(side, id) for side in (base, head))
    pairs = list(zip(before, after, strict=True))
    whole = (cause for one, other in pairs for cause in _file_causes(one, other))
    first = next(whole, None)
    if first:
        return (first,)
    edited = (diff_documents(one, other, name) for one, other in pairs for name in _TARGET_FIELDS if one and other)
    return tuple(dict.fromkeys(cause for causes in edited for cause in causes))


def is_uncertain(id: str, base: TreeSide, head: TreeSide) -> bool:
    """Whether an error in a file that decides whether there is this bundle may be why only one of the trees has it."""
    return any(_has_error(side, id) for side in (base, head))


def _has_error(side: TreeSide, id: str) -> bool:
    # Without an organization there are no bundles; that none is there is no error, but one that cannot be read is.
    if side.workspace is None:
        return bool(side.files_with_errors)
    return any(document.path in side.files_with_errors for document in _entity_documents(side, id) if document)


def _entity_documents(side: TreeSide, id: str) -> list[Document | None]:
    found = side.roster.entities_of(Target.parse(id)).documents
    return [found.get(name) for name in _ENTITY_PRECEDENCE]


def _file_causes(base: Document | None, head: Document | None) -> Iterator[Cause]:
    if base is None and head:
        yield Cause(head.path, 1, "added")
    elif head is None and base:
        yield Cause(base.path, 1, "removed")
