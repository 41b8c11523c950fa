"""Explanations of random organizations: every value has one winner, which states it, and no secret is shown."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import event, given, settings

from envtree.cli.support.session import tree_request
from envtree.engine.run import Run
from envtree.model.keypath import format_path
from envtree.model.resolved import SECTIONS
from envtree.queries.explain import ExplainedBundle, explain, explain_bundle, layer_order, overview
from envtree.queries.explain.provenance_model import Provenance
from envtree.queries.explain.to_json import explanation_data, order_data, overview_data
from envtree.report.explain_text import render_layer_order, render_overview, render_provenance
from envtree.sources.tree import DirectoryTree
from tests.properties.organizations import Organization, organizations
from tests.properties.test_organizations import SLOW
from tests.properties.writing import write_tree
from tests.support.rounds import rounds


@settings(SLOW, max_examples=rounds(gate=25, full=60))
@given(organizations())
def test_every_value_has_one_winner_which_says_it(drawn: Organization) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        write_tree(root, drawn.tree, drawn.secrets, flow=drawn.flow)
        run = Run(tree_request(DirectoryTree(root.resolve())))
        results = list(run.results())
    if run.error_monitor.has_errors() or run.workspace is None:
        return
    event("bundles")
    for result in results:
        check(explain_bundle(run.workspace, result, run.recorded_inputs()))


def check(bundle: ExplainedBundle) -> None:
    text = json.dumps([overview_data("a/b@c", overview(bundle)), order_data("a/b@c", layer_order(bundle))])
    assert render_overview(overview(bundle), color=False)
    assert render_layer_order(layer_order(bundle))
    for path in all_paths(bundle):
        provenance = explain(bundle, format_path(path))
        assert render_provenance("a/b@c", provenance, color=True)
        text += json.dumps(explanation_data("a/b@c", provenance))
        if provenance.summary.key == format_path(path):
            check_winner(provenance, path)
    assert "ENC[" not in text


def all_paths(bundle: ExplainedBundle) -> list[tuple[str, ...]]:
    """Return the paths of all values in a bundle."""
    roots = [name for name in ("env_vars", *SECTIONS) if bundle.merged.sections.get(name)]
    return [path for root in roots for path in paths_below(bundle.data[root], (root,))]


def paths_below(data: Any, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(below for key, child in items for below in paths_below(child, (*path, str(key))))]


def check_winner(provenance: Provenance, path: tuple[str, ...]) -> None:
    winners = [entry for entry in provenance.layer_entries if entry.is_winner]
    if path == ("env_vars",) and not winners:
        return
    (winner,) = winners
    assert winner.action in ("set", "locked")
    assert winner.origin == provenance.summary.origin
    assert winner.written
    if (
        winner.written.type in ("text", "number", "boolean", "null")
        and not provenance.secret
        and not winner.written.is_secret
    ):
        written, value = winner.written.value, provenance.summary.value
        assert value is not None or written is None
        if path[0] != "env_vars":
            assert (written == value) or "${{" in str(written)
