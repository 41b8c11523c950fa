"""The files in `schema/` are valid, closed, described and self-contained, and two validators agree on them."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import jsonschema_rs
import pytest
import yaml
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SCHEMA_FOLDER = Path(__file__).parents[3] / "schema"
SCHEMAS: dict[str, Any] = {
    path.relative_to(SCHEMA_FOLDER).as_posix(): json.loads(path.read_text(encoding="utf-8"))
    for path in sorted(SCHEMA_FOLDER.rglob("*.schema.json"))
}
RESOURCES = {"organization", "project", "environment", "team", "agent", "workflow", "policy"}
RESOURCES |= {"mixin", "skill", "worker_queue", "job"}
OTHER_SCHEMAS = {
    "overlay",
    "bundle",
    *(f"output/{name}" for name in ("check", "diff", "explain", "gitlab", "impact", "manifest", "matrix", "parity")),
    *(f"output/{name}" for name in ("provenance", "show", "tree", "unused", "verify")),
    *(f"output/{name}" for name in ("audit", "kubiya", "readers", "rotate", "secrets")),
}
# The kinds that are layers, with the required keys of each.
LAYERS: dict[str, dict[str, Any]] = {
    "organization": {"name": "acme", "edition": 2026},
    "project": {"key": "PLAT"},
    "environment": {},
    "overlay": {},
    "team": {},
    "agent": {},
    "mixin": {},
}

IN_PLACE = {"if", "then", "else", "not", "allOf", "anyOf", "oneOf", "dependentSchemas"}
SINGLE_SCHEMA = {"if", "then", "else", "not", "additionalProperties", "items", "propertyNames"}
SCHEMA_LIST = {"allOf", "anyOf", "oneOf"}
SCHEMA_MAP = {"properties", "$defs", "dependentSchemas"}
ASSERTIONS = {"type", "enum", "const", "pattern", "required", "dependentRequired", "uniqueItems"}
BOUNDS = {"minimum", "maximum", "minLength", "maxLength", "minItems"}
BOUNDS |= {"minProperties", "maxProperties"}
ANNOTATIONS = {"$schema", "$ref", "title", "description", "default", "examples"}
KNOWN_KEYWORDS = SINGLE_SCHEMA | SCHEMA_LIST | SCHEMA_MAP | ASSERTIONS | BOUNDS | ANNOTATIONS

# Objects with any content, most of them the control plane's free fields. Everything else is closed.
FREE = {
    "agent": {"configuration", "llm_config"},
    "bundle": {"config"},
    "common/skill_configuration": {"custom_config"},
    "environment": {"settings"},
    "job": {"config"},
    "output/kubiya": {"body", "late"},
    "output/show": {"config"},
    "policy": {"metadata", "schema"},
    "project": {"settings"},
    "team": {"dependencies", "items", "knowledge_base", "metadata"},
    "worker_queue": {"settings"},
    "workflow": {"workflow_definition"},
}


class Subschema(NamedTuple):
    """One subschema with its path, and the keys of the closed schema that it refines."""

    file: str
    path: tuple[str, ...]
    schema: Any
    refined_keys: frozenset[str]


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    for keyword, value in schema.items():
        if keyword in SINGLE_SCHEMA:
            yield keyword, (keyword,), value
        elif keyword in SCHEMA_LIST:
            yield from ((keyword, (keyword, str(index)), item) for index, item in enumerate(value))
        elif keyword in SCHEMA_MAP:
            yield from ((keyword, (keyword, name), item) for name, item in value.items())


def walk(subschema: Subschema) -> Iterator[Subschema]:
    yield subschema
    if not isinstance(subschema.schema, dict):
        return
    keys = frozenset(subschema.schema.get("properties", ())) if is_closed(subschema.schema) else subschema.refined_keys
    for keyword, step, schema in subschemas(subschema.schema):
        refined_keys = keys if keyword in IN_PLACE else frozenset()
        yield from walk(Subschema(subschema.file, subschema.path + step, schema, refined_keys))


def is_closed(schema: dict[str, Any]) -> bool:
    return schema.get("additionalProperties") is False


SUBSCHEMAS = [
    subschema for file, schema in SCHEMAS.items() for subschema in walk(Subschema(file, (), schema, frozenset()))
]
OBJECTS = [subschema for subschema in SUBSCHEMAS if isinstance(subschema.schema, dict)]
PROPERTIES = [
    Subschema(subschema.file, (*subschema.path, "properties", name), schema, frozenset())
    for subschema in OBJECTS
    if not subschema.refined_keys
    for name, schema in subschema.schema.get("properties", {}).items()
]


def types(schema: dict[str, Any]) -> list[str]:
    declared = schema.get("type", [])
    return [declared] if isinstance(declared, str) else declared


@cache
def by_jsonschema(reference: str) -> jsonschema.Draft202012Validator:
    registry: Registry[Any] = Registry().with_resources(
        (file, Resource.from_contents(schema, DRAFT202012)) for file, schema in SCHEMAS.items()
    )
    return jsonschema.Draft202012Validator({"$ref": reference}, registry=registry)


@cache
def by_jsonschema_rs(reference: str) -> jsonschema_rs.Draft202012Validator:
    registry = jsonschema_rs.Registry(list(SCHEMAS.items()))
    linear_time = jsonschema_rs.RegexOptions()
    return jsonschema_rs.Draft202012Validator({"$ref": reference}, registry=registry, pattern_options=linear_time)


def verdict(reference: str, document: Any) -> bool:
    expected = by_jsonschema(reference).is_valid(document)
    actual = by_jsonschema_rs(reference).is_valid(document)
    assert expected == actual, f"jsonschema says {expected}, jsonschema_rs says {actual}"
    return expected


def pointer(subschema: Subschema) -> str:
    escaped = (step.replace("~", "~0").replace("/", "~1").replace("%", "%25") for step in subschema.path)
    return f"{subschema.file}#" + "".join(f"/{step}" for step in escaped)


def test_every_kind_and_output_has_its_file() -> None:
    expected = {f"{name}.schema.json" for name in RESOURCES | OTHER_SCHEMAS}
    assert expected == {file for file in SCHEMAS if not file.startswith("common/")}


@pytest.mark.parametrize("file", SCHEMAS)
def test_a_file_is_valid_against_the_metaschema(file: str) -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[file])
    assert jsonschema_rs.meta.is_valid(SCHEMAS[file])
    assert SCHEMAS[file]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("file", SCHEMAS)
def test_a_file_is_formatted(file: str) -> None:
    text = (SCHEMA_FOLDER / file).read_text(encoding="utf-8")
    assert text == json.dumps(SCHEMAS[file], indent=2, ensure_ascii=False) + "\n"


def test_every_keyword_is_known() -> None:
    assert {keyword for subschema in OBJECTS for keyword in subschema.schema} <= KNOWN_KEYWORDS


def test_every_pattern_is_anchored_and_linear() -> None:
    for subschema in OBJECTS:
        pattern = subschema.schema.get("pattern")
        if pattern is None or subschema.path[-1] == "not":
            continue
        assert (pattern[0], pattern[-1]) == ("^", "$"), pointer(subschema)
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())


def test_every_object_is_closed_or_refines_a_closed_one() -> None:
    for subschema in OBJECTS:
        if "properties" in subschema.schema and not is_closed(subschema.schema):
            assert set(subschema.schema["properties"]) <= subschema.refined_keys, pointer(subschema)


def test_only_the_known_objects_are_free() -> None:
    free: dict[str, set[str]] = {}
    for subschema in OBJECTS:
        is_shaped = {"properties", "additionalProperties"} & subschema.schema.keys()
        is_condition = subschema.path[-1:] == ("if",) or subschema.path == ("$defs", "form")
        if "object" in types(subschema.schema) and not is_shaped and not is_condition:
            free.setdefault(subschema.file.removesuffix(".schema.json"), set()).add(subschema.path[-1])
    assert free == FREE


def test_every_property_has_a_title_and_a_description() -> None:
    for subschema in PROPERTIES:
        assert subschema.schema["title"][0].isalpha(), pointer(subschema)
        assert subschema.schema["description"].endswith("."), pointer(subschema)


def test_every_reference_stays_inside_the_folder() -> None:
    for subschema in OBJECTS:
        if "$ref" in subschema.schema:
            by_jsonschema(pointer(subschema)).is_valid({})
            assert ":" not in subschema.schema["$ref"], pointer(subschema)


def test_every_example_and_default_is_valid() -> None:
    for subschema in OBJECTS:
        default = [subschema.schema["default"]] if "default" in subschema.schema else []
        for document in [*subschema.schema.get("examples", []), *default]:
            assert verdict(pointer(subschema), document), f"{pointer(subschema)}: {document!r}"


def documents() -> Iterator[Any]:
    """Yield the cases of test_schemas.yaml; `valid` and `invalid` extend `base`, `accepted` and `refused` do not."""
    table = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    for name, cases in table.items():
        kind = f"{name}.schema.json"
        base = cases.get("base", {})
        pairs = [(base, True)]
        pairs += [({**base, **document}, True) for document in cases["valid"]]
        pairs += [({**base, **document}, False) for document in cases["invalid"]]
        pairs += [(document, True) for document in cases.get("accepted", ())]
        pairs += [(document, False) for document in cases["refused"]]
        pairs += [({**base, field: "x"}, False) for field in ("id", "created_at", "environment_ids", "$schema")]
        for index, (document, expected) in enumerate(pairs):
            yield pytest.param(kind, document, expected, id=f"{name}-{index}-{'valid' if expected else 'invalid'}")


@pytest.mark.parametrize(("kind", "document", "expected"), list(documents()))
def test_both_validators_give_the_expected_verdict(kind: str, document: Any, expected: bool) -> None:
    assert verdict(kind, document) is expected, document


def sections() -> Iterator[Any]:
    table = yaml.safe_load(Path(__file__).with_name("test_schemas_sections.yaml").read_text(encoding="utf-8"))
    for section, cases in table.items():
        for expected, values in ((True, cases["valid"]), (False, cases["invalid"])):
            for value in values:
                yield pytest.param(section, value, expected, id=f"{section}-{json.dumps(value)}")


@pytest.mark.parametrize(("section", "value", "expected"), list(sections()))
def test_a_section_of_the_execution_environment(section: str, value: Any, expected: bool) -> None:
    for kind, base in LAYERS.items():
        document = {**base, "execution_environment": {section: value}}
        assert verdict(f"{kind}.schema.json", document) is expected, kind


def test_an_error_stands_at_the_value_at_fault() -> None:
    document = {"execution_environment": {"mcp_servers": {"github": {"command": "npx", "args": ["-y", 1]}}}}
    paths = [list(error.instance_path) for error in by_jsonschema_rs("agent.schema.json").iter_errors(document)]
    assert paths == [["execution_environment", "mcp_servers", "github", "args", 1]]
