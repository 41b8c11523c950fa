"""A tree to look at: one self-contained HTML file, in which no secret stands and which loads nothing."""

from envtree.engine.run import Run
from envtree.queries.diff.model import Diff
from envtree.report.html.data import page_data
from envtree.report.html.page import page


def html(run: Run, difference: Diff | None = None) -> bytes:
    """The page about a fresh run, which is finished afterwards, and about what differs from another tree."""
    return page(page_data(run, difference))


__all__ = ["html", "page", "page_data"]
