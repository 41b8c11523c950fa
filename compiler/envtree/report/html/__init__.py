"""A report on a tree as one self-contained HTML file, which contains no secret and loads nothing."""

from envtree.engine.run import Run
from envtree.queries.diff.diff_model import Diff
from envtree.report.html.page import render_page
from envtree.report.html.page_data import build_page_data


def render_html(run: Run, difference: Diff | None = None) -> bytes:
    """Return the page about a fresh run, which is finished afterwards, and the difference from another tree, if any."""
    return render_page(build_page_data(run, difference))


__all__ = ["build_page_data", "render_html", "render_page"]
