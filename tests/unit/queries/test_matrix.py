"""One key in all bundles, and the comparison of two environments."""

import pytest

from envtree.model.selector import compile_selector
from envtree.queries.explain.key_lookup import KeyMissingError
from envtree.queries.fleet.matrix import Matrix, matrix
from envtree.queries.fleet.parity import Parity, parity
from envtree.report.matrix import render_matrix
from envtree.report.parity import render_parity
from tests.support.trees import ORGANIZATION, make_request, sealed_files, start_run

TOKEN = "ghp_" + "a1B2" * 9
PRODUCTION = "environments/production.yaml"
STAGING = "environments/staging.yaml"
SHOP = "projects/shop/project.yaml"
FILES = {
    "organization.yaml": f"{ORGANIZATION}}}",
    PRODUCTION: "{}",
    STAGING: "{}",
    SHOP: "{key: SHOP}",
    "projects/shop/agents/bot.yaml": "{}",
    "projects/shop/agents/clerk.yaml": "{}",
}
IN_PRODUCTION = ("shop/bot@production", "shop/clerk@production")
IN_STAGING = ("shop/bot@staging", "shop/clerk@staging")


def section(text: str) -> str:
    return f"{{execution_environment: {text}}}"


def ask(key: str, files: dict[str, str], secrets: dict[str, object] | None = None) -> Matrix:
    run = start_run(make_request(FILES | files | sealed_files(secrets or {})))
    answer = matrix(run, key)
    assert not run.error_monitor.has_errors(), run.outcome().findings
    return answer


def rows(answer: Matrix) -> list[tuple[object, tuple[str, ...], list[str]]]:
    """Return the value of each row, its bundles, and its locations."""
    return [(row.value, row.bundles, [f"{span.path}:{span.line}" for span in row.origins]) for row in answer.rows]


def test_the_bundles_by_value() -> None:
    files = {PRODUCTION: section("{env_vars: {A: 1.10}}"), STAGING: section("{env_vars: {A: '1.10'}}")}
    files["projects/shop/agents/bot.yaml"] = "{environments: {staging: " + section("{env_vars: {A: x}}") + "}}"
    answer = ask("A", files)
    assert answer.key == "env_vars.A"
    assert rows(answer) == [
        ("1.10", (*IN_PRODUCTION, "shop/clerk@staging"), [f"{PRODUCTION}:1", f"{STAGING}:1"]),
        ("x", ("shop/bot@staging",), ["projects/shop/agents/bot.yaml:1"]),
    ]
    assert answer.missing == ()


@pytest.mark.parametrize(
    ("key", "values", "missing"),
    [
        ("config.m", [{"k": 1}], 2),
        ("config.m.k", [1], 2),
        ("config.l", [["x"]], 2),
        ("config.l.0", ["x"], 2),
        ("config.n", [None], 2),
        ("config", [{"l": ["x"], "m": {"k": 1}, "n": None, '"': "q"}], 2),
        ('config."\\""', ["q"], 2),
        ("model_id", ["m"], 0),
        ("working_dir", ["/w"], 2),
        ("integration_ids", [["i"]], 2),
    ],
)
def test_any_key_of_a_bundle(key: str, values: list[object], missing: int) -> None:
    text = "{config: {m: {k: 1}, l: [x], n: null, '\"': q}, working_dir: /w, integration_ids: [i]}"
    answer = ask(key, {PRODUCTION: section(text)})
    assert ([row.value for row in answer.rows], len(answer.missing)) == (values, missing)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("LOG_LEVL", "env_vars.LOG_LEVEL"),
        ("env_vars.LOG_LEVL", "env_vars.LOG_LEVEL"),
        ("config.m.kk", "config.m.k"),
        ("confg.m.k", "config.m.k"),
        ("secrets.TOKN", "secrets.TOKEN"),
        ("env_vars", ""),
        ("secrets", ""),
        ("a..b", ""),
        ("", ""),
        ("nothing.like.it", ""),
        ("organization", ""),
        ("id", ""),
    ],
)
def test_a_key_that_no_bundle_has(key: str, meant: str) -> None:
    files = {PRODUCTION: section("{env_vars: {LOG_LEVEL: x}, config: {m: {k: 1}}, secrets: {TOKEN: token}}")}
    with pytest.raises(KeyMissingError) as missing:
        ask(key, files, {"organization": {"token": "x"}})
    assert missing.value.suggestion == meant


def test_secrets_are_the_same_if_their_ciphertext_is() -> None:
    read = section(
        "{secrets: {TOKEN: token}, env_vars: {URL: 'x://${{ secrets.token }}', COPY: '${{ env_vars.TOKEN }}'}}"
    )
    secrets: dict[str, object] = {"organization": {"token": "x"}, "environments/staging": {"token": "y"}}
    for key in ("TOKEN", "URL", "COPY", "secrets.token"):
        answer = ask(key, {SHOP: "{key: SHOP, " + read[1:]}, secrets)
        assert [(row.value, row.sensitive, row.bundles) for row in answer.rows] == [
            (None, True, IN_PRODUCTION),
            (None, True, IN_STAGING),
        ]
        text = render_matrix(answer, color=False, verbose=True)
        assert "(secret)" in text
        assert "ENC[" not in text
        assert "environments/staging.secrets.yaml:1" in text
    # The reference that is injected is no secret.
    assert [row.value for row in ask("secrets.TOKEN", {SHOP: "{key: SHOP, " + read[1:]}, secrets).rows] == [
        {"path": "token", "source": "organization.secrets.yaml"},
        {"path": "token", "source": "environments/staging.secrets.yaml"},
    ]


def test_what_looks_like_a_credential_is_not_shown() -> None:
    answer = ask("A", {PRODUCTION: section(f"{{env_vars: {{A: {TOKEN}}}}}")})
    assert [(row.value, row.sensitive) for row in answer.rows] == [(None, True)]
    assert TOKEN not in render_matrix(answer, color=False, verbose=True)


def test_what_depends_on_an_input_is_unknown() -> None:
    read = section("{env_vars: {A: '${{ inputs.I }}'}}")
    answer = ask("A", {"organization.yaml": f"{ORGANIZATION}, inputs: {{I: {{}}}}, {read[1:]}"})
    assert [(row.value, row.sensitive, row.unknown, len(row.bundles)) for row in answer.rows] == [
        (None, False, True, 4)
    ]
    assert "(depends on an input)" in render_matrix(answer, color=False, verbose=False)


def test_the_matrix_for_people() -> None:
    files = {f"projects/shop/agents/bot{n}.yaml": "{}" for n in range(4)}
    answer = ask("A", files | {PRODUCTION: section("{env_vars: {A: x}}")})
    assert render_matrix(answer, color=False, verbose=False) == (
        """env_vars.A has 1 value in 6 of 12 bundles

  6  "x"
     environments/production.yaml:1
     production, 6 of 6: shop 6

  6  (not set)
     staging, 6 of 6: shop 6
"""
    )
    assert "shop/bot3@staging" in render_matrix(answer, color=False, verbose=True)
    many_values = ask(
        "B",
        {SHOP: "{key: SHOP, " + section("{env_vars: {B: '${{ agent.name }}'}}")[1:]}
        | {f"projects/shop/agents/bot{n}.yaml": "{}" for n in range(50)},
    )
    assert render_matrix(many_values, color=False, verbose=False).endswith("and 12 more values (-v lists them)\n")


# Parity.


def compare(production: str, staging: str, other_files: dict[str, str] | None = None, *, selects: str = "**") -> Parity:
    files = FILES | {PRODUCTION: section(production), STAGING: section(staging)} | (other_files or {})
    run = start_run(make_request(files | sealed_files({"organization": {"token": "x"}})))
    comparison = parity(run, "staging", "production", compile_selector([selects]))
    assert not run.error_monitor.has_errors(), run.outcome().findings
    return comparison


def test_keys_that_one_environment_lacks() -> None:
    comparison = compare("{env_vars: {A: x, B: x}}", "{env_vars: {B: y, C: x}, config: {m: {k: 1}}}")
    assert [
        (missing.key, missing.present_in, missing.absent_from, missing.bundles) for missing in comparison.missing_keys
    ] == [
        ("env_vars.A", "production", "staging", IN_STAGING),
        ("config.m.k", "staging", "production", IN_PRODUCTION),
        ("env_vars.C", "staging", "production", IN_PRODUCTION),
    ]
    assert [f"{span.path}:{span.line}" for span in comparison.missing_keys[0].spans] == [f"{PRODUCTION}:1"]
    assert (
        comparison.agent_count,
        comparison.has_differences,
        comparison.type_mismatches,
        comparison.unpaired_agents,
    ) == (2, True, (), ())


@pytest.mark.parametrize(
    ("production", "staging", "types"),
    [
        ("{config: {a: 1}}", "{config: {a: x}}", {"config.a": ("number", "string")}),
        ("{config: {a: 1}}", "{config: {a: 2.5}}", {}),
        ("{config: {a: true}}", "{config: {a: null}}", {"config.a": ("boolean", "null")}),
        ("{config: {a: [x]}}", "{config: {a: []}}", {}),
        ("{config: {a: {b: 1}}}", "{config: {a: [x]}}", {"config.a": ("object", "array")}),
        ("{config: {a: {b: {c: 1}}}}", "{config: {a: x}}", {"config.a": ("object", "string")}),
        ("{env_vars: {A: 1}}", "{env_vars: {A: x}}", {}),
        ("{env_vars: {A: 1}}", "{secrets: {A: token}}", {"env_vars.A": ("string", "secret")}),
        ("{config: {a: '${{ secrets.token }}'}}", "{config: {a: {b: 1}}}", {"config.a": ("secret", "object")}),
        ("{feature_flags: {a: true}}", "{feature_flags: {a: '${{ inputs.I }}'}}", {}),
        ("{env_vars: {A: x}}", "{env_vars: {A: '${{ inputs.I }}'}}", {}),
    ],
)
def test_values_of_another_type(production: str, staging: str, types: dict[str, tuple[str, str]]) -> None:
    comparison = compare(production, staging, {"organization.yaml": f"{ORGANIZATION}, inputs: {{I: {{}}}}}}"})
    assert {
        mismatch.key: (mismatch.types["production"], mismatch.types["staging"])
        for mismatch in comparison.type_mismatches
    } == types
    assert comparison.missing_keys == ()
    for mismatch in comparison.type_mismatches:
        assert mismatch.bundles == tuple(sorted((*IN_PRODUCTION, *IN_STAGING)))
        assert {span.path for span in mismatch.spans} == {PRODUCTION, STAGING}


def test_an_empty_map_is_missing_only_where_there_is_none() -> None:
    comparison = compare("{config: {a: {}}}", "{config: {a: {b: 1}}}")
    assert [(missing.key, missing.absent_from) for missing in comparison.missing_keys] == [("config.a.b", "production")]
    assert [missing.key for missing in compare("{config: {a: {}}}", "{}").missing_keys] == ["config.a"]


def test_what_a_contract_declares_for_one_is_no_difference() -> None:
    contract = f"{ORGANIZATION}, variables: {{A: {{environments: [production]}}, B: {{environments: [staging]}}}}}}"
    comparison = compare("{env_vars: {A: x}}", "{}", {"organization.yaml": contract})
    assert [(missing.key, missing.is_expected) for missing in comparison.missing_keys] == [("env_vars.A", True)]
    assert not comparison.has_differences
    assert compare("{env_vars: {B: x}}", "{}", {"organization.yaml": contract}).has_differences


def test_agents_of_one_environment() -> None:
    files = {"projects/shop/agents/clerk.yaml": "{targets: [staging]}"}
    comparison = compare("{}", "{}", files)
    assert [tuple(unpaired) for unpaired in comparison.unpaired_agents] == [("shop/clerk", "staging", "production")]
    assert (comparison.agent_count, comparison.has_differences) == (1, True)


@pytest.mark.parametrize(
    ("selects", "bundles"),
    [
        ("**", IN_STAGING),
        ("shop/bot", IN_STAGING[:1]),
        ("shop/bot@production", IN_STAGING[:1]),
        ("shop/c*@staging", IN_STAGING[1:]),
    ],
)
def test_selectors_choose_agents(selects: str, bundles: tuple[str, ...]) -> None:
    comparison = compare("{env_vars: {A: x}}", "{}", selects=selects)
    assert [missing.bundles for missing in comparison.missing_keys] == [bundles]
    assert comparison.unpaired_agents == ()


def test_parity_for_people() -> None:
    files = {"projects/shop/agents/clerk.yaml": "{targets: [staging]}"}
    comparison = compare("{env_vars: {A: x}, config: {a: 1}}", "{config: {a: x}}", files)
    assert render_parity(comparison, color=False, verbose=True) == (
        """staging and production differ in 1 key, 1 type and 1 agent (1 agent compared)

keys of production only
  env_vars.A  1 bundle  environments/production.yaml:1
      shop/bot@staging

keys of another type
  config.a: string in staging, number in production
      1 agent, environments/production.yaml:1 and 1 more place
      shop/bot@production
      shop/bot@staging

agents of staging only
  shop/clerk
"""
    )
    no_differences = compare("{}", "{}")
    assert (
        render_parity(no_differences, color=False, verbose=False)
        == "staging and production differ in no key, type or agent (2 agents compared)\n"
    )


def test_a_variable_that_output_env_makes_is_found_by_its_name() -> None:
    flat = {"organization.yaml": f"{ORGANIZATION}, output: {{env: {{config: CFG_}}}}}}"}
    files = flat | {PRODUCTION: section("{config: {max-cpu: 4}}"), STAGING: section("{config: {max_cpu: 1}}")}
    answer = ask("CFG_MAX_CPU", files)
    # The bundles have it at two different paths, so the reported key is the variable.
    assert answer.key == "env_vars.CFG_MAX_CPU"
    assert rows(answer) == [(4, IN_PRODUCTION, [f"{PRODUCTION}:1"]), (1, IN_STAGING, [f"{STAGING}:1"])]
    answer = ask("CFG_MAX_CPU", flat | {PRODUCTION: section("{config: {max-cpu: 4}}")})
    assert (answer.key, answer.missing) == ("config.max-cpu", IN_STAGING)


def test_values_that_begin_alike_are_told_apart_and_places_once() -> None:
    long = "x" * 70
    files = {PRODUCTION: section(f"{{config: {{a: [{long}1, b]}}}}"), STAGING: section(f"{{config: {{a: [{long}2]}}}}")}
    text = render_matrix(ask("config.a", files), color=False, verbose=False)
    assert f'["{long}1","b"]' in text
    assert f'["{long}2"]' in text
    assert text.count(f"{PRODUCTION}:1\n") == 1
    files = {PRODUCTION: section(f"{{config: {{a: {long}}}}}")}
    assert f'{long}"' not in render_matrix(ask("config.a", files), color=False, verbose=False)
    assert f'{long}"' in render_matrix(ask("config.a", files), color=False, verbose=True)
