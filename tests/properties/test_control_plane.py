"""Random organizations at the control plane: its own rules must resolve our resources to the values of the bundles."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings

from envtree.cli.support.session import tree_request
from envtree.controlplane.desired import RESOURCE_KINDS, DesiredResource, ResourceRef, iter_refs
from envtree.controlplane.desired.resource_names import ResourceNames
from envtree.controlplane.desired.server_view import ServerRuntime, server_view
from envtree.controlplane.desired.to_json import resources_to_json
from envtree.engine.run import Run
from envtree.model.layers import Target
from envtree.output.emit import bundle_json
from envtree.sources.tree import DirectoryTree
from tests.properties.organizations import Organization, organizations
from tests.properties.test_organizations import SLOW
from tests.properties.writing import OpenBook, write_tree
from tests.support.rounds import rounds


def compiled(drawn: Organization) -> tuple[Run, dict[Target, Mapping[str, Any]]]:
    """Compile an organization; return the run, and its bundles with their secrets in clear."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "tree")
        write_tree(root, drawn.tree, drawn.secrets, flow=drawn.flow)
        request = tree_request(DirectoryTree(root.resolve()), decrypter=lambda policy: OpenBook(drawn.secrets))
        run = Run(request._replace(require_inputs=True, control_plane=True))
        bundles = list(run.bundles())
    return run, {bundle.target: bundle_json(bundle, "plain") for bundle in bundles if run.desired is not None}


@settings(SLOW, max_examples=rounds(gate=15, full=30))
@given(organizations())
def test_the_server_gives_agents_what_their_bundles_have(drawn: Organization) -> None:
    assert_equal(drawn)


@pytest.mark.full
@settings(SLOW, max_examples=1000)
@given(organizations())
def test_the_server_gives_agents_what_their_bundles_have_for_long(drawn: Organization) -> None:
    assert_equal(drawn)


def assert_equal(drawn: Organization) -> None:
    """Compare every agent as the server resolves it with its bundle."""
    run, bundles = compiled(drawn)
    if run.desired is None or run.workspace is None:
        event("errors")
        return
    event("resources")
    resources, names = {resource.ref: resource for resource in run.desired}, ResourceNames(run.workspace)
    for target, data in bundles.items():
        agent = resources[ResourceRef("agent", names.agent(target))]
        sent = agent.body["execution_environment"]
        vault = {name: data["env_vars"][name] for name in sent.get("secrets", ())}
        assert set(vault) == {name for name in data["sensitive"] if name in data["env_vars"]}
        view = server_view(agent, resources, ServerRuntime(vault))
        assert (view.env_vars, view.missing_secrets) == (data["env_vars"], ())
        for name, server in sent.get("mcp_servers", {}).items():
            # A value with other templates of the server stays as it is, and is reported.
            if "{{" not in json.dumps(data["mcp_servers"][name]):
                assert view.mcp_servers[name] == data["mcp_servers"][name], server


@settings(SLOW, max_examples=rounds(gate=10, full=20))
@given(organizations())
def test_resources_can_be_made_in_their_order(drawn: Organization) -> None:
    run, _ = compiled(drawn)
    if run.desired is None:
        return
    assert len({resource.ref for resource in run.desired}) == len(run.desired)
    created: set[ResourceRef] = set()
    for resource in run.desired:
        assert {*iter_refs(resource.body), *iter_refs(resource.parent)} <= created, resource.ref
        created.add(resource.ref)
    assert [RESOURCE_KINDS.index(resource.kind) for resource in run.desired] == sorted(
        RESOURCE_KINDS.index(resource.kind) for resource in run.desired
    )
    for resource in run.desired:
        assert {
            *iter_refs(resource.late),
            *(ref for link in resource.links for ref in iter_refs(link.member)),
        } <= created
    _check_texts(run.desired)


def _check_texts(resources: tuple[DesiredResource, ...]) -> None:
    """Check that every variable is text, which the server requires, and that everything is JSON."""
    for resource in resources:
        section = resource.body.get("execution_environment") or {}
        assert all(type(value) is str for value in section.get("env_vars", {}).values())
        assert "".join(section.get("secrets", [])) == "".join(sorted(section.get("secrets", [])))
    json.dumps(resources_to_json("acme", resources))
