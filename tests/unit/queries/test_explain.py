"""`explain` of small trees: the entries of the layers for a value."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from envtree.model.merged import MergeRule
from envtree.queries.explain import ExplainedBundle, KeyMissingError, explain, explain_bundle, layer_order, overview
from envtree.queries.explain.provenance_model import Provenance
from envtree.report.explain_text import render_provenance
from tests.support.trees import ID, Files, layers, make_request, start_run

ROOT = Path(__file__).parents[3]
TEAM = "projects/p/teams/t/team.yaml"
SHADOWED, MERGED = ("shadowed", "set"), ("merged", "set")
AGENT = "projects/p/teams/t/agents/a.yaml"


def only_bundle(files: Files, **inputs: str) -> ExplainedBundle:
    """Return the only bundle of a tree, which has no error."""
    run = start_run(make_request(files, inputs=inputs))
    (result,) = run.results()
    assert run.workspace
    assert not run.error_monitor.has_errors(), [finding.diagnostic for finding in run.outcome().findings]
    return explain_bundle(run.workspace, result, run.recorded_inputs())


def trace(key: str, *sections: str, **options: Any) -> Provenance:
    """Return the provenance of a key; sections are those of organization, project, team and agent."""
    return explain(only_bundle(layers(*sections, **options)), key)


def entries(provenance: Provenance) -> list[tuple[str, str, str | None, Any]]:
    """Return the entries of the layers that set or change a value: layer, action, rule, and the value written."""
    return [
        (entry.origin.layer, entry.action, entry.rule, entry.written.value if entry.written else None)
        for entry in provenance.layer_entries
        if entry.action != "absent"
    ]


def test_every_layer_has_an_entry_lowest_first() -> None:
    provenance = trace("A", "{env_vars: {A: x}}", "", "{env_vars: {A: y}}")
    assert [(entry.origin.layer, entry.action, entry.is_winner) for entry in provenance.layer_entries] == [
        ("organization", "shadowed", False),
        ("project", "absent", False),
        ("environment", "absent", False),
        ("team", "set", True),
        ("agent", "absent", False),
    ]
    assert (provenance.summary.key, provenance.summary.value) == ("env_vars.A", "y")
    assert str(provenance.layer_entries[3].origin.span) == f"{TEAM}:2:39"
    assert (provenance.layer_entries[4].origin.path, provenance.layer_entries[4].origin.span) == (AGENT, None)


@pytest.mark.parametrize(
    ("key", "below", "above", "expected"),
    [
        ("A", "env_vars: {A: 1}", "env_vars: {A: {$value: 2}}", [SHADOWED, ("set", "replace")]),
        ("config.x", "config: {x: 1}", "config: {x: {$replace: a}}", [SHADOWED, ("set", "$replace")]),
        ("config.x.a", "config: {x: {a: 1}}", "config: {x: {$replace: {a: 2}}}", [SHADOWED, ("set", "$replace")]),
        ("config.x", "config: {x: {a: 1}}", "config: {x: {b: 1}}", [MERGED, ("set", "merge")]),
        ("config.x", "config: {x: {a: 1, b: {c: 1}}}", "config: {x: {a: 2, b: {c: 2}}}", [SHADOWED, ("set", "merge")]),
        ("config.x", "config: {x: {a: 1, b: {}}}", "config: {x: {a: 2}}", [MERGED, ("set", "merge")]),
        ("config.x", "config: {x: {a: {$value: 1, $lock: true}}}", "config: {x: {a: 1}}", [MERGED, ("set", "merge")]),
        ("config.x.a", "config: {x: {a: 1}}", "config: {x: {b: 1}}", [("set", "set")]),
        ("config.x", "config: {x: [1]}", "config: {x: [2]}", [SHADOWED, ("set", "replace")]),
        ("config.x", "config: {x: [1]}", "config: {x: {$append: [2]}}", [MERGED, ("set", "$list")]),
        ("config.x", "config: {x: [1, 2]}", "config: {x: {$remove: [2]}}", [MERGED, ("set", "$list")]),
        ("config.up", "config: {up: [1]}", "config: {up: [2]}", [MERGED, ("set", "append")]),
        ("config.x", "config: {x: {$value: 1, $lock: true}}", "", [("locked", "set")]),
        ("config.x.a", "config: {x: {$value: {a: 1}, $lock: true}}", "", [("locked", "set")]),
        ("config.x", "config: {x: {$value: 1, $lock: true}}", "config: {x: 1}", [SHADOWED, ("set", "replace")]),
        ("working_dir", "working_dir: /a", "working_dir: /b", [SHADOWED, ("set", "replace")]),
        ("integration_ids", "integration_ids: [a]", "integration_ids: [b]", [MERGED, ("set", "union")]),
    ],
)  # fmt: skip
def test_actions_and_rules(key: str, below: str, above: str, expected: list[tuple[str, str]]) -> None:
    uuid = "5b0f0c52-6f0e-4a57-9a3e-0d2c7c1f4a1"
    below, above = (text.replace("[a]", f"[{uuid}0]").replace("[b]", f"[{uuid}1]") for text in (below, above))
    policies = "merge: {config.up: append}"
    provenance = trace(key, f"{{{below}}}", "", f"{{{above}}}", organization=policies)
    assert [(action, rule) for _, action, rule, _ in entries(provenance)] == expected


def test_a_variable_is_told_as_the_text_that_it_is() -> None:
    provenance = trace("A", "{env_vars: {A: 1.10}}")
    assert (provenance.summary.value, entries(provenance)) == ("1.10", [("organization", "set", "set", "1.10")])


def test_a_deletion_is_seen_though_a_later_layer_sets_the_value_again() -> None:
    provenance = trace("config.x", "{config: {x: 1}}", "{config: {x: {$delete: true}}}", "", "{config: {x: 2}}")
    assert entries(provenance) == [
        ("organization", "shadowed", "set", 1),
        ("project", "deleted", "$delete", None),
        ("agent", "set", "set", 2),
    ]
    assert str(provenance.layer_entries[1].origin.span) == "projects/p/project.yaml:2:37"


def test_a_map_that_is_replaced_deletes_what_was_in_it() -> None:
    provenance = trace(
        "config.x.a", "{config: {x: {a: 1}}}", "{config: {x: {$replace: {b: 1}}}}", "{config: {x: {a: 2}}}"
    )
    assert [(action, rule) for _, action, rule, _ in entries(provenance)] == [
        ("shadowed", "set"),
        ("deleted", "$replace"),
        ("set", "set"),
    ]


def test_a_list_tells_each_element() -> None:
    files = layers("{config: {x: [a]}}", "", "{config: {x: [b]}}", organization="merge: {config.x: prepend}")
    provenance = explain(only_bundle(files), "config.x")
    assert [(line.key, line.value, line.origin and line.origin.path) for line in provenance.nested_keys] == [
        ("config.x.0", "b", TEAM),
        ("config.x.1", "a", "organization.yaml"),
    ]


def test_an_element_that_was_merged_by_its_key_has_its_own_layers() -> None:
    by_key = "merge: {config.x: {by_key: n}}"
    sections = ("{config: {x: [{n: a, v: 1, w: 1}]}}", "", "{config: {x: [{n: b}, {n: a, v: 2}]}}")
    assert entries(trace("config.x.0.v", *sections, organization=by_key)) == [
        ("organization", "shadowed", "set", 1),
        ("team", "set", "replace", 2),
    ]
    assert entries(trace("config.x.0.w", *sections, organization=by_key)) == [("organization", "set", "set", 1)]
    assert [action for _, action, *_ in entries(trace("config.x.0", *sections, organization=by_key))] == [
        "merged",
        "set",
    ]


def test_an_expression_tells_what_it_reads_and_where_that_comes_from() -> None:
    provenance = trace(
        "URL",
        "{env_vars: {URL: 'http://${{ env_vars.HOST }}/${{ inputs.SHA }}', HOST: '${{ config.host }}.x'}}",
        "{config: {host: '${{ project.key | lower }}'}}",
        organization="inputs: {SHA: {default: '0'}}",
    )
    assert provenance.summary.expression == "http://${{ env_vars.HOST }}/${{ inputs.SHA }}"
    assert provenance.summary.reads == ("env_vars.HOST", "inputs.SHA")
    assert [(line.key, line.value, str(line.origin and line.origin.span)) for line in provenance.sources] == [
        ("env_vars.HOST", "pp.x", "organization.yaml:3:96"),
        ("config.host", "pp", "projects/p/project.yaml:2:40"),
        ("project.key", "PP", "projects/p/project.yaml:1:7"),
        ("inputs.SHA", "0", "organization.yaml:2:15"),
    ]


def test_a_read_without_a_value_has_no_origin() -> None:
    (source,) = trace("A", "{env_vars: {A: '${{ config.no | default(1) }}'}}").sources
    assert (source.key, source.value, source.origin) == ("config.no", None, None)


def test_a_key_inside_computed_data_is_that_of_the_expression() -> None:
    provenance = trace("config.y.a", "{config: {x: {a: 1}, y: '${{ config.x }}'}}")
    assert (provenance.summary.key, provenance.summary.value, provenance.summary.expression) == (
        "config.y",
        {"a": 1},
        "${{ config.x }}",
    )


def test_an_injected_secret_tells_its_entry_and_its_file_and_never_its_value() -> None:
    sections = (
        "{env_vars: {DB: plain}}",
        "{secrets: {DB: db.password}}",
        "",
        "{config: {x: '${{ secrets.db.password }}'}}",
    )
    files = layers(*sections, secrets={0: {"db": {"password": "hunter2"}}})
    bundle = only_bundle(files)
    provenance = explain(bundle, "DB")
    assert entries(provenance) == [
        ("organization", "shadowed", "set", "plain"),
        ("project", "set", "set", "db.password"),
    ]
    assert (provenance.summary.value, provenance.summary.sensitive, provenance.layer_entries[1].key) == (
        None,
        True,
        "secrets.DB",
    )
    assert provenance.secret
    assert (provenance.secret.path, provenance.secret.origin.layer, provenance.secret.written.length) == (
        "db.password",
        "organization",
        7,
    )
    assert provenance.secret.origin.path == "organization.secrets.yaml"
    computed = explain(bundle, "config.x")
    assert [line.key for line in computed.sources] == ["secrets.db.password"]
    sealed = explain(bundle, "secrets.db.password")
    assert [(entry.origin.path, entry.action) for entry in sealed.layer_entries][:2] == [
        ("organization.secrets.yaml", "set"),
        ("", "absent"),
    ]
    assert "hunter2" not in repr((provenance, computed, sealed, overview(bundle)))


def test_a_plain_variable_above_an_injected_one_wins() -> None:
    files = layers("{secrets: [DB]}", "{env_vars: {DB: {$replace: plain}}}", secrets={0: {"DB": "hunter2"}})
    assert [(entry.key, entry.action) for entry in explain(only_bundle(files), "DB").layer_entries[:2]] == [
        ("secrets.DB", "shadowed"),
        ("env_vars.DB", "set"),
    ]


def test_a_plain_value_of_a_variable_declared_secret_is_not_shown() -> None:
    contract = "variables: {DB: {secret: true}}"
    sections = ("{env_vars: {DB: hunter3}}", "{secrets: [DB]}")
    bundle = only_bundle(layers(*sections, organization=contract, secrets={0: {"DB": "hunter2"}}))
    assert "hunter" not in repr((explain(bundle, "DB"), explain(bundle, "env_vars"), overview(bundle)))


def test_plain_text_that_looks_like_a_credential_is_not_shown() -> None:
    token = f"ghp_{'a' * 36}"
    variables = f"env_vars: {{DB_PASSWORD: hunter4, B: {{$value: {token}}}}}"
    below = f"{{{variables}, config: {{u: ['postgres://u:hunter5@h/d'], e: 'x://u:hunter6@${{{{ project.key }}}}'}}}}"
    bundle = only_bundle(
        layers(
            below,
            "{env_vars: {DB_PASSWORD: hunter7, C: '${{ inputs.TOKEN }}'}}",
            organization="inputs: {TOKEN: {env: GIVEN}}",
        ),
        TOKEN="hunter8",
    )
    provenances = [explain(bundle, key) for key in ("DB_PASSWORD", "B", "env_vars", "config", "config.u", "config.e")]
    assert provenances[0].summary.sensitive
    assert [entry.written.is_secret for entry in provenances[0].layer_entries if entry.written] == [True, True]
    assert provenances[5].summary.reads == ("project.key",)
    assert provenances[5].summary.expression is None
    assert not re.search("hunter[4-7]|ghp_", repr((provenances, overview(bundle))))
    (source,) = explain(bundle, "C").sources
    assert (source.value, source.sensitive) == (None, True)


def test_the_model_has_layers() -> None:
    provenance = trace("model_id")
    assert [action for _, action, *_ in entries(provenance)] == ["set"]
    assert provenance.summary.value == "m"


@pytest.mark.parametrize(
    ("key", "shown", "meant", "deleted"),
    [
        ("LOG_LEVL", "env_vars.LOG_LEVL", "env_vars.LOG_LEVEL", 0),
        ("config.limit.cpu", "config.limit.cpu", "config.limits.cpu", 0),
        ("config.limits.cpu.x", "config.limits.cpu.x", "config.limits.cpu", 0),
        ("OLD", "env_vars.OLD", "", 1),
        ("config.list.2", "config.list.2", "config.list", 0),
        ("config.list.-1", "config.list.-1", "config.list", 0),
        ("secrets.no", "secrets.no", "", 0),
        ("config..x", "config..x", "", 0),
        ("", "", "", 0),
    ],
)
def test_a_key_that_is_not_there(key: str, shown: str, meant: str, deleted: int) -> None:
    below = "{env_vars: {LOG_LEVEL: info, OLD: x}, config: {limits: {cpu: 1}, list: [1, 2]}}"
    bundle = only_bundle(layers(below, "{env_vars: {OLD: {$delete: true}}}"))
    with pytest.raises(KeyMissingError) as caught:
        explain(bundle, key)
    missing = caught.value
    assert (missing.key, missing.suggestion, len(missing.deletions)) == (shown, meant, deleted)
    if deleted:
        assert missing.deletions == ("projects/p/project.yaml:2:41 (project p)",)


def test_the_overview_has_every_key_and_its_winner() -> None:
    sections = ("{env_vars: {A: x}, config: {l: [1], m: {a: 1}, e: {}}}", "", "{env_vars: {A: y}}")
    summaries = [
        (summary.key, summary.value, summary.origin and summary.origin.layer)
        for summary in overview(only_bundle(layers(*sections)))
    ]
    assert summaries == [
        ("model_id", "m", "organization"),
        ("env_vars.A", "y", "team"),
        ("config.e", {}, "organization"),
        ("config.l", [1], "organization"),
        ("config.m.a", 1, "organization"),
    ]


def test_the_order_has_every_layer_and_its_files() -> None:
    order = layer_order(only_bundle(layers("{secrets: [A]}", secrets={0: {"A": "x"}})))
    assert [(layer.layer, layer.scope, layer.files) for layer in order] == [
        ("organization", "", ("organization.yaml", "organization.secrets.yaml")),
        ("project", "p", ("projects/p/project.yaml",)),
        ("environment", "production", ("environments/production.yaml",)),
        ("team", "t", (TEAM,)),
        ("agent", "a", (AGENT,)),
    ]
    assert ID == "p/t/a@production"


FLAT = 'output: {env: {config: CFG_, endpoints: "{name}_URL"}}'


@pytest.mark.parametrize(
    ("requested", "key", "name", "column"),
    [
        ("CFG_MAX_CPU", "config.max-cpu", "CFG_MAX_CPU", 24),
        ("env_vars.CFG_MAX_CPU", "config.max-cpu", "CFG_MAX_CPU", 24),
        ("config.max-cpu", "config.max-cpu", "CFG_MAX_CPU", 24),
        ("CFG_DB_PORT", "config.db", "CFG_DB_PORT", 24),
        ("API_URL", "endpoints.api", "API_URL", 41),
        ("CFG_TOKEN", "config.token", "CFG_TOKEN", 24),
    ],
)
def test_a_variable_of_a_section_is_explained_by_its_value(requested: str, key: str, name: str, column: int) -> None:
    config = "{max-cpu: 2, db: \"${{ {'port': 1} }}\", token: '${{ secrets.token }}', none: null}"
    section = f"{{config: {config}, endpoints: {{api: 'https://a.example'}}, env_vars: {{CFG_OWN: x}}}}"
    provenance = explain(only_bundle(layers(section, organization=FLAT, secrets={0: {"token": "x"}})), requested)
    assert provenance.summary.key == key
    assert provenance.variable
    assert (provenance.variable.name, str(provenance.variable.span)) == (name, f"organization.yaml:2:{column}")
    part = provenance.variable.key != provenance.summary.key
    assert part == (key == "config.db")
    assert f"in the environment {'its config.db.port' if part else 'it'} is {name}, by " in render_provenance(
        ID, provenance, color=False
    )


def test_no_variable_is_made_of_maps_of_plain_variables_and_without_a_pattern() -> None:
    section = "{config: {db: {port: 1}}, env_vars: {A: x}}"
    for organization, key in ((FLAT, "config.db"), (FLAT, "A"), ("", "config.db.port")):
        assert trace(key, section, organization=organization).variable is None
    with pytest.raises(KeyMissingError) as caught:
        trace("CFG_DB_PORTS", section, organization=FLAT)
    assert caught.value.suggestion == "env_vars.CFG_DB_PORT"


def test_every_merge_rule_is_in_the_schema_the_page_and_the_language() -> None:
    schema = json.loads((ROOT / "schema/common/explanation.schema.json").read_text("utf-8"))
    (rules,) = [found["enum"] for found in _subschemas(schema) if "by_key" in found.get("enum", ())]
    assert set(get_args(MergeRule)) == {*rules} - {None, "$delete"}
    page = (ROOT / "compiler/envtree/report/html/page/provenance.js").read_text("utf-8")
    words = re.findall(r"(?m)^  (\S+): \"", page.partition("const RULES = {")[2].partition("};")[0])
    assert {*words} == {*get_args(MergeRule)} - {"set", "replace"}
    organization = json.loads((ROOT / "schema/organization.schema.json").read_text("utf-8"))
    policies = {name for found in _subschemas(organization["$defs"]["list_policy"]) for name in found.get("enum", ())}
    table = (ROOT / "schema/README.md").read_text("utf-8").partition("## Merge policies")[2].partition("\n## ")[0]
    assert policies <= set(re.findall(r"(?m)^\| `(\w+)` \|", table))
    assert policies <= set(get_args(MergeRule))


def _subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for child in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _subschemas(child)
