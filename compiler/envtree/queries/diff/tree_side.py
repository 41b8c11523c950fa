"""The two trees of a comparison, and a bundle in both of them."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.diagnostics.codes import is_read_failure
from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.model.bundle_entities import EntityIndex
from envtree.model.merged import MergedStack
from envtree.model.nodes import Document
from envtree.model.resource import Resource
from envtree.model.workspace import Workspace


class TreeSide(NamedTuple):
    """One of the two trees; `workspace` is None without a usable organization.

    Nothing is known of `unread_files` but that they exist.
    """

    workspace: Workspace | None
    files: Mapping[str, Resource]
    files_with_errors: frozenset[str]
    unread_files: frozenset[str]
    entity_index: EntityIndex

    def document(self, path: str) -> Document | None:
        """Return a file of the tree, or None."""
        resource = self.files.get(path)
        return resource.document if resource else None

    def digest(self, path: str) -> str:
        """Return the digest of a file's content; empty if the tree does not have the file."""
        document = self.document(path)
        return document.digest if document else ""


def make_tree_side(run: Run) -> TreeSide:
    """Return the tree, or the part of it, that a run has read; the run has computed nothing yet."""
    files_with_errors = run.severities.error_paths(run.diags)
    unread_files = frozenset(diagnostic.span.path for diagnostic in run.diags if is_read_failure(diagnostic.code))
    return TreeSide(
        workspace=run.workspace,
        files=run.all_files,
        files_with_errors=files_with_errors,
        unread_files=unread_files,
        entity_index=EntityIndex(run.workspace),
    )


class BundlePair(NamedTuple):
    """A bundle in both trees."""

    base: BundleResult
    head: BundleResult

    @property
    def merged_stacks(self) -> tuple[MergedStack, MergedStack]:
        """The merged layers in both trees."""
        return self.base.resolved.merged, self.head.resolved.merged
