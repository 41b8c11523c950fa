"""A tree restricted to one bundle gives the same bundle, and only the files that it needs are read."""

from pathlib import Path

import pytest

from envtree.cli.support.session import tree_request
from envtree.output.emit import bundle_json
from envtree.sources.single_bundle import SingleBundleTree
from envtree.sources.tree import DirectoryTree, Tree
from tests.support.trees import MemoryTree, start_run

EXAMPLES = Path(__file__).parents[3] / "examples"
SMALL = {
    "organization.yaml": "{name: acme, edition: 2026, default_model: m}",
    "environments/dev.yaml": "{}",
    "environments/prod.yaml": "{inherits: dev}",
    "agents/bot.yaml": "{environments: {dev: {execution_environment: {env_vars: {A: x}}}}}",
    "agents/bot2.yaml": "{}",
    "teams/bot/team.yaml": "{}",
    "teams/bot/agents/bot.yaml": "{}",
    "teams/other/team.yaml": "{}",
    "teams/other/agents/bot.yaml": "{}",
    "workflows/w.yaml": "{}",
}


@pytest.mark.parametrize(
    "tree",
    [MemoryTree(SMALL), DirectoryTree(EXAMPLES / "acme"), DirectoryTree(EXAMPLES / "minimal")],
    ids=["small", "acme", "minimal"],
)
def test_the_bundle_of_a_narrow_tree_is_that_of_the_whole(tree: Tree) -> None:
    whole = {bundle.target.id: bundle for bundle in start_run(tree_request(tree)).bundles()}
    assert whole
    for id, bundle in whole.items():
        run = start_run(tree_request(SingleBundleTree(tree, id), (id,), allow_empty=True))
        assert [bundle_json(narrow, "ref") for narrow in run.bundles()] == [bundle_json(bundle, "ref")]
        assert {run_id.partition("@")[0] for run_id in run.ids} == {id.partition("@")[0]}


@pytest.mark.parametrize(
    ("id", "agents"),
    [
        ("default/bot@dev", ["agents/bot.yaml"]),
        ("default/bot/bot@dev", ["teams/bot/agents/bot.yaml"]),
        ("default/bot/bot2@dev", []),
        ("other/bot@dev", []),
        ("bot@dev", []),
        ("bot", []),
        ("", []),
        ("@", []),
        ("a/b/c/d@dev", []),
    ],
)
def test_only_the_files_of_the_agent_are_read(id: str, agents: list[str]) -> None:
    files = start_run(tree_request(SingleBundleTree(MemoryTree(SMALL), id), (id,), allow_empty=True)).files
    assert [path for path in files if "agents/" in path] == agents
    assert {"organization.yaml", "environments/dev.yaml", "environments/prod.yaml"} <= files.keys()
