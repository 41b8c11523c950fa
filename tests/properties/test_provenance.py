"""Random organizations: what is written beside a bundle is what explain says of it, whatever was said before."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings

from envtree.compile.resolve.expression import Compiler
from envtree.engine.run import Request, Result, Run
from envtree.model.value_path import MODEL, Place
from envtree.output.emit import values
from envtree.queries.explain import Explained, ladder, order
from envtree.queries.explain.bundle import explained, keys
from envtree.queries.explain.provenance import provenance
from envtree.queries.explain.to_json import ladder_data, order_data
from envtree.sources.tree import DirectoryTree
from tests.properties.organizations import Organization, organizations
from tests.properties.test_organizations import SLOW
from tests.properties.writing import write_tree


@settings(SLOW, max_examples=25)
@given(organizations())
def test_neighbours_share_only_what_is_the_same(drawn: Organization) -> None:
    compare(drawn)


@pytest.mark.slow
@settings(SLOW, max_examples=800)
@given(organizations())
def test_neighbours_share_only_what_is_the_same_for_long(drawn: Organization) -> None:
    compare(drawn)


def compare(drawn: Organization) -> None:
    """Write a tree, and compare what is told of all bundles in turn with what is told of each alone."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        write_tree(root, drawn.tree, drawn.secrets, flow=drawn.flow)
        run = Run(Request(DirectoryTree(root.resolve())))
        told = list(provenance(run))
    if run.workspace is None or run.watch.found():
        return
    event("bundles")
    for result, ((_, data),) in told:
        assert b"ENC[" not in data
        assert json.loads(data) == expected(run, result)


def expected(run: Run, result: Result) -> dict[str, Any]:
    """What is written beside a bundle, as explain says it."""
    assert run.workspace
    bundle = explained(run.workspace, result, run.inputs_read())
    assert bundle.data == values(result.bundle, None)
    answer = order_data(result.bundle.target.id, order(bundle)) | {"keys": [key(bundle, path) for path in keys(bundle)]}
    data: dict[str, Any] = json.loads(json.dumps(answer))
    return data


def key(bundle: Explained, path: tuple[str, ...]) -> dict[str, Any]:
    """All about one key, with its winner, and without what explain adds."""
    place = Place("model" if path == (MODEL,) else "sections", path)
    answer = ladder_data("", ladder(bundle, place, Compiler()))
    (winner,) = (rung for rung in answer["layers"] if rung["wins"])
    where = {name: winner[name] for name in ("layer", "scope", "path", "line", "column")}
    layers = [rung for rung in answer["layers"] if rung["action"] != "absent"]
    told = ("key", "value", "sensitive", "expression", "reads", "lock", "secret")
    return where | {name: answer[name] for name in told} | {"layers": layers}
