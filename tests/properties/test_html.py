"""Random organizations as an HTML page: every cell shows the answer of `explain`, and no secret is in the file."""

import tempfile
from pathlib import Path

from hypothesis import event, given, settings

from envtree.cli.support.session import tree_request
from envtree.engine.run import Run
from envtree.queries.explain import explain_bundle
from envtree.report.html import render_html
from envtree.sources.tree import DirectoryTree
from tests.properties.organizations import Organization, organizations
from tests.properties.test_organizations import SLOW
from tests.properties.writing import write_tree
from tests.support.html_page import Page, read_page_data
from tests.support.rounds import rounds
from tests.unit.report.test_html import check_bundle


@settings(SLOW, max_examples=rounds(gate=15, full=40))
@given(organizations())
def test_every_cell_tells_what_explain_tells(drawn: Organization) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree").resolve()
        write_tree(root, drawn.tree, drawn.secrets, flow=drawn.flow)
        html = render_html(Run(tree_request(DirectoryTree(root))))
        run = Run(tree_request(DirectoryTree(root)))
        results = list(run.results())
    assert b"ENC[" not in html
    if run.error_monitor.has_errors() or run.workspace is None:
        return
    event("bundles")
    page = Page(read_page_data(html))
    for result in results:
        check_bundle(page, explain_bundle(run.workspace, result, run.recorded_inputs()))
