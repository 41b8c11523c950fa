"""The example company, explained: each origin has the text that produced the value; and the command line."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from envtree.cli.support.session import tree_request
from envtree.compile.resolve.expression_compiler import ExpressionCompiler
from envtree.engine.run import Run
from envtree.frontend.schemas import Schemas
from envtree.model.keypath import KeyPath, format_path
from envtree.model.merged import MergedValue
from envtree.model.value_path import ValuePath, child_values
from envtree.queries.explain import ExplainedBundle, explain, explain_bundle, trace_provenance
from envtree.queries.explain.provenance_model import ValueOrigin
from envtree.queries.explain.to_json import explanation_data
from envtree.sources.tree import DirectoryTree

ROOT = Path(__file__).parents[3]
ACME = ROOT / "examples/acme"
SECTIONS = ("env_vars", "config", "endpoints", "feature_flags", "integration_ids", "mcp_servers", "working_dir")
ID = "storefront/checkout/refund-clerk@production"


@cache
def bundles() -> Mapping[str, ExplainedBundle]:
    """Return every bundle of the example."""
    run = Run(tree_request(DirectoryTree(ACME)))
    assert run.workspace
    return {
        result.bundle.target.id: explain_bundle(run.workspace, result, run.recorded_inputs())
        for result in run.results()
    }


@cache
def written(path: str) -> dict[tuple[int, int], str]:
    """Return the texts of all scalars of a file by line and column, read by another YAML parser."""
    texts: dict[tuple[int, int], str] = {}
    agenda = [yaml.compose((ACME / path).read_text(encoding="utf-8"))]
    while agenda:
        node = agenda.pop()
        if isinstance(node, yaml.ScalarNode):
            texts[node.start_mark.line + 1, node.start_mark.column + 1] = node.value
        elif isinstance(node, yaml.MappingNode):
            agenda += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            agenda += node.value
    return texts


def read_back(origin: ValueOrigin) -> str:
    """Return the text at an origin."""
    assert origin.span
    return written(origin.path)[origin.span.line, origin.span.column]


def scalars(data: Any, path: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    if isinstance(data, (dict, list)):
        for key, child in data.items() if isinstance(data, dict) else enumerate(data):
            yield from scalars(child, (*path, str(key)))
    else:
        yield path, data


@pytest.mark.parametrize("id", bundles())
def test_the_winner_of_every_scalar_is_the_text_that_produced_it(id: str) -> None:
    bundle = bundles()[id]
    paths: list[tuple[KeyPath, Any]] = [(("model_id",), bundle.data["model_id"])]
    paths += [
        scalar for section in SECTIONS if bundle.data[section] for scalar in scalars(bundle.data[section], (section,))
    ]
    assert len(paths) > 20
    for path, value in paths:
        provenance = explain(bundle, format_path(path))
        assert (provenance.summary.key, provenance.summary.value) == (format_path(path), value)
        (winner,) = (entry for entry in provenance.layer_entries if entry.is_winner)
        assert winner.origin == provenance.summary.origin
        text = read_back(winner.origin)
        if provenance.secret:
            assert winner.key == format_path(("secrets", path[1]))
            assert winner.written
            assert text == winner.written.value
            assert read_back(provenance.secret.origin).startswith("ENC[")
        elif provenance.summary.expression:
            assert text == provenance.summary.expression
            assert all(source.origin for source in provenance.sources if source.value is not None)
        else:
            assert text == (value if isinstance(value, str) else json.dumps(value))


def test_there_are_values_of_every_kind() -> None:
    """The test above covers every section."""
    all_data = [bundle.data for bundle in bundles().values()]
    sections = {
        path[:1]
        for bundle_data in all_data
        for name in SECTIONS
        if bundle_data[name]
        for path, _ in scalars(bundle_data[name], (name,))
    }
    assert sections == {(name,) for name in SECTIONS}
    paths = [
        path
        for bundle_data in all_data
        for name in SECTIONS
        if bundle_data[name]
        for path, _ in scalars(bundle_data[name], (name,))
    ]
    assert max(map(len, paths)) > 3
    assert any(step.isdigit() for path in paths for step in path)
    assert any(bundle_data["secrets"] for bundle_data in all_data)


@pytest.mark.parametrize("id", bundles())
def test_the_winner_of_every_secret_is_the_ciphertext_in_its_file(id: str) -> None:
    bundle = bundles()[id]
    agenda: list[tuple[KeyPath, MergedValue]] = [((name,), value) for name, value in bundle.merged.secrets.items()]
    assert agenda
    while agenda:
        path, value = agenda.pop()
        children = child_values(value)
        agenda += [((*path, name), inner) for name, inner in children.items()]
        if not children:
            provenance = trace_provenance(bundle, ValuePath("sealed", path), ExpressionCompiler())
            (winner,) = (entry for entry in provenance.layer_entries if entry.is_winner)
            assert winner.origin == provenance.summary.origin
            assert read_back(winner.origin).startswith("ENC[")
            assert provenance.summary.value is None
            assert provenance.summary.sensitive


@pytest.mark.parametrize("id", bundles())
def test_every_layer_entry_is_where_its_value_is(id: str) -> None:
    for name in bundles()[id].data["env_vars"]:
        for entry in explain(bundles()[id], name).layer_entries:
            if entry.written:
                text = read_back(entry.origin)
                assert text == (
                    entry.written.value if isinstance(entry.written.value, str) else json.dumps(entry.written.value)
                )


def test_every_explanation_fits_the_schema_and_holds_no_secret() -> None:
    bundle = bundles()[ID]
    for name in (
        *bundle.data["env_vars"],
        *(section for section in SECTIONS if bundle.data[section]),
        "secrets",
        "model_id",
    ):
        data = explanation_data(ID, explain(bundle, name))
        assert Schemas().is_valid("output/explain", data), Schemas().find_faults("output/explain", data)
        assert not re.search(r"ENC\[", json.dumps(data))
