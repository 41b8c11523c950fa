"""Contracts and `lint` beyond the rules of a variable, and MCP servers that are secrets as a whole."""

from typing import Any

import pytest

from envtree.model.diagnostic import Severity
from tests.support.trees import CheckResult, check, layers, run

SECRET = {"token": "s3cret"}


def contract(rules: str, *sections: str, **more: Any) -> CheckResult:
    return run(*sections, organization=f"variables: {{A: {{{rules}}}}}", **more)


@pytest.mark.parametrize(
    ("rules", "hint"), [("deprecated: true", "remove it"), ("deprecated: use B instead", "use B instead")]
)
def test_a_deprecated_variable_is_told_where_it_is_set(rules: str, hint: str) -> None:
    result = contract(rules, "", "{env_vars: {A: x}}")
    (finding,) = result.outcome.findings
    diagnostic = finding.diagnostic
    assert (diagnostic.code, finding.severity, diagnostic.hint) == ("ET755", Severity.WARNING, hint)
    assert (diagnostic.span.path, diagnostic.key) == ("projects/p/project.yaml", "env_vars.A")
    assert [place.span.path for place in diagnostic.related] == ["organization.yaml"]


@pytest.mark.parametrize("rules", ["deprecated: false", "deprecated: ''", ""])
def test_a_variable_that_is_not_deprecated(rules: str) -> None:
    assert "ET755" not in contract(rules, "{env_vars: {A: x}}").codes
    assert "ET755" not in contract("deprecated: true", "{env_vars: {B: x}}").codes


def test_a_deprecated_secret_is_told_with_and_without_a_key() -> None:
    files = layers("{secrets: {A: token}}", organization="variables: {A: {deprecated: true}}", secrets={0: SECRET})
    for plaintexts in (None, {"organization": SECRET}):
        assert check(files, plaintexts).codes == ["ET755"]


def test_a_missing_variable_is_one_finding_at_its_contract() -> None:
    files = layers(organization="variables: {A: {required: true, description: The why.}}")
    agents = {f"projects/p/teams/t/agents/b{n}.yaml": "{}" for n in range(400)}
    result = check(files | agents)
    (finding,) = result.outcome.findings
    diagnostic = finding.diagnostic
    assert (diagnostic.code, diagnostic.span.path, diagnostic.related, diagnostic.hint) == (
        "ET702",
        "organization.yaml",
        (),
        "The why.",
    )
    assert len(finding.bundles) == 401


@pytest.mark.parametrize(
    ("lint", "codes"),
    [
        ("{ET750: warn}", ["ET204"]),
        ("{ET750: 1}", ["ET203"]),
        ("{ET750: null}", ["ET203"]),
        ("{ET15O: error}", ["ET205"]),
        ("{ET159: error}", ["ET204"]),
        ("{ET101: warning}", ["ET204"]),
        ("{ET750: error}", []),
    ],
)
def test_a_wrong_line_of_lint_is_one_finding(lint: str, codes: list[str]) -> None:
    files = layers() | {"organization.yaml": f"{{name: acme, edition: 2026, default_model: m, lint: {lint}}}"}
    assert check(files).codes == codes


SERVERS = [
    ({"command": "npx", "args": ["a"], "env": {"A": "b"}}, []),
    ({"url": "https://h", "type": "http"}, []),
    ({"comand": "npx"}, ["a"]),
    ({"command": "npx", "url": "https://h"}, ["a"]),
    ({"url": "https://h"}, ["a"]),
    ({"command": "npx", "args": [5]}, ["args"]),
    ({"command": 5}, ["command"]),
    ({"command": "npx", "env": {"A": 5}}, ["env"]),
    ({"url": "https://h", "type": "ftp"}, ["type"]),
    ([1], ["a"]),
]


@pytest.mark.parametrize(("server", "keys"), SERVERS)
@pytest.mark.parametrize(
    "value", ["${{ secrets.server }}", "${{ config.copy }}", "${{ secrets.server | default({}) }}"]
)
def test_a_server_that_is_secret_as_a_whole_is_checked_with_a_key(server: Any, keys: list[str], value: str) -> None:
    section = f"{{mcp_servers: {{a: '{value}'}}, config: {{copy: '${{{{ secrets.server }}}}'}}}}"
    files = layers(section, secrets={0: {"server": server}})
    findings = [finding.diagnostic for finding in check(files, {"organization": {"server": server}}).outcome.findings]
    assert [finding.key.rpartition(".")[2] for finding in findings] == keys
    assert {finding.code for finding in findings} <= {"ET508"}
    assert not any(text in str(findings) for text in ("npx", "https://h", "comand", "ftp"))
    without = check(files)
    assert (without.codes, without.not_checked) == ([], ["ET508 mcp_servers.a"])


def test_what_is_computed_from_a_variable_that_should_be_secret_is_not_shown() -> None:
    contracts = "variables: {X: {secret: true}, Z: {enum: [a]}}"
    result = run("", "", "", "{env_vars: {X: quokka1, Z: '<${{ env_vars.X }}>'}}", organization=contracts)
    assert sorted(result.codes) == ["ET701", "ET706"]
    assert not [finding for finding in result.findings if "quokka1" in finding]
