"""The files in schema/: valid, closed, described, self-contained; two validators agree on them."""

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
RESOURCES |= {"skill", "worker_queue", "job"}
OTHERS = {
    "overlay",
    "bundle",
    *(f"output/{name}" for name in ("check", "diff", "explain", "gitlab", "impact", "manifest", "matrix", "parity")),
    *(f"output/{name}" for name in ("provenance", "show", "tree", "unused", "verify")),
    *(f"output/{name}" for name in ("audit", "kubiya", "readers", "rotate")),
}
# The kinds that are layers, and the least that each must say.
LAYERS: dict[str, dict[str, Any]] = {
    "organization": {"name": "acme", "edition": 2026},
    "project": {"key": "PLAT"},
    "environment": {},
    "overlay": {},
    "team": {},
    "agent": {},
}

IN_PLACE = {"if", "then", "else", "not", "allOf", "anyOf", "oneOf", "dependentSchemas"}
ONE = {"if", "then", "else", "not", "additionalProperties", "items", "propertyNames"}
SEVERAL = {"allOf", "anyOf", "oneOf"}
NAMED = {"properties", "$defs", "dependentSchemas"}
ASSERTIONS = {"type", "enum", "const", "pattern", "required", "dependentRequired", "uniqueItems"}
BOUNDS = {"minimum", "maximum", "minLength", "maxLength", "minItems"}
BOUNDS |= {"minProperties", "maxProperties"}
ANNOTATIONS = {"$schema", "$ref", "title", "description", "default", "examples"}
KNOWN = ONE | SEVERAL | NAMED | ASSERTIONS | BOUNDS | ANNOTATIONS

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


class Place(NamedTuple):
    """One subschema, and the names that the schema which it refines allows."""

    file: str
    path: tuple[str, ...]
    schema: Any
    refines: frozenset[str]


def subschemas(schema: dict[str, Any]) -> Iterator[tuple[str, tuple[str, ...], Any]]:
    for keyword, value in schema.items():
        if keyword in ONE:
            yield keyword, (keyword,), value
        elif keyword in SEVERAL:
            yield from ((keyword, (keyword, str(index)), item) for index, item in enumerate(value))
        elif keyword in NAMED:
            yield from ((keyword, (keyword, name), item) for name, item in value.items())


def walk(place: Place) -> Iterator[Place]:
    yield place
    if not isinstance(place.schema, dict):
        return
    own = frozenset(place.schema.get("properties", ())) if is_closed(place.schema) else place.refines
    for keyword, step, schema in subschemas(place.schema):
        refines = own if keyword in IN_PLACE else frozenset()
        yield from walk(Place(place.file, place.path + step, schema, refines))


def is_closed(schema: dict[str, Any]) -> bool:
    return schema.get("additionalProperties") is False


PLACES = [place for file, schema in SCHEMAS.items() for place in walk(Place(file, (), schema, frozenset()))]
OBJECTS = [place for place in PLACES if isinstance(place.schema, dict)]
PROPERTIES = [
    Place(place.file, (*place.path, "properties", name), schema, frozenset())
    for place in OBJECTS
    if not place.refines
    for name, schema in place.schema.get("properties", {}).items()
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
    linear = jsonschema_rs.RegexOptions()
    return jsonschema_rs.Draft202012Validator({"$ref": reference}, registry=registry, pattern_options=linear)


def verdict(reference: str, document: Any) -> bool:
    one = by_jsonschema(reference).is_valid(document)
    other = by_jsonschema_rs(reference).is_valid(document)
    assert one == other, f"jsonschema says {one}, jsonschema_rs says {other}"
    return one


def pointer(place: Place) -> str:
    escaped = (step.replace("~", "~0").replace("/", "~1").replace("%", "%25") for step in place.path)
    return f"{place.file}#" + "".join(f"/{step}" for step in escaped)


def test_every_kind_and_output_has_its_file() -> None:
    expected = {f"{name}.schema.json" for name in RESOURCES | OTHERS}
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
    assert {keyword for place in OBJECTS for keyword in place.schema} <= KNOWN


def test_every_pattern_is_anchored_and_linear() -> None:
    for place in OBJECTS:
        pattern = place.schema.get("pattern")
        if pattern is None or place.path[-1] == "not":
            continue
        assert (pattern[0], pattern[-1]) == ("^", "$"), pointer(place)
        jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())


def test_every_object_is_closed_or_refines_a_closed_one() -> None:
    for place in OBJECTS:
        if "properties" in place.schema and not is_closed(place.schema):
            assert set(place.schema["properties"]) <= place.refines, pointer(place)


def test_only_the_known_objects_are_free() -> None:
    free: dict[str, set[str]] = {}
    for place in OBJECTS:
        shaped = {"properties", "additionalProperties"} & place.schema.keys()
        condition = place.path[-1:] == ("if",) or place.path == ("$defs", "form")
        if "object" in types(place.schema) and not shaped and not condition:
            free.setdefault(place.file.removesuffix(".schema.json"), set()).add(place.path[-1])
    assert free == FREE


def test_every_property_has_a_title_and_a_description() -> None:
    for place in PROPERTIES:
        assert place.schema["title"][0].isalpha(), pointer(place)
        assert place.schema["description"].endswith("."), pointer(place)


def test_every_reference_stays_inside_the_folder() -> None:
    for place in OBJECTS:
        if "$ref" in place.schema:
            by_jsonschema(pointer(place)).is_valid({})
            assert ":" not in place.schema["$ref"], pointer(place)


def test_every_example_and_default_is_valid() -> None:
    for place in OBJECTS:
        default = [place.schema["default"]] if "default" in place.schema else []
        for document in [*place.schema.get("examples", []), *default]:
            assert verdict(pointer(place), document), f"{pointer(place)}: {document!r}"


def documents() -> Iterator[Any]:
    """The table beside this file: `valid` and `invalid` lie over `base`, `accepted` and `refused` stand alone."""
    table = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    for name, cases in table.items():
        kind = f"{name}.schema.json"
        base = cases.get("base", {})
        drawn = [(base, True)]
        drawn += [({**base, **document}, True) for document in cases["valid"]]
        drawn += [({**base, **document}, False) for document in cases["invalid"]]
        drawn += [(document, True) for document in cases.get("accepted", ())]
        drawn += [(document, False) for document in cases["refused"]]
        drawn += [({**base, field: "x"}, False) for field in ("id", "created_at", "environment_ids", "$schema")]
        for index, (document, expected) in enumerate(drawn):
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
    found = [list(error.instance_path) for error in by_jsonschema_rs("agent.schema.json").iter_errors(document)]
    assert found == [["execution_environment", "mcp_servers", "github", "args", 1]]
