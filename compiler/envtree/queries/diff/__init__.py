"""Compare two trees: the values of their bundles that differ, grouped, each with the lines that caused it."""

from collections.abc import Callable

from envtree.queries.diff.by_project import compare_by_project
from envtree.queries.diff.comparison import ComparisonScope, LabelledTree
from envtree.queries.diff.diff_model import BundleChange, Diff, ValueChange
from envtree.queries.diff.whole_tree import compare_whole_trees


def diff(
    base: LabelledTree, head: LabelledTree, check_scope: Callable[[ComparisonScope], None] = lambda _: None
) -> Diff:
    """Compare two trees; a tree without an organization has no bundles.

    `check_scope` receives the scope of the comparison as soon as it is known, and may raise.
    """
    return compare_by_project(base, head, check_scope) or compare_whole_trees(base, head, check_scope)


__all__ = ["BundleChange", "ComparisonScope", "Diff", "LabelledTree", "ValueChange", "diff"]
