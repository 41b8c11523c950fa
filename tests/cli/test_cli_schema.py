"""`envtree schema`: it lists, prints and exports schemas that are self-contained."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest

from envtree.frontend.schemas import Schemas
from tests.support.command_line import RunCommand
from tests.unit.frontend.test_schemas import LAYERS, SCHEMAS, by_jsonschema_rs, documents, sections

NAMES = Schemas().names()


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        yield schema["$ref"]
    for child in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from references(child)


@cache
def bundled(name: str) -> jsonschema_rs.Draft202012Validator:
    """Return a validator of a schema that cannot load any other schema."""
    linear = jsonschema_rs.RegexOptions()
    return jsonschema_rs.Draft202012Validator(json.loads(Schemas().text(name)), pattern_options=linear, offline=True)


def test_schema_lists_prints_and_exports(envtree: RunCommand, tmp_path: Path) -> None:
    listed = [line.split()[0] for line in envtree("schema").out.splitlines()]
    assert listed == list(NAMES)
    assert envtree("schema", "agent").out == Schemas().text("agent")
    ran = envtree("schema", "--export", str(tmp_path / "schemas"))
    assert ran == (0, "", f"wrote {len(NAMES)} schemas to '{tmp_path}/schemas'\n")
    written = {path.relative_to(tmp_path / "schemas").as_posix() for path in tmp_path.rglob("*.schema.json")}
    assert written == {f"{name}.schema.json" for name in NAMES}
    assert (tmp_path / "schemas/output/check.schema.json").read_text() == Schemas().text("output/check")
    assert envtree("schema", "agent", "--export", str(tmp_path)).code == 2


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_schema_is_whole(name: str) -> None:
    text = Schemas().text(name)
    schema = json.loads(text)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert jsonschema_rs.meta.is_valid(schema)
    assert text == json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
    for reference in references(schema):
        target = schema
        assert reference.startswith("#")
        for step in reference[1:].split("/")[1:]:
            target = target[step]
    original = SCHEMAS[f"{name}.schema.json"]
    assert {key: schema[key] for key in ("$schema", "title", "description")} == {
        key: original[key] for key in ("$schema", "title", "description")
    }
    assert list(schema.get("properties", ())) == list(original.get("properties", ()))


@pytest.mark.parametrize(("kind", "document", "expected"), list(documents()))
def test_a_bundled_schema_gives_the_same_verdict(kind: str, document: Any, expected: bool) -> None:
    assert bundled(kind.removesuffix(".schema.json")).is_valid(document) is by_jsonschema_rs(kind).is_valid(document)


@pytest.mark.parametrize(("section", "value", "expected"), list(sections()))
def test_a_section_gets_the_same_verdict(section: str, value: Any, expected: bool) -> None:
    for kind, base in LAYERS.items():
        document = {**base, "execution_environment": {section: value}}
        assert bundled(kind).is_valid(document) is by_jsonschema_rs(f"{kind}.schema.json").is_valid(document)


def test_data_keeps_its_references() -> None:
    """In an example or a default, `$ref` is an ordinary key."""
    for name in NAMES:
        original, text = SCHEMAS[f"{name}.schema.json"], json.loads(Schemas().text(name))
        for key, schema in original.get("properties", {}).items():
            if isinstance(schema, dict):
                assert text["properties"][key].get("examples") == schema.get("examples")
