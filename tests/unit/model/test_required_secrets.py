"""Only the secrets files that a bundle may read are opened."""

from collections.abc import Mapping
from typing import Any

import pytest

from envtree.cli.support.session import tree_request
from envtree.compile.layer import layer
from envtree.compile.required_secrets import RequiredSecrets
from envtree.engine.run import Run
from tests.support.trees import MemoryTree, layers

SECRETS = {0: {"A": "x", "db": {"password": "x"}}, 3: {"B": "x"}}
ORGANIZATION, AGENT = "organization.secrets.yaml", "projects/p/teams/t/agents/a.secrets.yaml"


def needed(section: str, secrets: Mapping[int, Any] = SECRETS) -> list[str]:
    workspace = Run(tree_request(MemoryTree(layers("", "", "", section, secrets=secrets)))).workspace
    assert workspace
    (stack,) = layer(workspace, lambda id: True)
    return [file.path for file in RequiredSecrets().required_files(stack)]


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("", []),
        ("{env_vars: {A: plain secrets, B: '${{ agent.name }}'}}", []),
        ("{secrets: [A]}", [ORGANIZATION]),
        ("{secrets: {X: B}}", [AGENT]),
        ("{secrets: {X: db.password, Y: {$value: B}}}", [ORGANIZATION, AGENT]),
        ("{secrets: {$append: [B]}}", [AGENT]),
        ("{config: {a: [{b: '${{ secrets.db.password }}'}]}}", [ORGANIZATION]),
        ("{config: {a: \"${{ secrets['B'] ~ secrets . A }}\"}}", [ORGANIZATION, AGENT]),
        ("{env_vars: {A: '${{ secrets.B }} and ${{ secrets[\"A\"] }}'}}", [ORGANIZATION, AGENT]),
        ("{config: {a: '${{ secrets.NOPE }}'}}", []),
        # What is not understood may read anything.
        ("{config: {a: \"${{ secrets['\\\\x42'] }}\"}}", [ORGANIZATION, AGENT]),
        ("{config: {a: '${{ config.secrets }}', secrets: x}}", [ORGANIZATION, AGENT]),
    ],
)
def test_a_stack_needs_the_files_that_hold_what_it_reads(section: str, expected: list[str]) -> None:
    assert needed(section) == expected


def test_a_key_is_named_without_its_second_dollar() -> None:
    assert needed("{config: {a: \"${{ secrets['$x'] }}\"}}", {0: {"$$x": "x"}, 3: {"B": "x"}}) == [ORGANIZATION]


def test_a_list_that_nobody_reads_is_told_once_at_its_first_element() -> None:
    secrets = {0: {"hosts": ["a", "b"], "crew": [{"name": "x", "pin": "y"}, {"name": "z"}]}}
    workspace = Run(tree_request(MemoryTree(layers("", "", "", "{secrets: {X: hosts.0}}", secrets=secrets)))).workspace
    assert workspace
    (stack,) = layer(workspace, lambda id: True)
    needs = RequiredSecrets()
    assert [file.path for file in needs.required_files(stack)] == [ORGANIZATION]
    assert [one.key for one in needs.unread_findings()] == ["crew"]
