"""Random organizations: the provenance written beside a bundle equals the answer of explain, for any bundles before."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings

from envtree.cli.support.session import tree_request
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.engine.request import BundleResult
from envtree.engine.run import Run
from envtree.model.value_path import MODEL_KEY, ValuePath
from envtree.output.emit import bundle_data
from envtree.queries.explain import ExplainedBundle, layer_order, trace_provenance
from envtree.queries.explain.explained_bundle import explain_bundle, list_keys
from envtree.queries.explain.provenance_file import attach_provenance
from envtree.queries.explain.to_json import explanation_data, order_data
from envtree.sources.tree import DirectoryTree
from tests.properties.organizations import Organization, organizations
from tests.properties.test_organizations import SLOW
from tests.properties.writing import write_tree
from tests.support.rounds import rounds


@settings(SLOW, max_examples=rounds(gate=12, full=25))
@given(organizations())
def test_neighbours_share_only_what_is_the_same(drawn: Organization) -> None:
    compare(drawn)


@pytest.mark.full
@settings(SLOW, max_examples=800)
@given(organizations())
def test_neighbours_share_only_what_is_the_same_for_long(drawn: Organization) -> None:
    compare(drawn)


def compare(drawn: Organization) -> None:
    """Write a tree, and compare the provenance of all bundles in turn with that of each bundle alone."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        write_tree(root, drawn.tree, drawn.secrets, flow=drawn.flow)
        run = Run(tree_request(DirectoryTree(root.resolve())))
        provenances = list(attach_provenance(run))
    if run.workspace is None or run.error_monitor.has_errors():
        return
    event("bundles")
    for result, ((_, data),) in provenances:
        assert b"ENC[" not in data
        assert json.loads(data) == expected(run, result)


def expected(run: Run, result: BundleResult) -> dict[str, Any]:
    """Return the provenance of a bundle as explain computes it."""
    assert run.workspace
    bundle = explain_bundle(run.workspace, result, run.recorded_inputs())
    assert bundle.data == bundle_data(result.bundle, None)
    answer = order_data(result.bundle.target.id, layer_order(bundle)) | {
        "keys": [key(bundle, path) for path in list_keys(bundle)]
    }
    data: dict[str, Any] = json.loads(json.dumps(answer))
    return data


def key(bundle: ExplainedBundle, path: tuple[str, ...]) -> dict[str, Any]:
    """Return the provenance of one key with its winner, without the additions of explain."""
    value_path = ValuePath("model" if path == (MODEL_KEY,) else "sections", path)
    answer = explanation_data("", trace_provenance(bundle, value_path, ExpressionCompiler()))
    (winner,) = (entry for entry in answer["layers"] if entry["wins"])
    origin = {name: winner[name] for name in ("layer", "scope", "path", "line", "column")}
    layers = [entry for entry in answer["layers"] if entry["action"] != "absent"]
    field_names = ("key", "value", "sensitive", "expression", "reads", "lock", "secret")
    return origin | {name: answer[name] for name in field_names} | {"layers": layers}
