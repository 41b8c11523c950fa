"""Policies over unknown values: the result is that of the engine, and validation never hangs or crashes (T23, T25)."""

import os
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envtree.compile.bundle_lint.assertions import compile_schema
from envtree.compile.bundle_lint.partial_validator import validate_partially
from envtree.model.resolved import UNKNOWN, HiddenValue
from tests.support.effort import assert_linear
from tests.support.rounds import rounds
from tests.support.trees import CheckResult, check, layers, quote_yaml

SECRETS = {"text": "abc", "db": {"user": "u"}}
H = HiddenValue(UNKNOWN, secret=True, symbol=None)


def policy(schema: Any, section: str = "{secrets: {A: text}, env_vars: {B: b}}", *, key: bool = False) -> CheckResult:
    files = {**layers(section, secrets={0: SECRETS}), "policies/own.yaml": f"{{schema: {quote_yaml(schema)}}}"}
    return check(files, {"organization": SECRETS} if key else None)


FANS = {"$defs": {**{f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}, "a40": True}}
CHAIN = {"$defs": {**{f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(3000)}, "a3000": True}}
UNUSABLE = [
    ({"$ref": "#"}, "leads back to itself"),
    ({"allOf": [{"$ref": "#"}]}, "leads back to itself"),
    ({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}}, "leads back to itself"),
    ({"$dynamicAnchor": "x", "$dynamicRef": "#x"}, "leads back to itself"),
    ({"$defs": {"a": {"$anchor": "a", "$ref": "#a"}}}, "leads back to itself"),
    ({"properties": {"a": {"if": {"$ref": "#/properties/a"}}}}, "leads back to itself"),
    ({"properties": {"env_vars": {"pattern": "\\cA"}}}, "RE2"),
    ({"patternProperties": {"a{1,2000}": {}}}, "RE2"),
    ({"properties": {"pattern": {"items": {"pattern": "a++"}}}}, "RE2"),
    (FANS, "more than 10000 schemas"),
    (CHAIN, "lead too far"),
    ({"properties": {"a": {"dependencies": {"b": ["c"]}}}}, "'dependencies'"),
    ({"$ref": "json-schema:///item", "$defs": {"a": {"$id": "item"}}}, "names no schema in it"),
]


@pytest.mark.parametrize(("schema", "words"), UNUSABLE, ids=lambda value: str(value)[:40])
@pytest.mark.parametrize("key", [False, True])
def test_a_schema_that_cannot_be_used_is_told_at_the_policy(
    schema: Any, words: str, key: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    finding = policy(schema, key=key).only_finding()
    assert (finding.code, finding.span.path) == ("ET215", "policies/own.yaml")
    assert words in finding.message
    assert capfd.readouterr().err == ""


FINE = [
    {"properties": {"config": {"$ref": "#"}}},
    {"$defs": {"a": {"properties": {"x": {"$ref": "#/$defs/a"}}}}, "$ref": "#/$defs/a"},
    {"enum": [{"pattern": "(?=a)"}], "not": {}},
    {"properties": {"pattern": {"const": "(?=a)"}}},
    {"x-own": {"pattern": "(?=a)", "$ref": "#"}},
    {"$ref": "https://json-schema.org/draft/2020-12/schema"},
    {"properties": {"config": {"$ref": "item"}}, "definitions": {"a": {"$id": "item", "type": "string"}}},
    {"properties": {"config": {"$ref": "#item"}}, "definitions": {"a": {"$anchor": "item", "type": "string"}}},
    {"$ref": "#/x-own/a", "x-own": {"a": {"$ref": "#b"}}, "definitions": {"b": {"$anchor": "b", "minProperties": 99}}},
    {"$id": "https://json-schema.org/draft/2020-12/own", "$ref": "schema"},
    {"$id": "https://a.example/b", "$ref": "c#d", "$defs": {"e": {"$id": "c", "$defs": {"f": {"$anchor": "d"}}}}},
]


@pytest.mark.parametrize("schema", FINE)
@pytest.mark.parametrize("key", [False, True])
def test_a_schema_that_can_be_used(schema: Any, key: bool) -> None:
    assert set(policy(schema, key=key).codes) <= {"ET704"}


# A schema, data in which H is unknown, the paths of certain violations, and the undecided paths.
VALIDATION_CASES: list[tuple[Any, Any, list[Any], list[Any]]] = [
    ({"properties": {"a": {"multipleOf": 0.01}}}, {"a": 0.07, "b": H}, [], []),
    ({"properties": {"a": {"multipleOf": 0.01}}}, {"a": 0.075, "b": H}, [("a",)], []),
    ({"properties": {"a": False}}, {"a": H}, [("a",)], []),
    ({"items": False}, [H], [(0,)], []),
    ({"properties": {"a": {"not": True}}}, {"a": H}, [("a",)], []),
    ({"properties": {"a": {"not": {"const": 1}}, "b": {"const": 1}}}, {"a": H, "b": 2}, [("b",)], [("a",)]),
    ({"not": {"properties": {"a": {"const": 1}, "b": {"const": 1}}}}, {"a": H, "b": 2}, [], []),
    ({"not": {"properties": {"a": {"const": 1}, "b": {"const": 1}}}}, {"a": H, "b": 1}, [], [("a",)]),
    ({"anyOf": [{"properties": {"a": {"const": 1}}}, {"required": ["b"]}]}, {"a": H, "b": 2}, [], []),
    ({"anyOf": [{"properties": {"a": {"const": 1}}}, {"required": ["c"]}]}, {"a": H, "b": 2}, [], [("a",)]),
    ({"oneOf": [{"properties": {"a": {"const": 1}}}, {}, {}]}, {"a": H}, [()], []),
    ({"oneOf": [{"properties": {"a": {"const": 1}}}, {}]}, {"a": H}, [], [("a",)]),
    ({"if": {"properties": {"a": {"const": 1}}}, "then": False, "else": {}}, {"a": H}, [], [("a",)]),
    ({"if": {"properties": {"a": {"const": 1}}}, "then": False, "else": False}, {"a": H}, [()], [("a",)]),
    ({"if": {"required": ["b"]}, "then": False, "else": {"required": ["c"]}}, {"a": H}, [()], []),
    ({"contains": {"const": 1}}, [1, H], [], []),
    ({"contains": {"const": 1}}, [2, H], [], [(1,)]),
    ({"contains": {"const": 1}, "minContains": 2}, [2, H], [()], []),
    ({"contains": {"const": 1}, "maxContains": 1}, [1, 1, H], [()], []),
    ({"contains": {"const": 1}, "maxContains": 1}, [1, H], [], [(1,)]),
    ({"dependentSchemas": {"a": {"required": ["c"]}}}, {"a": H}, [()], []),
    ({"dependentSchemas": {"b": {"required": ["c"]}}}, {"a": H}, [], []),
    ({"uniqueItems": True}, [1, 1.0, H], [()], [(2,)]),
    ({"uniqueItems": True}, [1, 2, H], [], [(2,)]),
    ({"uniqueItems": False}, [1, 1, H], [], []),
    ({"propertyNames": {"maxLength": 1}}, {"aa": H}, [()], []),
    ({"unevaluatedProperties": False}, {"a": H}, [()], []),
    ({"properties": {"a": True}, "unevaluatedProperties": False}, {"a": H}, [], []),
    ({"anyOf": [{"properties": {"a": {"const": 1}}}, {}], "unevaluatedProperties": False}, {"a": H}, [], [("a",)]),
    ({"unevaluatedItems": {"const": 1}, "prefixItems": [True]}, [2, 3, H], [()], [(2,)]),
    ({"patternProperties": {"^(a+)+$": False}}, {"a" * 40 + "!": 1, "x": H}, [], []),
    ({"unevaluatedProperties": False, "patternProperties": {"^(a+)+$": {}}}, {"a" * 40 + "!": 1, "x": H}, [()], []),
    ({"$dynamicRef": "#x", "$defs": {"a": {"$dynamicAnchor": "x", "required": ["b"]}}}, {"a": H}, [()], []),
    ({"properties": {"a": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}}, {"a": H}, [], [("a",)]),
    ({"properties": {"a": {"title": "x", "default": 1}}}, {"a": H}, [], []),
    ({"$defs": {"l": {"properties": {"n": {"$ref": "#/$defs/l"}, "v": {"const": 1}}}}, "$ref": "#/$defs/l"},
     {"n": {"n": {"v": 2, "n": H}}}, [("n", "n", "v")], [("n", "n", "n")]),
]  # fmt: skip


@pytest.mark.parametrize(("schema", "data", "broken", "undecided"), VALIDATION_CASES)
def test_what_is_certain_and_what_is_not(schema: Any, data: Any, broken: list[Any], undecided: list[Any]) -> None:
    violations, undecided_paths = validate_partially(schema, data)
    assert (sorted({violation.path for violation in violations}), undecided_paths) == (broken, undecided)


def test_t25_unique_items_take_linear_time() -> None:
    schema = {"properties": {"a": {"uniqueItems": True, "items": {"type": "object"}}}}

    def validate_many(count: int) -> None:
        assert validate_partially(schema, {"a": [{"n": n} for n in range(count)], "b": H}) == ([], [])

    assert_linear(lambda count: partial(validate_many, count), 25)
    validate_many(10_000)


def test_a_reference_into_a_part_with_its_own_id_is_told_with_its_rule() -> None:
    schema = {"properties": {"env_vars": {"$ref": "urn:x"}}, "$defs": {"a": {"$id": "urn:x", "required": ["C"]}}}
    for key in (False, True):
        assert policy(schema, key=key).only_finding().hint == 'the policy\'s schema says: required: ["C"]'


@pytest.mark.parametrize("name", [{"$id": "own"}, {"$anchor": "own"}], ids=str)
def test_definitions_are_found_by_id_and_anchor_as_defs_are(name: dict[str, str]) -> None:
    reference = "#own" if "$anchor" in name else "own"
    schema = {"properties": {"env_vars": {"$ref": reference}}, "definitions": {"a": {**name, "required": ["C"]}}}
    for key in (False, True):
        finding = policy(schema, key=key).only_finding()
        assert (finding.code, finding.hint) == ("ET704", 'the policy\'s schema says: required: ["C"]')


def test_a_schema_that_nothing_fits_says_so() -> None:
    for schema, key_path in ((False, ""), ({"properties": {"env_vars": {"properties": {"A": False}}}}, "env_vars.A")):
        for key in (False, True):
            finding = policy(schema, key=key).only_finding()
            assert (finding.key, finding.hint) == (key_path, "the policy's schema says: false, which nothing fits")


# Comparison with the engine itself.

SCALARS = st.sampled_from([None, True, 0, 1, 1.0, 0.07, -2, "", "a", "ab", "1"])
KEYS = st.sampled_from(["a", "b", "ab", "1"])
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
ASSERTED = st.one_of(
    st.fixed_dictionaries({"type": st.sampled_from(["object", "array", "string", "integer", "number", ["null"]])}),
    st.fixed_dictionaries({"const": DATA}),
    st.fixed_dictionaries({"enum": st.lists(DATA, min_size=1, max_size=2)}),
    st.fixed_dictionaries({"required": st.lists(KEYS, max_size=2, unique=True)}),
    st.fixed_dictionaries({"dependentRequired": st.dictionaries(KEYS, st.lists(KEYS, max_size=1), max_size=1)}),
    st.fixed_dictionaries({"multipleOf": st.sampled_from([0.01, 1, 2, 0.5])}),
    st.fixed_dictionaries({"pattern": st.sampled_from(["a", "^b?$", "\\d"])}),
    st.sampled_from(
        [{word: n} for word in ("minLength", "maxItems", "minItems", "maxProperties", "minimum") for n in (0, 1, 2)]
    ),
    st.fixed_dictionaries({"uniqueItems": st.booleans()}),
)
REFERENCES = st.sampled_from([{"$ref": "#/$defs/d"}, {"$ref": "#anchor"}, {"$dynamicRef": "#dyn"}, {"$ref": "urn:own"}])


def merge_keywords(parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {keyword: argument for part in parts for keyword, argument in part.items()}


def applicator_schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    several = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(KEYS, inner, max_size=2)
    single = [
        *("not", "if", "then", "else", "contains", "items", "additionalProperties", "propertyNames"),
        *("unevaluatedProperties", "unevaluatedItems"),
    ]
    parts = [
        *(st.fixed_dictionaries({word: several}) for word in ("allOf", "anyOf", "oneOf", "prefixItems")),
        *(st.fixed_dictionaries({word: named}) for word in ("properties", "dependentSchemas")),
        *(st.fixed_dictionaries({word: inner}) for word in single),
        st.fixed_dictionaries({"patternProperties": st.dictionaries(st.sampled_from(["a", "^b$", "\\d"]), inner)}),
        st.fixed_dictionaries({"contains": inner, "minContains": st.integers(0, 2), "maxContains": st.integers(0, 2)}),
        ASSERTED,
    ]
    return st.lists(st.one_of(parts), min_size=1, max_size=4).map(merge_keywords)


SCHEMAS: st.SearchStrategy[Any] = st.recursive(st.booleans() | ASSERTED | REFERENCES, applicator_schemas, max_leaves=10)
DEFINED: st.SearchStrategy[Any] = st.recursive(st.booleans() | ASSERTED, applicator_schemas, max_leaves=4).filter(
    lambda part: isinstance(part, dict)
)


@st.composite
def complete_schemas(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a schema with definitions for its references; the definitions contain no references."""
    root = draw(SCHEMAS.filter(lambda part: isinstance(part, dict)))
    definitions = {
        "d": draw(DEFINED),
        "e": {**draw(DEFINED), "$anchor": "anchor"},
        "f": {**draw(DEFINED), "$dynamicAnchor": "dyn"},
        "g": {**draw(DEFINED), "$id": "urn:own"},
    }
    return {**root, "$defs": definitions}


EXAMPLES = int(os.environ.get("ENVTREE_POLICY_EXAMPLES", rounds(gate=80, full=200)))


@settings(max_examples=EXAMPLES)
@given(complete_schemas(), DATA)
def test_without_unknowns_the_verdict_is_that_of_the_engine(schema: dict[str, Any], data: Any) -> None:
    violations, undecided = validate_partially(schema, data)
    assert (not violations, undecided) == (compile_schema(schema).is_valid(data), [])


def with_unknowns(data: Any, picks: list[bool]) -> Any:
    """Return the data with some of its scalars unknown."""
    if isinstance(data, dict):
        return {key: with_unknowns(inner, picks) for key, inner in data.items()}
    if isinstance(data, list):
        return [with_unknowns(inner, picks) for inner in data]
    return H if picks and picks.pop() else data


@settings(max_examples=EXAMPLES)
@given(complete_schemas(), DATA, st.lists(st.booleans(), min_size=8, max_size=8))
def test_what_is_said_to_be_certain_is_true(schema: dict[str, Any], data: Any, picks: list[bool]) -> None:
    """Compare certain results with those of the engine on the data without unknown parts."""
    violations, undecided = validate_partially(schema, with_unknowns(data, picks))
    if violations or not undecided:
        assert (not violations) == compile_schema(schema).is_valid(data)
