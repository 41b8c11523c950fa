"""Checks of resolved bundles: contracts, policies and shapes, with a key and without."""

from typing import Any

import pytest

from envtree.compile.bundle_lint.partial_validator import validate_partially
from envtree.model.resolved import UNKNOWN, HiddenValue
from tests.support.trees import ID, CheckResult, check, layers, quote_yaml, run

SECRETS = {"text": "abc", "long": "x" * 60, "port": 5432, "flag": True, "url": "https://h.x", "db": {"user": "u"}}


def contract(rules: str, value: str, **more: Any) -> CheckResult:
    """Check a bundle whose variable A has this contract and, as written, this value."""
    section = f"{{env_vars: {{A: {value}}}}}" if value else ""
    return run(section, organization=f"variables: {{A: {{{rules}}}}}", **more)


# For each type, valid texts and invalid texts.
TYPES = {
    "string": (["", "a", "1"], []),
    "integer": (
        ["0", "-7", "12", "9007199254740993"],
        ["", "-0.0", "007", "+1", "1.0", "1e3", "0x1", "1_0", " 1", "١", "true"],
    ),
    "number": (
        ["0", "-0.5", "1.10", "1e3", "1E-3"],
        ["", ".5", "1.", "+1", "0x1", "NaN", "Infinity", "-", "1,5", "01.5"],
    ),
    "boolean": (["true", "false"], ["", "True", "yes", "1", "null", " true"]),
    "url": (
        ["https://h", "http://h:1/p?q#f", "postgres://u@h:5432/d", "http://[::1]:80/", "https://ü.x"],
        [
            *("", "h", "/p", "//h", "http:", "http://", "https:///p", "mailto:a@b", "http://h x", "http://h:99999"),
            *("http://:80", "http://u@/", "http://[::1"),
        ],
    ),
    "json": (["1", '"a"', "{}", "[1, null]", " true "], ["", "a", "{", "NaN", "[Infinity]", "{'a': 1}", "[1,]"]),
}


@pytest.mark.parametrize("type", TYPES)
def test_a_type_is_read_off_the_text(type: str) -> None:
    good, bad = TYPES[type]
    names = {f"{kind}{n}": text for kind, texts in (("G", good), ("B", bad)) for n, text in enumerate(texts)}
    section = f"{{env_vars: {{{', '.join(f'{name}: {quote_yaml(text)}' for name, text in names.items())}}}}}"
    declared = ", ".join(f"{name}: {{type: {type}}}" for name in names)
    findings = [
        finding.diagnostic for finding in run(section, organization=f"variables: {{{declared}}}").outcome.findings
    ]
    assert {finding.key.removeprefix("env_vars.") for finding in findings} == {
        name for name in names if name.startswith("B")
    }
    assert all(
        (finding.code, finding.message.rpartition(", ")[2]) == ("ET701", f"expected type {type}")
        for finding in findings
    )


# A contract, a value as written, and the end of the message; empty if the value is valid.
RULES = [
    ("enum: [debug, info]", "info", ""),
    ("enum: [debug, info]", "Info", "one of: debug, info"),
    ("enum: [1.10, 1.20]", "1.10", ""),
    ("enum: [1.10, 1.20]", '"1.10"', ""),
    ("enum: [1.10, 1.20]", "1.1", "one of: 1.10, 1.20"),
    ('enum: ["1.10"]', "1.10", ""),
    ("enum: [1, 2]", '"1"', ""),
    ("enum: [1]", "1.0", "one of: 1"),
    ("enum: [1e3]", "1e3", ""),
    ("enum: [1e3]", "1000", "one of: 1e3"),
    ("enum: [true, false]", "true", ""),
    ("enum: [true]", "'True'", "one of: true"),
    ("enum: [2.0]", '"${{ 1.0 + 1 }}"', ""),
    ("enum: [2]", '"${{ 1 + 1 }}"', ""),
    ("pattern: b", "abc", ""),
    ("pattern: ^b", "abc", "a match of the pattern ^b"),
    ('pattern: "^abc$"', '"abc\\n"', "a match of the pattern ^abc$"),
    ("type: integer, minimum: 1", "1", ""),
    ("type: integer, minimum: 1", "0", "at least 1"),
    ("type: number, maximum: 1.5", "1.5", ""),
    ("type: number, maximum: 1.5", "1.50001", "at most 1.5"),
    ("type: number, maximum: 1.5", "-1e300", ""),
    ("type: number, maximum: 1.5", "1e300", "at most 1.5"),
    ("type: integer, minimum: 1", "x", "type integer"),
    ("required: true", "''", ""),
    ("secret: false", "x", ""),
    ("environments: [staging], enum: [x]", "w", ""),
    ("environments: [production], enum: [x]", "w", "one of: x"),
    ("", "w", ""),
]


@pytest.mark.parametrize(("rules", "value", "expected"), RULES)
def test_a_rule_of_a_contract(rules: str, value: str, expected: str) -> None:
    files = layers(f"{{env_vars: {{A: {value}}}}}", organization=f"variables: {{A: {{{rules}}}}}")
    result = check(files | {"environments/staging.yaml": "{abstract: true}"})
    findings = [finding.diagnostic for finding in result.outcome.findings]
    assert {finding.message.partition(", expected ")[2] for finding in findings} == ({expected} if expected else set())
    assert {finding.code for finding in findings} <= {"ET701"}


def test_a_finding_stands_at_the_supplier_and_names_the_contract() -> None:
    files = layers("", "{env_vars: {A: x}}", organization="variables: {A: {enum: [b], description: The why.}}")
    finding = check(files).only_finding()
    assert (finding.span.path, finding.key, finding.bundle, finding.hint) == (
        "projects/p/project.yaml",
        "env_vars.A",
        "",
        "The why.",
    )
    assert [related.span.path for related in finding.related] == ["organization.yaml"]


def test_a_long_value_is_cut() -> None:
    assert "x" * 39 + "…'" in contract("enum: [a]", "x" * 500).only_finding().message


def contract_codes(organization: str, project: str, team: str, section: str) -> list[str]:
    files = layers(section, organization=organization)
    files["projects/p/project.yaml"] = f"{{key: PP, {project}}}"
    files["projects/p/teams/t/team.yaml"] = f"{{{team}}}"
    return check(files).codes


@pytest.mark.parametrize(
    ("organization", "project", "team", "section", "codes"),
    [
        ("variables: {A: {enum: [x]}}", "", "", "{env_vars: {A: w}}", ["ET701"]),
        ("variables: {A: {enum: [x]}}", "variables: {A: {}}", "", "{env_vars: {A: w}}", []),
        ("variables: {A: {required: true}}", "variables: {A: {enum: [x]}}", "", "", ["ET756"]),
        ("", "variables: {A: {enum: [x]}}", "variables: {A: {enum: [w]}}", "{env_vars: {A: w}}", []),
        ("", "", "variables: {A: {required: true}}", "", ["ET702"]),
        ("variables: {A: {required: true, environments: [production]}}", "", "", "", ["ET702"]),
        ("strict_variables: true", "", "", "{env_vars: {A: w, B: z}}", ["ET703", "ET703"]),
        ("strict_variables: true", "", "variables: {A: {}}", "{env_vars: {A: w}}", []),
        ("strict_variables: true", "variables: {A: {}}", "", "{env_vars: {A: w}, config: {B: w}}", []),
    ],
)
def test_the_reach_of_a_contract(organization: str, project: str, team: str, section: str, codes: list[str]) -> None:
    assert contract_codes(organization, project, team, section) == codes


# A contract of the secret at a path: the codes with a key, and whether the check is skipped without one.
UNKNOWN_CONTRACTS = [
    ("pattern: ^a", "text", [], True),
    ("pattern: ^b", "text", ["ET701"], True),
    ("enum: [abc]", "text", [], True),
    ("type: string", "text", [], False),
    ("type: integer", "port", [], True),
    ("type: integer, maximum: 80", "port", ["ET701"], True),
    ("type: integer", "text", ["ET701"], True),
    ("type: url", "url", [], True),
    ("required: true", "text", [], False),
    ("secret: true", "text", [], False),
    ("description: x", "text", [], False),
]


@pytest.mark.parametrize(("rules", "path", "codes", "skipped"), UNKNOWN_CONTRACTS)
def test_a_contract_over_a_secret(rules: str, path: str, codes: list[str], skipped: bool) -> None:
    files = layers(f"{{secrets: {{A: {path}}}}}", organization=f"variables: {{A: {{{rules}}}}}", secrets={0: SECRETS})
    with_key, without_key = check(files, {"organization": SECRETS}), check(files)
    assert (with_key.codes, with_key.not_checked) == (codes, [])
    assert (without_key.codes, without_key.not_checked) == ([], ["ET701 env_vars.A"] if skipped else [])
    assert not any(str(value) in str(with_key.outcome.findings) for value in ("abc", 5432))


def test_secret_and_plain_are_told_apart_without_a_key() -> None:
    plain_files = layers("{env_vars: {A: x}}", organization="variables: {A: {secret: true}}")
    assert check(plain_files).only_finding().message == "variable 'A' must come from a secret"
    secret_files = layers(
        "{env_vars: {A: '${{ secrets.text }}'}}", organization="variables: {A: {secret: false}}", secrets={0: SECRETS}
    )
    assert check(secret_files).only_finding().message == "variable 'A' must not come from a secret"


# Shapes.


def check_with_and_without_key(section: str) -> tuple[CheckResult, CheckResult]:
    files = layers(section, secrets={0: SECRETS})
    return check(files, {"organization": SECRETS}), check(files)


# A section, the keys reported with a key, and those whose check is skipped without one.
SHAPES: list[tuple[str, str, str]] = [
    ("{endpoints: {a: 'https://h', b: 'grpc+tls://h:1', c: 'unix://h/s'}}", "", ""),
    ("{endpoints: {a: h, b: 'http://', c: 'https:///x', d: 'http://h:x', e: 'http://:80'}}", "a b c d e", ""),
    ("{endpoints: {a: 'http://h o', b: 'mailto:a@b', c: '//h', d: 'http://[::1'}}", "a b c d", ""),
    ("{endpoints: {a: '${{ 5 }}', b: \"${{ ['http://h'] }}\", c: '${{ none }}'}}", "a b c", ""),
    ("{endpoints: {a: 'https://${{ config.h }}/'}, config: {h: ''}}", "a", ""),
    ("{endpoints: {a: 'https://h/${{ secrets.text }}', b: '${{ secrets.url }}'}}", "", "a b"),
    ("{endpoints: {a: '${{ secrets.text }}', b: '${{ secrets.port }}'}}", "a b", "a b"),
    ("{feature_flags: {a: '${{ true }}', b: '${{ 1.5 }}', c: 'x${{ 1 }}'}}", "", ""),
    ("{feature_flags: {a: '${{ none }}', b: '${{ [] }}', c: '${{ {} }}'}}", "a b c", ""),
    ("{feature_flags: {a: '${{ secrets.flag }}', b: '${{ secrets.db }}'}}", "b", "a b"),
    ("{working_dir: '${{ none }}'}", "", ""),
    ("{working_dir: '${{ 5 }}'}", "working_dir", ""),
    ("{integration_ids: ['${{ 5 }}', 'x${{ 5 }}']}", "0", ""),
    ("{mcp_servers: {a: {command: x, args: ['1'], env: {A: b}}}}", "", ""),
    ("{mcp_servers: {a: {url: 'http://h', type: http, headers: {A: b}}}}", "", ""),
    ("{mcp_servers: {a: '${{ config.m }}'}, config: {m: {command: x}}}", "", ""),
    ("{mcp_servers: {a: '${{ config.m }}'}, config: {m: {comand: x}}}", "a", ""),
    ("{mcp_servers: {a: '${{ config.m }}'}, config: {m: {command: x, cwd: x}}}", "a", ""),
    ("{mcp_servers: {a: '${{ 5 }}', b: '${{ none }}'}}", "a b", ""),
    ("{mcp_servers: {a: {command: '${{ 5 }}'}}}", "command", ""),
    ("{mcp_servers: {a: {command: '${{ [] }}'}}}", "command", ""),
    ("{mcp_servers: {a: {command: x, args: ['${{ 5 }}', a, '${{ none }}']}}}", "0 2", ""),
    ("{mcp_servers: {a: {command: x, args: '${{ 5 }}', env: '${{ [] }}'}}}", "args env", ""),
    ("{mcp_servers: {a: {command: x, env: {A: '${{ 5 }}', B: '${{ 5 | string }}'}}}}", "A", ""),
    ("{mcp_servers: {a: {type: '${{ 5 }}', url: '${{ none }}', headers: {A: '${{ {} }}'}}}}", "A type url", ""),
    ("{mcp_servers: {a: {type: \"${{ 'ftp' }}\", url: x}}}", "type", ""),
    ("{mcp_servers: {a: {args: [x]}, b: {url: x}, c: {type: http}}}", "a b c", ""),
    ("{mcp_servers: {a: {command: x, url: z}, b: {url: x, type: http, args: []}}}", "a b", ""),
    ("{mcp_servers: {a: {type: http, url: x, headers: {A: 'Bearer ${{ secrets.text }}'}}}}", "", ""),
    ("{mcp_servers: {a: {command: x, env: {A: '${{ secrets.port }}', B: '${{ secrets.text }}'}}}}", "A", "A"),
    ("{mcp_servers: {a: {command: '${{ secrets.text }}'}, b: '${{ secrets.port }}'}}", "b", "b command"),
]


@pytest.mark.parametrize(("section", "keyed", "skipped"), SHAPES)
def test_the_shape_of_what_was_computed(section: str, keyed: str, skipped: str) -> None:
    with_key, without_key = check_with_and_without_key(section)
    keyless = sorted({*keyed.split()} - {*skipped.split()})
    for result, expected in ((with_key, keyed.split()), (without_key, keyless)):
        findings = [finding.diagnostic for finding in result.outcome.findings]
        assert {finding.code for finding in findings} <= {"ET508"}
        assert sorted(finding.key.rpartition(".")[2] for finding in findings) == expected
    assert with_key.not_checked == []
    assert sorted(line.rpartition(" ")[2].rpartition(".")[2] for line in without_key.not_checked) == skipped.split()


def test_a_server_that_layers_complete_together_is_fine() -> None:
    result = run("{mcp_servers: {a: {args: [x]}}}", "{mcp_servers: {a: {command: z}}}")
    assert (result.codes, result.data()["mcp_servers"]) == ([], {"a": {"args": ["x"], "command": "z"}})


# Policies.


def policy(schema: Any, section: str, fields: str = "") -> tuple[CheckResult, CheckResult]:
    """Check a section against a policy, with the key and without."""
    files = {**layers(section, secrets={0: SECRETS}), "policies/own.yaml": f"{{schema: {quote_yaml(schema)}{fields}}}"}
    return check(files, {"organization": SECRETS}), check(files)


def variables(**schemas: Any) -> Any:
    return {"properties": {"env_vars": {"properties": schemas}}}


@pytest.mark.parametrize(
    ("severity", "code", "level"),
    [("error", "ET704", "error"), ("warning", "ET753", "warning"), ("info", "ET754", "warning")],
)
def test_the_severity_of_a_policy(severity: str, code: str, level: str) -> None:
    result, _ = policy(variables(A={"const": "b"}), "{env_vars: {A: a}}", f", severity: {severity}, message: Do it.")
    (finding,) = result.outcome.findings
    assert (finding.diagnostic.code, finding.diagnostic.message) == (code, "'env_vars.A' breaks policy 'own': Do it.")
    assert finding.severity == (level if severity != "info" else finding.severity)


@pytest.mark.parametrize(
    ("fields", "codes"),
    [
        (", selector: 'p/**@production'", ["ET704"]),
        (", selector: ['q/**', 'p/t/*']", ["ET704"]),
        (", selector: 'p/*'", ["ET752"]),
        (", enabled: false", []),
    ],
)
def test_the_reach_of_a_policy(fields: str, codes: list[str]) -> None:
    assert policy(variables(A=False), "{env_vars: {A: a}}", fields)[0].codes == codes


def section_of(name: str, schema: Any) -> Any:
    return {"properties": {name: schema}}


def env_vars(**schema: Any) -> Any:
    return section_of("env_vars", schema)


def secret_map(**schema: Any) -> Any:
    return section_of("config", section_of("m", schema))


A, B, M = "env_vars.A", "env_vars.B", "config.m"

# A schema (A and the map M are secret, B is plain): keys reported with a key and without one, and keys skipped without.
POLICY_CASES: list[tuple[Any, list[str], list[str], list[str]]] = [
    (variables(A={"const": "abc"}), [], [], [A]),
    (variables(A={"const": "b"}), [A], [], [A]),
    (variables(A={"minLength": 9}, B={"const": "z"}), [A, B], [B], [A]),
    (variables(A={"pattern": "^b"}), [A], [], [A]),
    (variables(A={"not": {"const": "abc"}}), [A], [], [A]),
    (variables(A={"oneOf": [{"const": "abc"}, {"const": "x"}]}), [], [], [A]),
    (variables(A=True, B={"const": "b"}), [], [], []),
    (env_vars(required=["A", "B"]), [], [], []),
    (env_vars(required=["C"]), ["env_vars"], ["env_vars"], []),
    (env_vars(maxProperties=1), ["env_vars"], ["env_vars"], []),
    (env_vars(additionalProperties=False, properties={"A": {}}), ["env_vars"], ["env_vars"], []),
    (env_vars(patternProperties={"^\\p{Lu}$": {"maxLength": 0}}), [A, B], [B], [A]),
    (env_vars(patternProperties={"^(?i)a$": True}, additionalProperties={"const": "z"}), [B], [B], []),
    (env_vars(const={"A": "abc", "B": "b"}), [], [], [A]),
    (secret_map(required=["user"]), [], [], [M]),
    (secret_map(required=["x"]), [M], [], [M]),
    (secret_map(maxProperties=0), [M], [], [M]),
    (secret_map(propertyNames={"maxLength": 1}), [M], [], [M]),
    (secret_map(type="object"), [], [], [M]),
    ({"$defs": {"a": {"const": "z"}}, **variables(B={"$ref": "#/$defs/a"})}, [B], [B], []),
    (section_of("sensitive", {"maxItems": 0}), ["sensitive"], ["sensitive"], []),
    (section_of("sensitive", {"contains": {"const": "A"}}), [], [], []),
    (False, [""], [""], []),
]


@pytest.mark.parametrize(("schema", "keyed", "keyless", "skipped"), POLICY_CASES)
def test_a_policy_over_what_is_unknown(schema: Any, keyed: list[str], keyless: list[str], skipped: list[str]) -> None:
    with_key, without_key = policy(schema, "{secrets: {A: text}, env_vars: {B: b}, config: {m: '${{ secrets.db }}'}}")
    for result, expected in ((with_key, keyed), (without_key, keyless)):
        assert sorted({finding.diagnostic.key for finding in result.outcome.findings}) == expected
        assert {*result.codes} <= {"ET704"}
    assert (with_key.not_checked, without_key.not_checked) == ([], [f"ET704 {key}" for key in skipped])
    assert "abc" not in str([finding.diagnostic.message for finding in with_key.outcome.findings])


def test_t23_no_pattern_of_a_policy_hangs_without_a_key() -> None:
    hidden = HiddenValue(UNKNOWN, secret=True, symbol=None)
    data = {"a" * 40 + "!": 1, "x": hidden}
    for schema in (
        {"patternProperties": {"^(a+)+$": False}},
        {"patternProperties": {"^(a|a)*$": {}}, "additionalProperties": False},
    ):
        errors, undecided = validate_partially(schema, data)
        assert (bool(errors), undecided) == ("additionalProperties" in schema, [])


def test_what_is_broken_is_not_judged_again() -> None:
    result, _ = policy(variables(A={"const": "b"}, B={"const": "c"}), "{env_vars: {A: '${{ nope }}', B: b}}")
    assert result.codes == ["ET503"]
    assert contract("enum: [a]", "'${{ nope }}'").codes == ["ET503"]
    assert (
        run("{endpoints: {a: '${{ nope }}'}, mcp_servers: {a: '${{ nope }}', b: {command: '${{ nope }}'}}}").codes
        == ["ET503"] * 3
    )


def test_the_model_of_an_agent() -> None:
    files = {**layers(), "organization.yaml": "{name: acme, edition: 2026}"}
    assert [(finding.code, finding.key) for finding in [check(files).only_finding()]] == [("ET750", "model_id")]
    assert check({**files, "projects/p/project.yaml": "{key: PP, default_model: m}"}).codes == []
    assert check({**layers(), "projects/p/teams/t/agents/a.yaml": "{model_id: null}"}).data(ID)["model_id"] in (
        "m",
        None,
    )
