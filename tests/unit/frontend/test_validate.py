"""The stage `validate`: the cases in test_validate.yaml, and the threats to schemas, T21 to T29."""

import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import jsonschema_rs
import pytest
import re2
import yaml

from envtree.frontend.link.policies import REGEX_OPTIONS, link_policies
from envtree.frontend.parse import parse
from envtree.frontend.schemas import Schemas
from envtree.frontend.validate import validate
from envtree.frontend.validate.fault_messages import _MESSAGE_BUILDERS
from envtree.frontend.validate.message_text import FORBIDDEN_KEY_MESSAGES, PATTERN_DESCRIPTIONS
from envtree.model.diagnostic import Diagnostic, Diagnostics
from envtree.model.nodes import Document
from envtree.model.resource import Resource, Resources
from envtree.model.source import Kind, Location, Source
from tests.support.effort import assert_linear

HERE = Path(__file__)
CASES: dict[str, dict[str, str]] = yaml.safe_load(HERE.with_suffix(".yaml").read_text(encoding="utf-8"))
KINDS = [kind for kind in Kind if kind not in (Kind.SECRETS, Kind.CREATION_RULES)]
SCHEMAS = Schemas()


def read(kind: str, text: str, path: str = "xy", diags: Diagnostics | None = None) -> Document:
    location = Location(Kind(kind), "", "", path)
    diags = Diagnostics() if diags is None else diags
    document = parse(Source(f"{path}.yaml", location, text.encode(), "0" * 64), diags)
    assert document is not None
    return document


def check(kind: str, text: str, path: str = "xy") -> list[Diagnostic]:
    diags = Diagnostics()
    validate(read(kind, text, path), SCHEMAS, diags)
    return sorted(diags)


def line(finding: Diagnostic) -> str:
    hint = f" ({finding.hint})" if finding.hint else ""
    return f"{finding.span.line}:{finding.span.column} {finding.code} {finding.message}{hint}"


def all_text(finding: Diagnostic) -> str:
    return "\n".join([finding.message, finding.hint, *(related.message for related in finding.related)])


@pytest.mark.parametrize("title", CASES)
def test_the_findings_of_a_file(title: str) -> None:
    case = dict(CASES[title])
    path, finds = case.pop("path", "xy"), case.pop("finds")
    ((kind, text),) = case.items()
    assert [line(finding) for finding in check(kind, text, path)] == finds.splitlines()


def schema_cases(verdict: str) -> Iterator[Any]:
    """Yield the documents of test_schemas.yaml with a verdict."""
    table = yaml.safe_load(HERE.with_name("test_schemas.yaml").read_text(encoding="utf-8"))
    for kind in KINDS:
        for index, fields in enumerate(table[kind][verdict]):
            yield pytest.param(kind, table[kind].get("base", {}) | fields, id=f"{kind}-{index}")


def check_data(kind: str, data: dict[str, Any]) -> list[Diagnostic]:
    name = data.get("name")
    return check(kind, json.dumps(data), name if isinstance(name, str) and kind != Kind.ORGANIZATION else "xy")


@pytest.mark.parametrize(("kind", "data"), list(schema_cases("valid")))
def test_valid_documents_have_no_findings(kind: str, data: dict[str, Any]) -> None:
    assert check_data(kind, data) == []


@pytest.mark.parametrize(("kind", "data"), list(schema_cases("invalid")))
def test_messages_for_invalid_documents_are_our_own(kind: str, data: dict[str, Any]) -> None:
    findings = check_data(kind, data)
    assert findings
    for finding in findings:
        assert not finding.message.endswith("."), finding
        assert finding.message[0] == "'" or finding.message[0].islower(), finding
        assert "schema '" not in finding.message, finding
        assert "of its schema" not in finding.message, finding


def test_a_fault_at_the_greatest_depth_is_found() -> None:
    inner = "{a: " * 58 + "{'': 1}" + "}" * 58
    (finding,) = check("agent", f"execution_environment: {{config: {inner}}}")
    assert finding.code == "ET205"


def test_a_long_key_does_not_flood_a_message() -> None:
    (finding,) = check("agent", f"? {'k' * 5000}\n: 1\n")
    assert len(finding.message) < 100


def test_control_characters_are_escaped() -> None:
    (finding,) = check("agent", 'runtime: "\\e[2Jx"\n')
    assert finding.message.startswith("'runtime' is '\\x1b[2Jx'")


def test_a_valid_file_is_checked_without_the_reference_implementation() -> None:
    code = f"""
import sys
sys.path[:0] = {[str(HERE.parents[3] / "compiler")]!r}
from envtree.model.diagnostic import Diagnostics
from envtree.frontend.parse import parse
from envtree.frontend.schemas import Schemas
from envtree.model.source import Kind, Location, Source
from envtree.frontend.validate import validate
diags = Diagnostics()
document = parse(Source("a.yaml", Location(Kind.AGENT, "p", "", "a"), b"name: A", ""), diags)
validate(document, Schemas(), diags)
assert not len(diags) and "jsonschema" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# Messages cover all patterns, keys and keywords of the schemas.


def subschemas(schema: Any) -> Iterator[Any]:
    yield schema
    for keyword, value in schema.items() if isinstance(schema, dict) else ():
        if keyword in ("if", "then", "else", "not", "additionalProperties", "items", "propertyNames"):
            yield from subschemas(value)
        elif keyword in ("allOf", "anyOf", "oneOf"):
            yield from (inner for item in value for inner in subschemas(item))
        elif keyword in ("properties", "$defs", "dependentSchemas"):
            yield from (inner for item in value.values() for inner in subschemas(item))


@cache
def input_subschemas() -> list[dict[str, Any]]:
    """Return every subschema that input files are checked against."""
    folder = HERE.parents[3] / "schema"
    # Common parts of the output of commands do not describe input files.
    answers = ("explanation.schema.json", "finding.schema.json", "receipt.schema.json")
    common = (file for file in (folder / "common").iterdir() if file.name not in answers)
    files = [*(folder / f"{kind}.schema.json" for kind in KINDS), *common]
    parts = (part for file in files for part in subschemas(json.loads(file.read_text(encoding="utf-8"))))
    return [part for part in parts if isinstance(part, dict)]


def test_every_pattern_of_the_schemas_has_words() -> None:
    used = {part["pattern"] for part in input_subschemas() if "pattern" in part}
    # The pattern of directives, and the forbidden prefix of the names of queues: neither is expected of a value.
    assert used - {"^\\$[a-z][\\s\\S]*$", "^local-exec"} == set(PATTERN_DESCRIPTIONS)


def test_every_key_that_a_schema_forbids_has_words() -> None:
    properties = [part.get("properties", {}) for part in input_subschemas()]
    assert {key for entries in properties for key, schema in entries.items() if schema is False} == set(
        FORBIDDEN_KEY_MESSAGES
    )


def test_every_keyword_of_the_schemas_has_words() -> None:
    structure = {"$ref", "$defs", "properties", "items", "if", "then", "else", "allOf", "dependentSchemas"}
    annotations = {"$schema", "title", "description", "default", "examples"}
    used = {keyword for part in input_subschemas() for keyword in part}
    assert used - structure - annotations == set(_MESSAGE_BUILDERS) - {"", "maxItems"}


# Threats.


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, and the paths that were requested from it."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        Thread(target=http_server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http_server.server_port}", requests
        http_server.shutdown()


def policy_codes(schema: Any) -> list[str]:
    """Return the codes of the findings for a policy with the schema."""
    document = read("policy", json.dumps({"schema": schema}))
    diags = Diagnostics()
    validate(document, SCHEMAS, diags)
    link_policies(Resources((Resource(document.location, document),)), diags)
    return [finding.code for finding in diags]


def schema_folder(folder: Path, schema: Any) -> Schemas:
    (folder / "common").mkdir()
    (folder / "thing.schema.json").write_text(json.dumps(schema), encoding="utf-8")
    return Schemas(folder)


def test_t21_no_schema_is_fetched(server: tuple[str, list[str]], tmp_path: Path) -> None:
    url, requests = server
    for keyword in ("$ref", "$dynamicRef"):
        assert policy_codes({keyword: f"{url}/a"}) == ["ET215"]
    assert [finding.code for finding in check("agent", f"$schema: {url}/b\n")] == ["ET201"]
    with pytest.raises(jsonschema_rs.ValidationError):
        schema_folder(tmp_path, {"$ref": f"{url}/c"}).is_valid("thing", {})
    assert requests == []


@pytest.mark.parametrize("reference", ["file:///etc/hostname", "../../secrets.json", "#/$defs/missing", "urn:x:y"])
def test_t22_no_file_is_read_for_a_schema(reference: str) -> None:
    assert policy_codes({"$ref": reference}) == ["ET215"]


BACKTRACKING_PATTERNS = [
    *("(a+)+", "(a*)*", "(a|a)*", "(a|aa)+", "([a-z]+)*", "(a?){20}a{20}", "(.*a){12}", "(\\w+\\s?)*"),
    *("(a+a+)+b", "((a)+.)+[A-Z]", "(a{1,9}){1,9}", "(?:a|b|ab)*c"),
]


@pytest.mark.parametrize(
    "pattern", [form % nested for nested in BACKTRACKING_PATTERNS for form in ("^%s$", "%s!", "^%sb")]
)
def test_t23_no_pattern_hangs(pattern: str) -> None:
    assert policy_codes({"pattern": pattern}) == []
    validator = jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=REGEX_OPTIONS)
    # An engine that backtracks would give up, or not come to an end; RE2 is one that does not.
    text = "a" * 100_000 + "!"
    assert validator.is_valid(text) == bool(re2.search(pattern, text))


@pytest.mark.parametrize("pattern", ["(?=a)b", "(a)\\1", "(?<!a)b", "(?>a)"])
def test_t23_a_pattern_that_may_backtrack_is_refused(pattern: str) -> None:
    assert policy_codes({"pattern": pattern}) == ["ET215"]


@pytest.mark.parametrize("pattern", sorted(PATTERN_DESCRIPTIONS))
def test_t23_our_own_patterns_take_linear_time(pattern: str) -> None:
    validator = jsonschema_rs.Draft202012Validator({"pattern": pattern}, pattern_options=REGEX_OPTIONS)
    for text in ("a" * 65_000, "0 " * 30_000, "a.b" * 20_000, "${{" * 20_000, '."' * 30_000):
        assert validator.is_valid(text) == bool(re2.search(pattern, text))


@pytest.mark.parametrize(
    ("kind", "text", "at"),
    [
        ("organization", 'name: "acme\\n"\nedition: 2026\n', "1:7"),
        ("project", 'key: "PLAT\\n"\n', "1:6"),
        ("agent", 'targets: ["production\\n"]\n', "1:11"),
        ("agent", 'environments: {"production\\n": {}}\n', "1:16"),
        ("agent", 'execution_environment: {env_vars: {"A\\n": b}}\n', "1:36"),
        ("agent", 'execution_environment: {secrets: ["A\\n"]}\n', "1:35"),
        ("agent", 'execution_environment: {endpoints: {"a\\n": b}}\n', "1:37"),
        ("agent", 'execution_environment: {feature_flags: {"a\\n": true}}\n', "1:41"),
        ("team", 'skill_ids: ["3f2b8c1e-7a4d-4e55-9c0a-1b2c3d4e5f60\\n"]\n', "1:13"),
        ("organization", 'name: acme\nedition: 2026\npeople: {"ana\\n": {email: a@b}}\n', "3:10"),
    ],
)
def test_t24_a_line_end_is_part_of_a_name(kind: str, text: str, at: str) -> None:
    diags = Diagnostics()
    validate(read(kind, text, diags=diags), SCHEMAS, diags)
    # A line end in a key is refused by the parser, and is the only finding then.
    code = "ET108" if text[int(at[2:]) - 1 :].partition("\\n")[2].startswith('":') else "ET205"
    assert [line(finding)[: len(at) + 6] for finding in diags] == [f"{at} {code}"]


def test_t25_equal_elements_are_found_in_linear_time(tmp_path: Path) -> None:
    schemas = schema_folder(tmp_path, {"uniqueItems": True})

    def maps(count: int) -> list[dict[str, Any]]:
        return [{"a": number, "b": [number]} for number in range(count)]

    # To compare each with all others would not come to an end.
    assert schemas.is_valid("thing", maps(300_000))
    equal = {"b": [7], "a": 7}
    assert [fault.path for fault in schemas.find_faults("thing", [*maps(1_000), equal])] == [(1_000,)]
    assert_linear(lambda count: partial(schemas.find_faults, "thing", [*maps(count), equal]), 25)


@pytest.mark.parametrize("schema", [{"$ref": "#"}, {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#"}}}])
def test_t26_a_schema_that_refers_to_itself_ends(schema: Any) -> None:
    assert policy_codes(schema) in ([], ["ET215"])
    jsonschema_rs.Draft202012Validator(schema, pattern_options=REGEX_OPTIONS, offline=True).is_valid({"a": 1})


def test_t27_a_keyword_with_a_typing_error_is_noticed() -> None:
    schema = {"propertees": {"a": {"type": "string"}}}
    assert set(schema) - {keyword for subschema in input_subschemas() for keyword in subschema} == {"propertees"}
    test_every_keyword_of_the_schemas_has_words()


CANARY = "hunter2-" + "Zx9" * 20
QUEUE = f"environment: production\nname: '{CANARY}'\n"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("agent", f"runtime: {CANARY}\n"),
        ("agent", f"name: '{CANARY * 5}'\n"),
        ("agent", f"environments: {CANARY}\n"),
        ("agent", f"targets: ['{CANARY}', '{CANARY}']\n"),
        ("organization", f"name: acme\nedition: {CANARY}\n"),
        ("job", f"name: {CANARY}\ntrigger_type: cron\n"),
        ("worker_queue", QUEUE),
        ("policy", f"schema: {CANARY}\nseverity: {CANARY}\n"),
        ("workflow", f"workflow_definition: {CANARY}\npython_dsl_code: {CANARY}\nworkflow_type: json\n"),
        ("agent", f"description: ${{{{ '{CANARY}' }}}}\n"),
        ("project", f"key: {{$value: {CANARY}}}\n"),
    ],
)
def test_t28_a_long_value_is_never_repeated_whole(kind: str, text: str) -> None:
    findings = check(kind, text)
    assert findings
    for finding in findings:
        assert CANARY not in all_text(finding)
        assert CANARY[:41] not in all_text(finding)


@pytest.mark.parametrize(
    "section",
    [
        f"secrets: {{A: '{CANARY}..'}}",
        f"secrets: ['{CANARY}']",
        f"secrets: {CANARY}",
        f"env_vars: {{A: ['{CANARY}'], B: {{c: '{CANARY}'}}, D: {{$append: '{CANARY}'}}}}",
        f"config: {{a: {{$append: '{CANARY}'}}, b: {{$value: 1, $lock: '{CANARY}'}}, c: {{$expect: '{CANARY}'}}}}",
        f"mcp_servers: {{a: {{headers: '{CANARY}', env: '{CANARY}', args: '{CANARY}'}}}}",
        f"endpoints: {{a: {{$replace: ['{CANARY}']}}}}",
    ],
)
def test_t28_what_may_be_a_secret_is_never_repeated(section: str) -> None:
    findings = check("agent", f"execution_environment: {{{section}}}\n")
    assert findings
    assert not [finding for finding in findings if CANARY[:8] in all_text(finding)]


def test_t28_a_private_key_in_the_wrong_place_is_never_repeated() -> None:
    text = f"name: acme\nedition: 2026\npeople: {{ana: {{age: AGE-SECRET-KEY-1{CANARY}}}}}\n"
    (finding,) = check("organization", text)
    assert "SECRET" not in all_text(finding)


@pytest.mark.parametrize("number", [".nan", ".inf", "-.inf"])
def test_t29_what_is_no_number_is_refused(number: str) -> None:
    diags = Diagnostics()
    read("worker_queue", f"environment: production\nheartbeat_interval: {number}\n", diags=diags)
    assert [finding.code for finding in diags] == ["ET106"]


def test_t29_no_schema_relies_on_a_format() -> None:
    assert not [part for part in input_subschemas() if "format" in part]


# The class `Schemas`.


def test_the_names_of_the_schemas() -> None:
    names = SCHEMAS.names()
    assert {kind.value for kind in KINDS} | {"bundle", "output/check"} <= set(names)
    assert not [name for name in names if name.startswith("common/")]
    for name in names:
        SCHEMAS.is_valid(name, {})
        assert json.loads(SCHEMAS.text(name))["title"]


@pytest.mark.parametrize("name", ["common/name", "../README", "nothing"])
def test_the_text_of_something_else_is_not_given(name: str) -> None:
    with pytest.raises(KeyError):
        SCHEMAS.text(name)
