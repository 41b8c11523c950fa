"""The merge algebra beyond the tables in schema/README.md: origins, shadows and locks; layers are never modified."""

import copy
from typing import Any

import pytest

from envtree.compile.layer import layer
from envtree.compile.merge import merge
from envtree.model.diagnostic import Diagnostics
from envtree.model.merged import MergedMapping, MergedSequence, MergedValue
from tests.support.trees import ID, check, layers, make_request, merge_all, plain_data, run, start_run

ABSENT = "absent"


def merged(*values: str, policy: str = "") -> tuple[MergedValue | None, list[str]]:
    """Merge `config.x` of an agent, the values of its layers lowest first; return it and the codes of the findings."""
    sections = (f"{{config: {{x: {value}}}}}" if value else "" for value in values)
    stacks, diags = merge_all(layers(*sections, organization=f"merge: {{config.x: {policy}}}" if policy else ""))
    config = stacks[ID].sections.get("config")
    assert config is None or isinstance(config, MergedMapping)
    # The finding for repeated values has a test of its own.
    codes = [finding.code for finding in diags if finding.code != "ET452"]
    return config.entries.get("x") if config else None, codes


def chain(value: MergedValue | None) -> list[tuple[str, str, Any]]:
    """Return a value and all values below it: the kind of layer, the rule, and the data."""
    entries: list[tuple[str, str, Any]] = []
    while value is not None:
        entries.append((value.layer.kind, value.rule, plain_data(value)))
        value = value.base
    return entries


# Every kind of value over every kind; the codes are those of a clash.
KINDS = {
    "text": "one",
    "number": "1",
    "boolean": "true",
    "null": "null",
    "map": "{a: 1}",
    "list": "[1]",
    "expression": "${{ 1 }}",
    "mixed": "n${{ 1 }}",
}
TYPELESS = {"null", "expression", "mixed"}


@pytest.mark.parametrize("below", KINDS)
@pytest.mark.parametrize("above", KINDS)
def test_a_type_over_a_type(below: str, above: str) -> None:
    upper = KINDS[above] if above != "map" else "{b: 2}"
    value, codes = merged(
        f'"{KINDS[below]}"' if "{{" in KINDS[below] else KINDS[below], f'"{upper}"' if "{{" in upper else upper
    )
    fits = below == above or bool({below, above} & TYPELESS)
    assert codes == ([] if fits else ["ET401"])
    winner = value.layer.kind if value else ""
    assert winner == ("project" if fits else "organization")
    assert plain_data(value) != {"a": 1} if fits else True
    if below == above == "map":
        assert plain_data(value) == {"a": 1, "b": 2}


@pytest.mark.parametrize("above", KINDS)
def test_replace_goes_over_every_type(above: str) -> None:
    text = f'"{KINDS[above]}"' if "{{" in KINDS[above] else KINDS[above]
    for below in ("one", "1", "true", "null", "{a: {b: 1}}", "[1]"):
        value, codes = merged(below, f"{{$replace: {text}}}")
        plain, _ = merged(text)
        assert (codes, plain_data(value)) == ([], plain_data(plain))
        assert value
        assert value.rule == "$replace"


def test_text_that_only_looks_like_an_expression_has_a_type() -> None:
    assert merged("1", '"$${{ a }}"')[1] == ["ET401"]
    assert merged('"$${{ a }}"', '"{{ b }}"')[1] == []


# The values of the layers and the policy; the chain, topmost first.
CHAINS = {
    "scalars": (["1", "2", "3"], "", [("team", "replace", 3), ("project", "replace", 2), ("organization", "set", 1)]),
    "a layer in between says nothing": (["1", "", "3"], "", [("team", "replace", 3), ("organization", "set", 1)]),
    "$value is as written plainly": (["1", "{$value: 2}"], "", [("project", "replace", 2), ("organization", "set", 1)]),
    "$replace": (["1", "{$replace: a}"], "", [("project", "$replace", "a"), ("organization", "set", 1)]),
    "null": (["1", "null"], "", [("project", "replace", None), ("organization", "set", 1)]),
    "maps": (
        ["{a: 1}", "{b: 2}"],
        "",
        [("project", "merge", {"a": 1, "b": 2}), ("organization", "set", {"a": 1})],
    ),
    "lists": (["[1]", "[2]"], "", [("project", "replace", [2]), ("organization", "set", [1])]),
    "append": (["[1]", "[2]"], "append", [("project", "append", [1, 2]), ("organization", "set", [1])]),
    "prepend": (["[1]", "[2]"], "prepend", [("project", "prepend", [2, 1]), ("organization", "set", [1])]),
    "union": (["[1]", "[1, 2]"], "union", [("project", "union", [1, 2]), ("organization", "set", [1])]),
    "by_key": (
        ["[{n: a}]", "[{n: b}]"],
        "{by_key: n}",
        [("project", "by_key", [{"n": "a"}, {"n": "b"}]), ("organization", "set", [{"n": "a"}])],
    ),
    "$append": (["[1]", "{$append: [2]}"], "", [("project", "$list", [1, 2]), ("organization", "set", [1])]),
    "$remove": (["[1, 2]", "{$remove: [2]}"], "", [("project", "$list", [1]), ("organization", "set", [1, 2])]),
    "$append to nothing": (["", "{$append: [2]}"], "", [("project", "$list", [2])]),
    "$append over null": (["null", "{$append: [2]}"], "", [("project", "$list", [2]), ("organization", "set", None)]),
    "a deletion ends the chain": (["1", "{$delete: true}", "3"], "", [("team", "set", 3)]),
    "a clash leaves what was": (["1", "a"], "", [("organization", "set", 1)]),
    "an empty map leaves what was": (["{a: 1}", "{}"], "", [("organization", "set", {"a": 1})]),
    "an empty list leaves what was": (["[1]", "[]"], "append", [("organization", "set", [1])]),
    "unique": (["[1, 1]", "[1, 2]"], "unique", [("project", "unique", [1, 2]), ("organization", "set", [1])]),
    "a map over a map, with a policy": (
        ["{a: 1, b: 1}", "{a: 2}"],
        "replace",
        [("project", "replace", {"a": 2}), ("organization", "set", {"a": 1, "b": 1})],
    ),
    "a list over null, with a policy": (
        ["null", "[1]"],
        "append",
        [("project", "replace", [1]), ("organization", "set", None)],
    ),
}


@pytest.mark.parametrize(("values", "policy", "expected"), CHAINS.values(), ids=CHAINS.keys())
def test_a_value_knows_all_that_it_stands_over(values: list[str], policy: str, expected: list[Any]) -> None:
    assert chain(merged(*values, policy=policy)[0]) == expected


def test_each_leaf_of_a_map_has_a_chain_of_its_own() -> None:
    value, _ = merged("{a: 1, b: {c: 1}}", "{b: {c: 2, d: 2}}", "{b: {$replace: {c: 3}}}", "{b: {e: 4}}")
    assert isinstance(value, MergedMapping)
    assert chain(value.entries["a"]) == [("organization", "set", 1)]
    child = value.entries["b"]
    assert isinstance(child, MergedMapping)
    assert [(kind, rule) for kind, rule, _ in chain(child)] == [
        ("agent", "merge"),
        ("team", "$replace"),
        ("project", "merge"),
        ("organization", "set"),
    ]
    assert chain(child.entries["c"]) == [("team", "$replace", 3)]
    assert chain(child.entries["e"]) == [("agent", "set", 4)]


@pytest.mark.parametrize(
    ("policy", "above", "expected"),
    [
        ("append", "[b, c]", [("a", "organization"), ("b", "organization"), ("b", "project"), ("c", "project")]),
        ("prepend", "[b, c]", [("b", "project"), ("c", "project"), ("a", "organization"), ("b", "organization")]),
        ("union", "[c, b, c]", [("a", "organization"), ("b", "organization"), ("c", "project")]),
        ("append", "{$remove: [a], $prepend: [b]}", [("b", "project"), ("b", "organization")]),
        ("replace", "[a]", [("a", "project")]),
    ],
)
def test_each_element_of_a_list_knows_who_brought_it(policy: str, above: str, expected: list[Any]) -> None:
    value, _ = merged("[a, b]", above, policy=policy)
    assert isinstance(value, MergedSequence)
    assert [(plain_data(item), item.layer.kind) for item in value.items] == expected


def test_an_element_that_merged_by_key_has_a_chain() -> None:
    value, _ = merged("[{n: a, v: 1}, {n: b}]", "[{n: a, v: 2}]", policy="{by_key: n}")
    assert isinstance(value, MergedSequence)
    first, second = value.items
    assert isinstance(first, MergedMapping)
    assert chain(first.entries["v"]) == [("project", "replace", 2), ("organization", "set", 1)]
    assert (first.rule, first.layer.kind, second.rule, second.layer.kind) == ("merge", "project", "set", "organization")


@pytest.mark.parametrize(
    ("value", "codes"),
    [
        ("[{v: 1}]", ["ET404"]),
        ("[{n: null}]", ["ET404"]),
        ("[{n: a}, {n: a}]", ["ET407"]),
        ("'${{ config.other }}'", []),
        ("null", []),
    ],
)
@pytest.mark.parametrize("section", ["{config: {m: {l: %s}, other: [1]}}", "{config: {m: {m: {l: %s}}, other: [1]}}"])
def test_the_keys_of_a_list_inside_a_map_that_is_new(section: str, value: str, codes: list[str]) -> None:
    all_codes = run(section % value, organization="merge: {config.m.l: {by_key: n}, config.m.m.l: {by_key: n}}").codes
    assert [code for code in all_codes if code.startswith("ET4")] == codes


@pytest.mark.parametrize(
    ("values", "guarded"),
    [
        (["[1]", "[2]"], False),
        (["['${{ 1 }}']", "[2]"], True),
        (["['${{ 1 }}']", "[2]", "[3]"], True),
        (["['${{ 1 }}']", "{$replace: [2]}", "[3]"], False),
        (["1", "2"], False),
        (["'${{ 1 }}'", "2", "3"], True),
        (["'${{ 1 }}'", "{a: 1}", "{b: 1}"], True),
        (["{a: '${{ 1 }}'}", "{b: 1}"], False),
        (["{a: '${{ 1 }}'}", "{a: 1}", "{b: 1}"], True),
    ],
)
def test_what_stands_over_an_expression_is_guarded(values: list[str], guarded: bool) -> None:
    value, _ = merged(*values)
    assert value
    assert value.shadows_expression is guarded


@pytest.mark.parametrize(
    ("policy", "below", "above", "expected"),
    [
        ("append", "[EXPR]", "[1]", [5, 1]),
        ("prepend", "[EXPR]", "[1]", [1, 5]),
        ("union", "[EXPR]", "[1]", [5, 1]),
        ("{by_key: n}", "[{n: a, v: EXPR}]", "[{n: b}]", [{"n": "a", "v": 5}, {"n": "b"}]),
        ("{by_key: n}", "[{n: a, v: EXPR}]", "[{n: a, w: 1}]", [{"n": "a", "v": 5, "w": 1}]),
        ("{by_key: n}", "[{n: a}]", "[{n: a, v: EXPR}]", [{"n": "a", "v": 5}]),
        ("replace", "[EXPR]", "{$append: [1]}", [5, 1]),
        ("replace", "[EXPR, 1]", "{$remove: [1]}", [5]),
        ("replace", "[1]", "{$prepend: [EXPR]}", [5, 1]),
        ("append", "{a: EXPR}", "{b: 1}", {"a": 5, "b": 1}),
        ("append", "{a: {b: EXPR}, c: 1}", "{a: {c: 1}}", {"a": {"b": 5, "c": 1}, "c": 1}),
        ("append", "{a: EXPR}", "{b: {$value: 1}, c: {$delete: true}}", {"a": 5, "b": 1}),
        ("append", "{a: 1}", "{$value: {b: EXPR}, $lock: true}", {"a": 1, "b": 5}),
        ("replace", "{a: EXPR, b: EXPR}", "{b: 1}", {"b": 1}),
        ("replace", "{a: EXPR}", "{b: EXPR}", {"b": 5}),
        ("replace", "{a: 1}", "{$replace: {b: EXPR, c: 1}}", {"b": 5, "c": 1}),
    ],
)
def test_an_expression_from_below_is_still_one(policy: str, below: str, above: str, expected: Any) -> None:
    values = (value.replace("EXPR", "'${{ 2 + 3 }}'") for value in (below, above))
    result = run(
        *(f"{{config: {{x: {value}, y: 1}}}}" for value in values), organization=f"merge: {{config.x: {policy}}}"
    )
    assert result.data()["config"]["x"] == expected


# The lower and the upper value; the codes, and the resulting value.
LOCKS: dict[str, tuple[str, str, list[str], Any]] = {
    "another value": ("{$value: 1, $lock: true}", "2", ["ET402"], 1),
    "the same value": ("{$value: 1, $lock: true}", "1.0", [], 1.0),
    "true is not 1": ("{$value: 1, $lock: true}", "{$replace: true}", ["ET402"], 1),
    "the same list": ("{$value: [1, {a: 2}], $lock: true}", "[1.0, {a: 2}]", [], [1.0, {"a": 2}]),
    "a longer list": ("{$append: [1], $lock: true}", "{$append: [2]}", ["ET402"], [1]),
    "an element removed": ("{$value: [1], $lock: true}", "{$remove: [1]}", ["ET402"], [1]),
    "nothing removed": ("{$value: [1], $lock: true}", "{$remove: [2]}", ["ET451"], [1]),
    "a key inside": ("{$value: {a: 1}, $lock: true}", "{a: 2}", ["ET402"], {"a": 1}),
    "an equal key inside": ("{$value: {a: 1}, $lock: true}", "{a: 1}", [], {"a": 1}),
    "a new key inside": ("{$value: {a: 1}, $lock: true}", "{b: 1}", ["ET402"], {"a": 1}),
    "deep inside": ("{$value: {a: {b: {c: 1}}}, $lock: true}", "{a: {b: {c: 2}}}", ["ET402"], {"a": {"b": {"c": 1}}}),
    "a key deleted": ("{$value: {a: 1}, $lock: true}", "{a: {$delete: true}}", ["ET402"], {"a": 1}),
    "the whole replaced": ("{a: {$value: 1, $lock: true}, b: 1}", "{$replace: {b: 2}}", ["ET402"], {"a": 1, "b": 1}),
    "the whole replaced, alike": ("{a: {$value: 1, $lock: true}}", "{$replace: {a: 1, b: 2}}", [], {"a": 1, "b": 2}),
    "the whole deleted": ("{a: {b: {$value: 1, $lock: true}}}", "{$delete: true}", ["ET402"], {"a": {"b": 1}}),
    "null over it": ("{a: {$value: 1, $lock: true}}", "null", ["ET402"], {"a": 1}),
    "a neighbour": ("{a: {$value: 1, $lock: true}, b: 1}", "{b: 2, c: 3}", [], {"a": 1, "b": 2, "c": 3}),
    "an expression": ('{$value: "${{ 1 }}", $lock: true}', "1", ["ET402"], "${{ 1 }}"),
}


@pytest.mark.parametrize(("lower", "upper", "codes", "expected"), LOCKS.values(), ids=LOCKS.keys())
def test_a_lock(lower: str, upper: str, codes: list[str], expected: Any) -> None:
    value, actual_codes = merged(lower, upper)
    assert (actual_codes, plain_data(value)) == (codes, expected)


def test_a_lock_outlives_an_equal_value_and_a_replacement_around_it() -> None:
    assert merged("{$value: 1, $lock: true}", "1", "2")[1] == ["ET402"]
    assert merged("{a: {$value: 1, $lock: true}}", "{$replace: {a: 1}}", "{a: 2}")[1] == ["ET402"]
    inner = "{a: {b: {$value: 1, $lock: true}, c: 1}}"
    assert merged(inner, "{$replace: {a: {b: 1, d: 1}}}", "{a: {c: 2, d: 2}}")[1] == []
    assert merged(inner, "{$replace: {a: {b: 1, d: 1}}}", "{a: {b: 2}}")[1] == ["ET402"]
    assert merged("1", "{$value: 1, $lock: true}", "2")[1] == ["ET402"]


def test_a_lock_belongs_to_who_locked_first() -> None:
    lock = "{config: {x: {$value: 1, $lock: true}}}"
    finding = run(lock, lock, "{config: {x: 2}}").only_finding()
    assert [related.span.path for related in finding.related] == ["organization.yaml"]


@pytest.mark.parametrize(
    ("sections", "keys"),
    [
        (("{config: {x: 1}}", "", "{config: {x: 1}}"), ["config.x"]),
        (("{config: {x: 1}}", "{config: {x: 2}}", "{config: {x: 1}}"), []),
        (("{config: {x: 1}}", "", "{config: {x: '1'}}"), []),
        (("{env_vars: {X: 1}}", "", "{env_vars: {X: '1'}}"), ["env_vars.X"]),
        (("{config: {x: [1, 2]}}", "", "{config: {x: [1, 2]}}"), ["config.x"]),
        (("{config: {x: {a: 1, b: 2}}}", "", "{config: {x: {a: 1, b: 3}}}"), ["config.x.a"]),
        (("{config: {x: '${{ agent.name }}'}}", "", "{config: {x: '${{ agent.name }}'}}"), ["config.x"]),
        (("{config: {x: 1}}", "", "{config: {x: {$value: 1}}}"), ["config.x"]),
        (("{config: {x: 1}}", "", "{config: {x: {$value: 1, $lock: true}}}"), []),
        (("{config: {x: {$value: 1, $lock: true}}}", "", "{config: {x: 1}}"), []),
        (("{config: {x: 1}}", "", "{config: {x: {$replace: 1}}}"), []),
    ],
)
def test_an_override_that_repeats_what_it_inherits(sections: tuple[str, ...], keys: list[str]) -> None:
    findings = run(*sections).outcome.findings
    assert [finding.diagnostic.key for finding in findings if finding.diagnostic.code == "ET452"] == keys


def test_an_override_that_is_needed_somewhere_is_no_repetition() -> None:
    files = layers("{config: {x: 1}}", "", "", "{config: {x: 1}}")
    files["environments/staging.yaml"] = "execution_environment: {config: {x: 2}}\n"
    assert "ET452" not in check(files).codes


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("{config: {x: {}}}", "'{}' over a map changes nothing"),
        ("{config: {l: []}}", "'[]' adds nothing to the inherited list"),
        ("{config: {l: {$append: []}}}", "a directive with an empty list changes nothing"),
        ("{secrets: []}", "'[]' over a map changes nothing"),
        ("{secrets: {$append: []}}", "a directive with an empty list changes nothing"),
    ],
)
def test_what_is_empty_is_told_unless_a_bundle_gets_it(section: str, message: str) -> None:
    lower = "{config: {x: {a: 1}, l: [1]}, secrets: [S]}"
    files = layers(lower, "", "", section, organization="merge: {config.l: append}", secrets={0: {"S": "s"}})
    assert [finding.split(" ", 2)[1:] for finding in check(files).findings] == [["ET450", message]]
    # Only one of two environments has a value below it.
    files["organization.yaml"] = layers("", organization="merge: {config.l: append}")["organization.yaml"]
    files["environments/staging.yaml"] = f"execution_environment: {lower}\n"
    assert "ET450" not in check(files).codes


def test_a_lock_on_a_variable_compares_texts() -> None:
    lock = "{env_vars: {A: {$value: 1.10, $lock: true}}}"
    assert run(lock, '{env_vars: {A: "1.10"}}').codes == []
    assert run(lock, "{env_vars: {A: 1.1}}").codes == ["ET402"]


@pytest.mark.parametrize(
    ("lower", "upper", "codes"),
    [
        ("1", "{$replace: a, $expect: exists}", []),
        ("1", "{$replace: a, $expect: new}", ["ET403"]),
        ("", "{$replace: a, $expect: new}", []),
        ("", "{$append: [1], $expect: exists}", ["ET403"]),
        ("[1]", "{$remove: [1], $expect: exists}", []),
        ("null", "{$value: 1, $expect: exists}", []),
        ("", "{a: {$value: 1, $expect: exists}}", ["ET403"]),
        ("1", "{$value: 2, $lock: true, $expect: exists}", []),
    ],
)
def test_an_expectation(lower: str, upper: str, codes: list[str]) -> None:
    assert merged(lower, upper)[1] == codes


SECRETS = {
    "list over list": (["[A]", "[B]"], {"A": "A", "B": "B"}),
    "map over list": (["[A]", "{A: a.b, B: c}"], {"A": "a.b", "B": "c"}),
    "list over map": (["{A: a.b}", "[A]"], {"A": "A"}),
    "$delete": (["[A, B]", "{A: {$delete: true}}"], {"B": "B"}),
    "$remove": (["{A: x, B: B}", "{$remove: [A]}"], {"B": "B"}),
    "$remove and $append": (["[A]", "{$remove: [A], $append: [B]}"], {"B": "B"}),
    "$replace": (["[A]", "{$replace: [B]}"], {"B": "B"}),
    "an empty list": (["[A]", "[]"], {"A": "A"}),
}


@pytest.mark.parametrize(("sections", "expected"), SECRETS.values(), ids=SECRETS.keys())
def test_the_secrets_section_is_a_map(sections: list[str], expected: dict[str, str]) -> None:
    stacks, _ = merge_all(layers(*(f"{{secrets: {section}}}" for section in sections)))
    assert plain_data(stacks[ID].sections["secrets"]) == expected


@pytest.mark.parametrize(
    ("declared", "result"),
    [
        ("config.*: append", [1, 2]),
        ("'config.*': append, config.x: prepend", [2, 1]),
        ("config.x: union, 'config.*': append", [1, 2]),
        ("'config.*': union, 'config.**': append", [1, 2]),
        ("'**': append, 'config.**': union", [1, 2]),
        ("'**.x': union, 'config.**': append", [1, 2]),
        ("'config.**': append, 'config.**.*': union", [1, 2]),
        ("'config.*.*': append", [2]),
        ("'config.\"x\"': append", [1, 2]),
        ("config.y: append", [2]),
    ],
)
def test_the_most_exact_policy_holds(declared: str, result: list[int]) -> None:
    files = layers("{config: {x: [1]}}", "{config: {x: [2]}}", organization=f"merge: {{{declared}}}")
    config = merge_all(files)[0][ID].sections["config"]
    assert plain_data(config)["x"] == result


NASTY = (
    "{config: {a: {$value: {b: [1], c: 1}, $lock: true}, l: [{n: x}], m: {k: 1}}, env_vars: {A: 1}, secrets: [S]}",
    "{config: {l: [{n: x, v: 2}], m: {$replace: {k: 2}}, '$$d': 1}, env_vars: {A: two}, secrets: {$remove: [S]}}",
    "{config: {l: {$remove: [x]}, m: {k: {$delete: true}}}, env_vars: {A: {$delete: true}, B: '${{ 1 }}'}}",
    "{config: {a: {c: 1}, l: {$append: [{n: y}]}, m: {z: {$append: [1]}}}}",
)


def test_t92_layers_are_never_changed_and_give_the_same_twice() -> None:
    files = layers(*NASTY, organization="merge: {config.l: {by_key: n}}")
    workspace = start_run(make_request(files)).workspace
    assert workspace
    before = copy.deepcopy(workspace)

    def results() -> list[Any]:
        stacks = merge(layer(workspace, lambda id: True), workspace.organization, Diagnostics())
        return [{name: plain_data(value) for name, value in stack.sections.items()} for stack in stacks]

    first = results()
    assert first == results()
    assert (workspace.organization, workspace.projects) == (before.organization, before.projects)


def test_t92_what_bundles_have_in_common_is_one_object() -> None:
    files = layers(
        "{config: {a: {b: 1}}, env_vars: {A: 1}}", "{config: {c: 2}}", "{env_vars: {B: 2}}", "{config: {d: 1}}"
    )
    files |= {
        "projects/p/teams/t/agents/b.yaml": "{}",
        "projects/p/teams/t/agents/c.yaml": "{execution_environment: {env_vars: {C: 3}}}",
    }
    stacks, _ = merge_all(files)
    a, b, c = (stacks[f"p/t/{name}@production"].sections for name in "abc")
    assert a["env_vars"] is b["env_vars"]
    assert b["config"] is c["config"]
    assert c["env_vars"].base is b["env_vars"]
    assert a["config"].base is b["config"]
    assert isinstance(a["config"], MergedMapping)
    assert isinstance(c["config"], MergedMapping)
    assert a["config"].entries["a"] is c["config"].entries["a"]
    assert plain_data(b["config"]) == {"a": {"b": 1}, "c": 2}


def test_a_lock_on_a_variable_is_no_matter_of_who_names_its_secret_again() -> None:
    locked = "{secrets: {A: db}, env_vars: {A: {$value: x, $lock: true}}}"
    assert "ET402" not in run("", "", locked, "{secrets: {A: db}}", secrets={0: {"db": "p"}}).codes
    later = run("", "", "{env_vars: {A: {$value: x, $lock: true}}}", "{secrets: {A: db}}", secrets={0: {"db": "p"}})
    assert "ET402" in later.codes


def test_nobody_can_see_that_two_ciphertexts_are_of_one_value() -> None:
    locked = run("{secrets: {A: db}}", secrets={0: {"db": {"$value": "p", "$lock": True}}, 1: {"db": "p"}})
    assert "ET402" in locked.codes


def test_variables_that_are_replaced_as_a_whole_are_gone() -> None:
    below, above = "{env_vars: {OLD: x, BOTH: x}}", "{env_vars: {$replace: {BOTH: z}}}"
    assert run(below, above).data()["env_vars"] == {"BOTH": "z"}
    assert run(below, above, "{env_vars: {MORE: z}}").data()["env_vars"] == {"BOTH": "z", "MORE": "z"}
    assert run(below, "{env_vars: {MORE: z}}", above).data()["env_vars"] == {"BOTH": "z"}
