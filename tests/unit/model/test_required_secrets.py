"""Only the secrets files that a bundle may read are decrypted."""

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


def required_files(section: str, secrets: Mapping[int, Any] = SECRETS) -> list[str]:
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
        # An expression that is not understood may read anything.
        ("{config: {a: \"${{ secrets['\\\\x42'] }}\"}}", [ORGANIZATION, AGENT]),
        ("{config: {a: '${{ config.secrets }}', secrets: x}}", [ORGANIZATION, AGENT]),
    ],
)
def test_a_stack_requires_the_files_with_the_secrets_it_reads(section: str, expected: list[str]) -> None:
    assert required_files(section) == expected


def test_a_key_is_named_without_its_second_dollar() -> None:
    assert required_files("{config: {a: \"${{ secrets['$x'] }}\"}}", {0: {"$$x": "x"}, 3: {"B": "x"}}) == [ORGANIZATION]


def test_an_unread_list_is_reported_once_by_its_key() -> None:
    secrets = {0: {"hosts": ["a", "b"], "crew": [{"name": "x", "pin": "y"}, {"name": "z"}]}}
    workspace = Run(tree_request(MemoryTree(layers("", "", "", "{secrets: {X: hosts.0}}", secrets=secrets)))).workspace
    assert workspace
    (stack,) = layer(workspace, lambda id: True)
    required = RequiredSecrets()
    assert [file.path for file in required.required_files(stack)] == [ORGANIZATION]
    assert [finding.key for finding in required.unread_findings()] == ["crew"]
