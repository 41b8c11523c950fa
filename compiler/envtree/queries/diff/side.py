"""The two trees of a comparison, and one bundle as it is in both."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.diagnostics.codes import is_unread
from envtree.engine.run import Result, Run
from envtree.model.entities import Roster
from envtree.model.merged import MergedStack
from envtree.model.nodes import Document
from envtree.model.resource import Resource
from envtree.model.workspace import Workspace


class Side(NamedTuple):
    """One of the two trees; `workspace` is None without a usable organization.

    Errors stand in the `broken` files; of the `unread` ones nothing is known but that they are there.
    """

    workspace: Workspace | None
    files: Mapping[str, Resource]
    broken: frozenset[str]
    unread: frozenset[str]
    roster: Roster

    def document(self, path: str) -> Document | None:
        """A file of the tree, by its path."""
        resource = self.files.get(path)
        return resource.document if resource else None

    def digest(self, path: str) -> str:
        """What is in a file; empty without the file."""
        document = self.document(path)
        return document.digest if document else ""


def side_of(run: Run) -> Side:
    """The tree of a run that has computed nothing yet, or a part of it with what stands outside of projects."""
    broken = run.severities.errors(run.diags)
    unread = frozenset(one.span.path for one in run.diags if is_unread(one.code))
    return Side(run.workspace, run.every_file, broken, unread, Roster(run.workspace))


class Pair(NamedTuple):
    """One bundle as it is on both sides."""

    base: Result
    head: Result

    @property
    def both(self) -> tuple[MergedStack, MergedStack]:
        """What the layers merge to, on both sides."""
        return self.base.resolved.merged, self.head.resolved.merged
