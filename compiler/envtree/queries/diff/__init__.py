"""What differs between two trees: the values of their bundles, grouped, each with the lines that made it differ."""

from collections.abc import Callable

from envtree.queries.diff.by_project import in_parts
from envtree.queries.diff.model import BundleChange, Change, Diff
from envtree.queries.diff.trees import Extent, Named
from envtree.queries.diff.whole_tree import whole


def diff(base: Named, head: Named, fit: Callable[[Extent], None] = lambda _: None) -> Diff:
    """Compare two trees. One without an organization has no bundles.

    `fit` hears what there is to compare as soon as this is known, and may raise.
    """
    return in_parts(base, head, fit) or whole(base, head, fit)


__all__ = ["BundleChange", "Change", "Diff", "Extent", "Named", "diff"]
