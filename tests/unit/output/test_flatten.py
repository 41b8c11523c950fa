"""`output.env`: sections as further variables, without a trace of the rule in the bundle."""

import json
from pathlib import Path
from typing import Any

import pytest

from envtree.model.artifact import SecretsMode
from envtree.model.output_settings import OutputSettings
from envtree.model.span import Span
from envtree.output.emit import Writers, write_formats
from envtree.output.emit.flatten import flatten
from tests.support.command_line import ORGANIZATION, RunCommand
from tests.support.trees import ID, CheckResult, check, layers, run

RULE = {"config": "CFG_", "endpoints": "{name}_URL", "feature_flags": "FEATURE_"}
DECLARED = f"output: {{formats: [json-env, compose], env: {json.dumps(RULE)}}}"
SECRETS = {"token": "s3cret-canary", "port": 5432, "db": {"user": "ana", "hosts": ["a", "b"]}}


def names(data: dict[str, Any], **patterns: str) -> dict[str, Any]:
    sections: dict[str, Any] = {"config": {}, "endpoints": {}, "feature_flags": {}}
    return {flat.name: flat.value for flat in flatten(sections | data, patterns)}


def variables(result: CheckResult, mode: SecretsMode | None) -> tuple[dict[str, str], str]:
    """Return the written variables, and the file that lists the omitted ones."""
    bundle = result.bundles[ID]
    files = dict(write_formats(bundle, mode, Writers(("json-env", "compose"), OutputSettings(env_patterns=RULE))).files)
    return json.loads(files["env.json"]), files[".env"].decode()


def test_names_are_keys_in_upper_case() -> None:
    data = {"limits": {"cpu": 2, "max-memory": 3}, "2fa": True, "Grüße.an": "x", "a b": "y"}
    assert names({"config": data}, config="CFG_") == {
        "CFG_LIMITS_CPU": 2,
        "CFG_LIMITS_MAX_MEMORY": 3,
        "CFG_2FA": True,
        "CFG_GR_SSE_AN": "x",
        "CFG_A_B": "y",
    }


@pytest.mark.parametrize(
    ("pattern", "name"),
    [("CFG_", "CFG_API"), ("{name}_URL", "API_URL"), ("{name}", "API"), ("X_{name}_Y", "X_API_Y"), ("x", "xAPI")],
)
def test_a_pattern_is_a_prefix_unless_it_says_where_the_name_goes(pattern: str, name: str) -> None:
    assert names({"endpoints": {"api": "u"}}, endpoints=pattern) == {name: "u"}


def test_a_name_never_begins_with_a_digit() -> None:
    assert names({"config": {"2fa": 1}}, config="{name}") == {"_2FA": 1}


def test_only_sections_with_a_pattern_become_variables() -> None:
    assert names({"config": {"a": 1}, "feature_flags": {"b": True}}, feature_flags="F_") == {"F_B": True}


def test_texts_follow_the_rule_of_variables() -> None:
    section = (
        "{env_vars: {A: '1'}, config: {t: text, quoted: '1.10', num: 2, f: 2.5, sure: true, none: null, "
        "empty: {}, list: [1, {a: x}], nothing: [], computed: '${{ config.num * 1.0 }}'}, "
        "endpoints: {api: 'https://a.example'}, feature_flags: {beta: false, ratio: 0.5}}"
    )
    result = run(section, organization=DECLARED)
    assert result.codes == []
    assert variables(result, "plain")[0] == {
        "A": "1",
        "API_URL": "https://a.example",
        "CFG_COMPUTED": "2.0",
        "CFG_F": "2.5",
        "CFG_LIST": '[1,{"a":"x"}]',
        "CFG_NOTHING": "[]",
        "CFG_NUM": "2",
        "CFG_QUOTED": "1.10",
        "CFG_SURE": "true",
        "CFG_T": "text",
        "FEATURE_BETA": "false",
        "FEATURE_RATIO": "0.5",
    }


def test_the_bundle_does_not_know_the_rule() -> None:
    section = "{config: {a: 1}, env_vars: {B: x}}"
    with_rule, without = run(section, organization=DECLARED), run(section)
    assert with_rule.data() == without.data()
    assert with_rule.data()["env_vars"] == {"B": "x"}


SECRET_SECTION = (
    "{config: {plain: p, token: '${{ secrets.token }}', url: 'x:${{ secrets.port }}', whole: '${{ secrets.db }}', "
    "list: [p, '${{ secrets.token }}'], inside: {port: '${{ secrets.port }}', host: h}}}"
)
SECRET_NAMES = ["CFG_INSIDE_PORT", "CFG_LIST", "CFG_TOKEN", "CFG_URL", "CFG_WHOLE"]


def test_secret_parts_stay_secret() -> None:
    with_key = run(SECRET_SECTION, organization=DECLARED, secrets={0: SECRETS})
    assert variables(with_key, "plain")[0] == {
        "CFG_INSIDE_HOST": "h",
        "CFG_INSIDE_PORT": "5432",
        "CFG_LIST": '["p","s3cret-canary"]',
        "CFG_PLAIN": "p",
        "CFG_TOKEN": "s3cret-canary",
        "CFG_URL": "x:5432",
        "CFG_WHOLE": '{"hosts":["a","b"],"user":"ana"}',
    }
    keyless = check(layers(SECRET_SECTION, organization=DECLARED, secrets={0: SECRETS}))
    modes: tuple[tuple[CheckResult, SecretsMode | None], ...] = (
        (with_key, "ref"),
        (with_key, "seal"),
        (keyless, "ref"),
        (keyless, None),
    )
    for result, mode in modes:
        shown, dotenv = variables(result, mode)
        assert shown == {"CFG_INSIDE_HOST": "h", "CFG_PLAIN": "p"}
        assert dotenv.startswith(f"# sensitive, left out: {', '.join(SECRET_NAMES)}\n")
        assert "canary" not in dotenv


def test_an_input_without_a_value_is_unknown_and_not_secret() -> None:
    organization = f"inputs: {{SHA: {{}}}}, {DECLARED}"
    result = check(layers("{config: {sha: '${{ inputs.SHA }}', n: 1}}", organization=organization))
    shown, dotenv = variables(result, None)
    assert shown == {"CFG_N": "1"}
    assert dotenv.startswith("# unknown, left out: CFG_SHA\n")


@pytest.mark.parametrize(
    ("section", "message", "texts"),
    [
        (
            "{env_vars: {CFG_A: x}, config: {a: 1}}",
            "'config.a' becomes variable 'CFG_A', and so does 'env_vars.CFG_A'",
            ("1", "x"),
        ),
        (
            "{config: {a-b: 1, a: {b: 2}}}",
            "'config.a.b' becomes variable 'CFG_A_B', and so does 'config.a-b'",
            ("2", "1"),
        ),
    ],
)
def test_two_variables_with_one_name_are_an_error_with_both_places(
    section: str, message: str, texts: tuple[str, str]
) -> None:
    (finding,) = run("", "", "", section, organization=DECLARED).outcome.findings
    diagnostic = finding.diagnostic
    assert (diagnostic.code, diagnostic.message, finding.bundles) == ("ET811", message, (ID,))
    (related,) = diagnostic.related
    assert related.message == "the other one"
    files = layers("", "", "", section)
    assert tuple(_text(files[span.path], span) for span in (diagnostic.span, related.span)) == texts


def _text(file: str, span: Span) -> str:
    return file.splitlines()[span.line - 1][span.column - 1 : span.end_column - 1]


def test_a_collision_is_found_whatever_the_formats_are() -> None:
    result = run("{config: {a-b: 1, a_b: 2}}", organization=f"output: {{env: {json.dumps(RULE)}}}")
    assert result.codes == ["ET811"]


@pytest.mark.parametrize("pattern", ["1X", "CFG-", "{NAME}", "a{name}{name}", "$X", ""])
def test_a_pattern_that_gives_invalid_names_is_refused(pattern: str) -> None:
    assert run(organization=f"output: {{env: {{config: '{pattern}'}}}}").codes in (["ET205"], ["ET206"])


def test_only_three_sections_can_become_variables() -> None:
    assert run(organization="output: {env: {mcp_servers: X_}}").codes == ["ET201"]


def test_show_has_them_in_its_formats_and_not_in_json(envtree: RunCommand, tree: Path) -> None:
    rule = "output: {env: {config: CFG_}}\nexecution_environment: {config: {a: 1}}\n"
    (tree / "organization.yaml").write_text(ORGANIZATION + rule)
    assert "CFG_A" not in json.loads(envtree("show", "shop/cart/bot@production").out)["env_vars"]
    assert envtree("show", "shop/cart/bot@production", "--format", "compose").out.startswith('CFG_A="1"\n')
    assert envtree("show", "shop/cart/bot@production", "--format", "bash").out.startswith("export CFG_A='1'\n")
