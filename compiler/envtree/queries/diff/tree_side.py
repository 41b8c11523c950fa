"""The two trees of a comparison, and one bundle as it is in both."""

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

    Errors stand in the `broken` files; of the `unread` ones nothing is known but that they are there.
    """

    workspace: Workspace | None
    files: Mapping[str, Resource]
    files_with_errors: frozenset[str]
    unread_files: frozenset[str]
    roster: EntityIndex

    def document(self, path: str) -> Document | None:
        """A file of the tree, by its path."""
        resource = self.files.get(path)
        return resource.document if resource else None

    def digest(self, path: str) -> str:
        """What is in a file; empty without the file."""
        document = self.document(path)
        return document.digest if document else ""


def make_tree_side(run: Run) -> TreeSide:
    """The tree of a run that has computed nothing yet, or a part of it with what stands outside of projects."""
    broken = run.severities.error_paths(run.diags)
    unread = frozenset(one.span.path for one in run.diags if is_read_failure(one.code))
    return TreeSide(run.workspace, run.all_files, broken, unread, EntityIndex(run.workspace))


class BundlePair(NamedTuple):
    """One bundle as it is on both sides."""

    base: BundleResult
    head: BundleResult

    @property
    def merged_stacks(self) -> tuple[MergedStack, MergedStack]:
        """What the layers merge to, on both sides."""
        return self.base.resolved.merged, self.head.resolved.merged
