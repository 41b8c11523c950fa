"""Tests of the model itself, on the subtle rules of the language."""

from typing import Any

import pytest

from tests.properties.merging import Conflict, Plain
from tests.properties.model import compile_model

Sections = dict[str, Any]

ORGANIZATION: dict[str, Any] = {"name": "acme", "edition": 2026}


def bundle(*sections: Sections, secrets: dict[str, Any] | None = None, merge: Any = None) -> dict[str, Any]:
    """Compile one agent whose layers, lowest first, are organization, project, team and agent."""
    stems = ["organization", "projects/p/project", "projects/p/teams/t/team", "projects/p/teams/t/agents/a"]
    own = [{**ORGANIZATION, "merge": merge or {}}, {"key": "PP"}, {}, {}]
    tree: dict[str, Any] = {"environments/production.yaml": {}}
    for index, (stem, fields) in enumerate(zip(stems, own, strict=True)):
        section = sections[index] if index < len(sections) else {}
        tree[f"{stem}.yaml"] = {**fields, "execution_environment": section}
    files = {f"{stem}.secrets.yaml": data for stem, data in (secrets or {}).items()}
    return compile_model(tree, files)["p/t/a@production"]


def config(*layers: Any, **options: Any) -> Any:
    """Merge values of `config.x`, lowest first."""
    return bundle(*({"config": {"x": layer}} for layer in layers), **options)["config"].get("x", "absent")


BY_KEY = {"config.x": {"by_key": "name"}}

MERGES = {
    "maps merge at depth": ([{"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}], {"a": {"b": 3, "c": 2}}),
    "integers and floats are one type": ([1, 2.5], 2.5),
    "null over anything, anything over null": ([{"a": 1}, None, [1]], [1]),
    "an expression has no type": ([{"a": 1}, "${{ 'b' }}"], "b"),
    "anything replaces an expression": (["${{ 'b' }}", {"a": 1}], {"a": 1}),
    "an empty map changes nothing": ([{"a": 1}, {}], {"a": 1}),
    "replace goes over another type": ([{"a": 1}, {"$replace": [1]}], [1]),
    "delete": ([{"a": 1}, {"$delete": True}], "absent"),
    "delete one key": ([{"a": 1, "b": 2}, {"a": {"$delete": True}}], {"b": 2}),
    "append makes a list of nothing": ([{"$append": [1]}], [1]),
    "removal comes first": ([[1, 2, 1], {"$remove": [1], "$append": [1]}], [2, 1]),
    "remove from nothing": ([{"$remove": [1]}], "absent"),
    "a lock allows an equal value": ([{"$value": 1, "$lock": True}, 1], 1),
    "expect exists": ([1, {"$value": 2, "$expect": "exists"}], 2),
    "expect new": ([{"$value": 2, "$expect": "new"}], 2),
    "a literal dollar key": ([{"$$a": 1, "b": 2}, {"$$a": 3}], {"$a": 3, "b": 2}),
    "an escaped expression": (["$${{ a }} and ${{ 1 }}"], "${{ a }} and 1"),
    "run-time templates pass through": (["{{ a }}"], "{{ a }}"),
    "an unquoted number": ([Plain("1.10")], 1.1),
}


@pytest.mark.parametrize(("layers", "expected"), MERGES.values(), ids=MERGES.keys())
def test_merge(layers: list[Any], expected: object) -> None:
    assert config(*layers) == expected


POLICIES = {
    "append": ("append", [[1], [1, 2]], [1, 1, 2]),
    "prepend": ("prepend", [[1], [2]], [2, 1]),
    "union keeps the base and adds once": ("union", [[1, 1], [2, 2, 1.0]], [1, 1, 2]),
    "unique drops the duplicates of the base, too": ("unique", [[1, 1], [2, 2, 1.0]], [1, 2]),
    "a map replaces a map": ("replace", [{"a": 1, "b": {"c": 1}}, {"b": {"d": 2}}], {"b": {"d": 2}}),
    "an empty map replaces a map": ("replace", [{"a": 1}, {}], {}),
    "an override of what exists": ({"override": "exists"}, [1, 2], 2),
    "new on purpose": ({"override": "exists"}, [{"$value": 2, "$expect": "new"}], 2),
    "a directive decides alone": ("append", [[1], {"$replace": [2]}], [2]),
    "value is as written plainly": ("append", [[1], {"$value": [2]}], [1, 2]),
    "by key merges in place": (
        {"by_key": "name"},
        [[{"name": "a", "v": 1}, {"name": "b"}], [{"name": "c"}, {"name": "a", "w": 2}]],
        [{"name": "a", "v": 1, "w": 2}, {"name": "b"}, {"name": "c"}],
    ),
    "by key removes by bare key": (
        {"by_key": "name"},
        [[{"name": "a"}, {"name": "b"}], {"$remove": ["a"]}],
        [{"name": "b"}],
    ),
}


@pytest.mark.parametrize(("policy", "layers", "expected"), POLICIES.values(), ids=POLICIES.keys())
def test_policy(policy: object, layers: list[Any], expected: object) -> None:
    assert config(*layers, merge={"config.x": policy}) == expected


PATTERNS = {
    "any depth": ({"config.**.x": "append"}, [[1], [2]], [1, 2]),
    "one segment before any number": ({"config.**": "append", "config.*": "prepend"}, [[1], [2]], [2, 1]),
    "a literal before a star": ({"config.*": "append", "**.x": "prepend"}, [[1], [2]], [1, 2]),
}


@pytest.mark.parametrize(("merge", "layers", "expected"), PATTERNS.values(), ids=PATTERNS.keys())
def test_pattern(merge: Any, layers: list[Any], expected: object) -> None:
    assert config(*layers, merge=merge) == expected


def test_two_equal_patterns() -> None:
    with pytest.raises(Conflict):
        bundle(
            {"config": {"a": {"b": {"x": [1]}}}},
            {"config": {"a": {"b": {"x": [2]}}}},
            merge={"config.**.a.**": "append", "config.**.b.**": "union"},
        )


def test_an_override_of_nothing() -> None:
    with pytest.raises(Conflict):
        bundle({}, {"env_vars": {"A": "1"}}, merge={"env_vars.*": {"override": "exists"}})


CLASHES = {
    "scalar types differ": [1, "a"],
    "booleans are no numbers": [1, True],
    "map over list": [[1], {"a": 1}],
    "a lock forbids another value": [{"$value": 1, "$lock": True}, 2],
    "a lock forbids deletion": [{"$value": 1, "$lock": True}, {"$delete": True}],
    "a lock covers the subtree": [{"$value": {"a": 1}, "$lock": True}, {"b": 2}],
    "a lock binds what stands above it": [{"a": {"$value": 1, "$lock": True}}, {"$replace": {}}],
    "expect exists": [{"$value": 1, "$expect": "exists"}],
    "expect new": [1, {"$value": 2, "$expect": "new"}],
    "two actions": [{"$append": [1], "$prepend": [2]}],
    "mixed keys": [{"$append": [1], "a": 2}],
    "unknown directive": [{"$apend": [1]}],
    "delete goes alone": [1, {"$delete": True, "$lock": True}],
    "directive in an element": [[{"$value": 1}]],
    "a cycle": ["${{ config.x }}"],
    "an undefined name": ["${{ config.y }}"],
    "no end": ["${{ config.y"],
}


@pytest.mark.parametrize("layers", CLASHES.values(), ids=CLASHES.keys())
def test_clash(layers: list[Any]) -> None:
    with pytest.raises(Conflict):
        config(*layers)


def test_by_key_needs_the_key() -> None:
    with pytest.raises(Conflict):
        config([{"name": "a"}], [{"v": 1}], merge=BY_KEY)


ENV_VARS = {
    "as written": ({"A": Plain("1.10"), "B": True, "C": "x"}, {"A": "1.10", "B": "true", "C": "x"}),
    "computed": ({"A": "${{ 1.0 + 1 }}", "B": "${{ [1, 'a'] }}"}, {"A": "2.0", "B": '[1,"a"]'}),
    "always text": ({"A": True, "B": "${{ env_vars.A == 'true' }}"}, {"A": "true", "B": "true"}),
    "default": ({"A": "${{ env_vars.Z.y | default('d') }}"}, {"A": "d"}),
    "chain": ({"A": "<${{ env_vars.B }}>", "B": "${{ env_vars.C }}", "C": 5}, {"A": "<5>", "B": "5", "C": "5"}),
    "scope": ({"A": "${{ project.key | lower }}-${{ environment.type }}-${{ team.name }}"}, {"A": "pp-production-t"}),
}


@pytest.mark.parametrize(("env_vars", "expected"), ENV_VARS.values(), ids=ENV_VARS.keys())
def test_env_vars(env_vars: Sections, expected: Sections) -> None:
    assert bundle({"env_vars": env_vars})["env_vars"] == expected


@pytest.mark.parametrize("value", [None, [1], {"a": 1}, {"$replace": None}, "${{ none }}"])
def test_env_vars_refuse(value: object) -> None:
    with pytest.raises(Conflict):
        bundle({"env_vars": {"A": value}})


def test_env_vars_change_type_freely() -> None:
    assert bundle({"env_vars": {"A": 1}}, {"env_vars": {"A": "x"}})["env_vars"] == {"A": "x"}


def test_expression_over_map() -> None:
    result = bundle({"config": {"a": {"b": "${{ env_vars.X }}"}, "c": "${{ config.a }}"}, "env_vars": {"X": 1}})
    assert result["config"] == {"a": {"b": "1"}, "c": {"b": "1"}}


KEYS = {"organization": {"db": {"password": "p"}, "token": "${{ x }}"}}


def test_injection() -> None:
    result = bundle({"secrets": {"P": "db.password"}}, {"secrets": ["token"]}, secrets=KEYS)
    assert result["env_vars"] == {"P": "p", "token": "${{ x }}"}
    assert result["secrets"]["P"] == {"source": "organization.secrets.yaml", "path": "db.password"}
    assert result["sensitive"] == ["P", "token"]


def test_a_later_file_supplies_the_secret() -> None:
    files = {**KEYS, "projects/p/teams/t/agents/a": {"db": {"password": "q"}}}
    result = bundle({"secrets": {"P": "db.password"}}, secrets=files)
    assert result["env_vars"] == {"P": "q"}
    assert result["secrets"]["P"]["source"] == "projects/p/teams/t/agents/a.secrets.yaml"


def test_injection_wins_over_earlier_and_same_layer() -> None:
    plain = {"env_vars": {"token": "x"}}
    assert bundle(plain, {**plain, "secrets": ["token"]}, secrets=KEYS)["env_vars"] == {"token": "${{ x }}"}


STICKY: dict[str, list[Sections]] = {
    "injected": [{"secrets": ["token"]}, {"env_vars": {"token": "x"}}],
    "read": [{"env_vars": {"A": "${{ secrets.token }}"}}, {"env_vars": {"A": "x"}}],
    "read through another": [
        {"config": {"a": "${{ secrets.token }}", "b": "${{ config.a }}"}},
        {"config": {"b": "x"}},
    ],
    "in a list": [{"config": {"a": ["${{ secrets.token }}"]}}, {"config": {"a": ["x"]}}],
    "null over a map": [{"config": {"a": {"b": "${{ secrets.token }}"}}}, {"config": {"a": None}}],
}


@pytest.mark.parametrize("layers", STICKY.values(), ids=STICKY.keys())
def test_secrets_stick(layers: list[Sections]) -> None:
    with pytest.raises(Conflict):
        bundle(*layers, secrets=KEYS)


def test_replace_unsticks() -> None:
    result = bundle({"secrets": ["token"]}, {"env_vars": {"token": {"$replace": "x"}}}, secrets=KEYS)
    assert (result["env_vars"], result["secrets"], result["sensitive"]) == ({"token": "x"}, {}, [])


def test_removal_of_an_injection() -> None:
    result = bundle(
        {"secrets": ["token"], "env_vars": {"token": "x"}}, {"secrets": {"$remove": ["token"]}}, secrets=KEYS
    )
    assert (result["env_vars"], result["secrets"]) == ({"token": "x"}, {})


def test_sensitive_paths() -> None:
    result = bundle({"config": {"a.b": [1, "${{ secrets.token }}"], "c": "${{ config['a.b'] }}"}}, secrets=KEYS)
    assert result["sensitive"] == ['config."a.b".1', "config.c"]
    assert result["config"]["c"] == [1, "${{ x }}"]


def test_environments_inherit_by_c3() -> None:
    tree = {"organization.yaml": ORGANIZATION, "agents/a.yaml": {}}
    for name, inherits in {"base": [], "a": "base", "b": "base", "production": ["a", "b"]}.items():
        section = {"env_vars": {"LAST": name, name.upper(): name}}
        tree[f"environments/{name}.yaml"] = {
            "inherits": inherits,
            "abstract": name == "base",
            "execution_environment": section,
        }
    tree["environments/production.yaml"].pop("execution_environment")
    compiled = compile_model(tree, {})
    assert sorted(compiled) == ["default/a@a", "default/a@b", "default/a@production"]
    assert compiled["default/a@production"]["env_vars"] == {"LAST": "a", "BASE": "base", "A": "a", "B": "b"}


@pytest.mark.parametrize("inherits", [{"a": "b", "b": "a"}, {"a": "a", "b": []}, {"a": [], "b": "a", "c": ["a", "b"]}])
def test_no_order(inherits: dict[str, Any]) -> None:
    tree: dict[str, Any] = {"organization.yaml": ORGANIZATION, "agents/x.yaml": {}}
    tree |= {f"environments/{name}.yaml": {"inherits": parents} for name, parents in inherits.items()}
    with pytest.raises(Conflict):
        compile_model(tree, {})


def overlaid() -> dict[str, Any]:
    """Return a tree in which an agent and a project overlay an ancestor of production."""
    agent = {"environments": {"staging": {"model_id": "m", "execution_environment": {"env_vars": {"A": "agent"}}}}}
    return {
        "organization.yaml": ORGANIZATION,
        "environments/staging.yaml": {},
        "environments/production.yaml": {
            "inherits": "staging",
            "execution_environment": {"env_vars": {"A": "p", "B": "p"}},
        },
        "projects/p/project.yaml": {"key": "PP", "targets": ["production"], "default_model": "n"},
        "projects/p/environments/staging.yaml": {"execution_environment": {"env_vars": {"B": "overlay"}}},
        "projects/p/agents/x.yaml": agent,
    }


def test_an_ancestors_overlay_applies() -> None:
    secrets = {"projects/p/agents/x.staging.secrets.yaml": {"S": "s"}}
    tree = overlaid()
    tree["projects/p/project.yaml"]["execution_environment"] = {"secrets": ["S"]}
    compiled = compile_model(tree, secrets)
    assert list(compiled) == ["p/x@production"]
    assert compiled["p/x@production"]["env_vars"] == {"A": "agent", "B": "overlay", "S": "s"}
    assert compiled["p/x@production"]["model_id"] == "m"
    assert compiled["p/x@production"]["team"] is None


def test_targets_only_narrow() -> None:
    tree = overlaid()
    tree["projects/p/agents/x.yaml"]["targets"] = ["staging"]
    with pytest.raises(Conflict):
        compile_model(tree, {})


def test_an_environment_of_one_project() -> None:
    tree = overlaid()
    tree["projects/p/environments/canary.yaml"] = {"own": True, "inherits": "staging", "type": "staging"}
    tree["projects/p/project.yaml"].pop("targets")
    assert sorted(compile_model(tree, {})) == ["p/x@canary", "p/x@production", "p/x@staging"]
    del tree["projects/p/environments/canary.yaml"]["own"]
    with pytest.raises(Conflict):
        compile_model(tree, {})


def test_an_overlay_that_says_own() -> None:
    tree = overlaid()
    tree["projects/p/environments/staging.yaml"]["own"] = True
    with pytest.raises(Conflict):
        compile_model(tree, {})
