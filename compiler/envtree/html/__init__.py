"""A tree to look at: one self-contained HTML file, in which no secret stands and which loads nothing."""

from envtree.diff.model import Diff
from envtree.html.data import page_data
from envtree.html.page import page
from envtree.pipeline import Run


def html(run: Run, difference: Diff | None = None) -> bytes:
    """The page about a fresh run, which is finished afterwards, and about what differs from another tree."""
    return page(page_data(run, difference))


__all__ = ["html", "page", "page_data"]
