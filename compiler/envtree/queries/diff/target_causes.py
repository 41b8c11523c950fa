"""Find out why only one of two trees has a bundle."""

from collections.abc import Iterator

from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.queries.diff.diff_model import Cause
from envtree.queries.diff.node_edits import diff_documents
from envtree.queries.diff.tree_side import TreeSide

# The fields that choose the environments of a bundle.
_TARGET_FIELDS = ("targets", "abstract")
# The entities whose files a bundle depends on, the most specific first.
_ENTITY_PRECEDENCE = ("agent", "environment", "team", "project")


def find_target_causes(id: str, base: TreeSide, head: TreeSide) -> tuple[Cause, ...]:
    """Return the new or removed file of the most specific entity, or else the edited lines that choose environments."""
    base_documents, head_documents = (_entity_documents(side, id) for side in (base, head))
    pairs = list(zip(base_documents, head_documents, strict=True))
    file_causes = (
        cause for base_document, head_document in pairs for cause in _file_causes(base_document, head_document)
    )
    first = next(file_causes, None)
    if first:
        return (first,)
    edited = (
        diff_documents(base_document, head_document, name)
        for base_document, head_document in pairs
        for name in _TARGET_FIELDS
        if base_document and head_document
    )
    return tuple(dict.fromkeys(cause for causes in edited for cause in causes))


def is_uncertain(id: str, base: TreeSide, head: TreeSide) -> bool:
    """Report whether an error in either tree may be the reason that only one of them has the bundle."""
    return any(_has_error(side, id) for side in (base, head))


def _has_error(side: TreeSide, id: str) -> bool:
    # Without an organization there are no bundles. A missing one is no error; one that cannot be read is.
    if side.workspace is None:
        return bool(side.files_with_errors)
    return any(document.path in side.files_with_errors for document in _entity_documents(side, id) if document)


def _entity_documents(side: TreeSide, id: str) -> list[Document | None]:
    documents = side.entity_index.entities_of(Target.parse(id)).documents
    return [documents.get(name) for name in _ENTITY_PRECEDENCE]


def _file_causes(base: Document | None, head: Document | None) -> Iterator[Cause]:
    if base is None and head:
        yield Cause(head.path, 1, "added")
    elif head is None and base:
        yield Cause(base.path, 1, "removed")
