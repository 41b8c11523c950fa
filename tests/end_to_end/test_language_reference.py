"""Every example in schema/README.md is compiled, and yields the result shown on the page.

An example is a sequence of YAML fences, each with its path in a comment on its first line, followed by fences with the
results. In a table with one of the headers used below, each row is an example.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from envtree import EDITION
from envtree.cli.support.session import tree_request
from envtree.compile.comparison import TESTS
from envtree.compile.filters import FILTERS
from envtree.diagnostics.codes import CODES
from envtree.diagnostics.findings import Finding
from envtree.engine.publish import CompilePlan, Destinations, publish
from envtree.model.artifact import Output, SecretsMode
from envtree.model.formats import DEFAULT_FORMATS, FORMATS
from envtree.model.selector import compile_selector
from envtree.output.emit.formats import DIALECTS
from envtree.report.text import render_text
from envtree.secrets.sops import SopsDecrypter
from envtree.sources.tree import DirectoryTree

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "schema/README.md").read_text(encoding="utf-8")
KEY = ROOT / "examples/acme/age.key"
SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])

# Files of a tree that an example does not show.
ORGANIZATION = "name: acme\nedition: 2026\ndefault_model: anthropic/claude-sonnet-4-5\n"
ENVIRONMENT = "description: For everybody.\n"
AGENT = "description: Answers questions.\n"
BUNDLE = "default/helper@production"

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PATH = re.compile(r"# (\S+\.yaml)\n")
TEMPLATE = re.compile(r"\{# (\S+) #\}\n")
RESULT = re.compile(r"(?://|#) (\S+@\S+?)(?:, (\S+))?(?: with --secrets (plain|ref))?\n")
CELL = re.compile(r"(?<!\\)\|")
CODE = re.compile(r"`([^`]+)`")

Files = dict[str, str]


class Shown(NamedTuple):
    """A shown result: a bundle (`jsonc`), its `.env` (`dotenv`), another file (`ini`), or findings (`text`)."""

    language: str
    content: str


class Example(NamedTuple):
    """Files, the results shown for them, and the line of the page where the example begins."""

    line: int
    files: Files
    shown: list[Shown]


class Compiled(NamedTuple):
    """The findings of a run, and its output folder."""

    findings: tuple[Finding, ...]
    out: Path

    @property
    def codes(self) -> list[str]:
        """The codes of all findings."""
        return [finding.diagnostic.code for finding in self.findings]

    def read(self, id: str, name: str) -> str:
        """Return a file of a bundle."""
        entity, environment = id.split("@")
        return (self.out / environment / entity / name).read_text(encoding="utf-8")


def examples() -> Iterator[Example]:
    """Yield the examples in fences, in the order of the page."""
    example = Example(0, {}, [])
    for fence in FENCE.finditer(PAGE):
        language, content = fence.groups()
        if language == "yaml":
            if example.shown or not example.files:
                yield from [example] if example.shown else []
                example = Example(PAGE.count("\n", 0, fence.start()) + 1, {}, [])
            path = PATH.match(content)
            assert path, f"a YAML fence without a path: {content}"
            example.files[path[1]] = content
        elif language == "jinja":
            path = TEMPLATE.match(content)
            assert path, f"a template without a path: {content}"
            example.files[path[1]] = content[path.end() :]
        elif language in ("jsonc", "dotenv", "ini", "text"):
            example.shown.append(Shown(language, content))
    yield example


def rows(*header: str) -> Iterator[list[str]]:
    """Yield the rows of all tables with a header."""
    lines = iter(PAGE.splitlines())
    for line in lines:
        if _cells(line) == list(header):
            next(lines)
            for row in lines:
                if not row.startswith("|"):
                    break
                yield _cells(row)


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in CELL.split(line)[1:-1]]


def code(cell: str) -> str:
    """Return the first code span of a cell; empty if it has none."""
    match = CODE.search(cell)
    return match[1] if match else ""


def compile_files(files: Files, folder: Path, mode: SecretsMode = "ref") -> Compiled:
    """Compile a tree of these files, completed by default ones where a kind is missing."""
    root, out = folder / "tree", folder / "out"
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in _completed(files).items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
        if ".secrets." in path:
            _encrypt(file)
    environ = {"PATH": SEARCH_PATH, "SOPS_AGE_KEY_FILE": str(KEY)}
    request = tree_request(
        DirectoryTree(root),
        decrypter=(lambda policy: SopsDecrypter(root, policy, environ=environ)) if mode == "plain" else None,
    )
    output = Output(out, root, mode, EDITION, {}, lambda id: True)
    return Compiled(publish(CompilePlan(request, Destinations(output), _formats(files))).findings, out)


def _formats(files: Files) -> frozenset[str]:
    """Return the formats that an example sets, else the default ones."""
    settings = yaml.safe_load(files.get("organization.yaml", "")) or {}
    return frozenset(("bundle", *settings.get("output", {}).get("formats", DEFAULT_FORMATS)))


def _completed(files: Files) -> Files:
    defaults = {"organization.yaml": ORGANIZATION}
    if not any(path.startswith("environments/") and ".secrets." not in path for path in files):
        defaults["environments/production.yaml"] = ENVIRONMENT
    if not any("agents/" in path for path in files):
        defaults["agents/helper.yaml"] = AGENT
    completed = defaults | files
    if "edition:" not in completed["organization.yaml"]:
        completed["organization.yaml"] += ORGANIZATION
    return completed


def _encrypt(file: Path) -> None:
    recipient = re.search("age1[a-z0-9]+", KEY.read_text(encoding="utf-8"))
    assert recipient
    command = ["sops", "encrypt", "--in-place", "--age", recipient[0], file.name]
    subprocess.run(command, cwd=file.parent, env={"PATH": SEARCH_PATH}, check=True, capture_output=True)


def rendered_findings(compiled: Compiled, root: Path) -> str:
    """Return the findings as the terminal shows them."""
    return render_text(
        compiled.findings, lambda path: (root / path).read_text(encoding="utf-8").splitlines(), color=False
    )


@pytest.mark.parametrize("example", list(examples()), ids=lambda example: f"line {example.line}")
def test_fences(example: Example, tmp_path: Path) -> None:
    findings = "".join(shown.content for shown in example.shown if shown.language == "text")
    compiled = compile_files(example.files, tmp_path / "ref")
    assert rendered_findings(compiled, tmp_path / "ref/tree") == findings
    for shown in example.shown:
        if shown.language == "text":
            continue
        head = RESULT.match(shown.content)
        assert head, f"no bundle id: {shown.content}"
        if head[3] == "plain":
            compiled = compile_files(example.files, tmp_path / "plain", "plain")
        _check_result(shown, head[1], head[2] or ".env", compiled)


def _check_result(shown: Shown, id: str, name: str, compiled: Compiled) -> None:
    content = shown.content.partition("\n")[2]
    if shown.language in ("dotenv", "ini"):
        assert compiled.read(id, name) == content
        return
    expected, actual = json.loads(content), json.loads(compiled.read(id, "bundle.json"))
    assert {key: actual[key] for key in expected} == expected


def test_every_fence_is_known() -> None:
    assert {fence[1] for fence in FENCE.finditer(PAGE)} <= {
        *("yaml", "jinja", "jsonc", "dotenv", "ini", "text", "console", "tree"),
    }
    assert len(list(examples())) >= 12


MERGES = [*(["", *row] for row in rows("below", "above", "result")), *rows("policy", "below", "above", "result")]


@pytest.mark.parametrize(("policy", "below", "above", "result"), MERGES)
def test_merges(policy: str, below: str, above: str, result: str, tmp_path: Path) -> None:
    declared = f"merge: {{config.x: {code(policy)}}}\n" if policy else ""
    lower = f"execution_environment: {{config: {{x: {code(below)}, zero: 0}}}}\n" if code(below) else ""
    upper = f"execution_environment: {{config: {{x: {code(above)}}}}}\n"
    files = {"organization.yaml": ORGANIZATION + declared + lower, "agents/helper.yaml": upper}
    compiled = compile_files(files, tmp_path)
    codes = re.findall(r"`(ET\d+)`", result)
    assert compiled.codes == codes
    if "error" not in result:
        config = json.loads(compiled.read(BUNDLE, "bundle.json"))["config"]
        assert ("x" in config) == (not result.startswith("gone"))
        if "x" in config:
            assert config["x"] == json.loads(code(result))


# The tree that the expressions of the tables read.
CONTEXT = f"""{ORGANIZATION}
inputs: {{GIT_SHA: {{default: dev}}}}
execution_environment:
  env_vars: {{HOST: db.internal, DEBUG: true, VERSION: 1.10}}
  config: {{limits: {{cpu: 2}}, regions: [eu, us, eu], note: null}}
"""
FILTER_ROWS = list(rows("filter", "what it does", "example", "gives"))
TEST_ROWS = list(rows("test", "example", "gives"))
EXPRESSIONS = [(code(written), result) for written, result in rows("expression", "gives")]
EXPRESSIONS += [(f"${{{{ {code(row[-2])} }}}}", row[-1]) for row in (*FILTER_ROWS, *TEST_ROWS)]


@pytest.mark.parametrize(("expression", "result"), EXPRESSIONS)
def test_expressions(expression: str, result: str, tmp_path: Path) -> None:
    agent = f"execution_environment: {{config: {{result: {json.dumps(expression)}}}}}\n"
    compiled = compile_files({"organization.yaml": CONTEXT, "agents/helper.yaml": agent}, tmp_path)
    assert compiled.codes == re.findall(r"`(ET\d+)`", result)
    if "error" not in result:
        assert json.loads(compiled.read(BUNDLE, "bundle.json"))["config"]["result"] == json.loads(code(result))


def test_every_filter_and_test_is_listed() -> None:
    assert {name for row in FILTER_ROWS for name in CODE.findall(row[0])} == set(FILTERS)
    assert {name for row in TEST_ROWS for name in CODE.findall(row[0])} == set(TESTS)


KINDS = {str: "text", bool: "boolean", type(None): "null", int: "number", float: "number"}
SCALARS = [(scalar, row[1]) for row in rows("written", "read as") for scalar in CODE.findall(row[0])]


@pytest.mark.parametrize(("written", "meaning"), SCALARS)
def test_plain_scalars(written: str, meaning: str, tmp_path: Path) -> None:
    files = {"agents/helper.yaml": f"execution_environment:\n  config:\n    x: {written}\n"}
    compiled = compile_files(files, tmp_path)
    assert compiled.codes == re.findall(r"`(ET\d+)`", meaning)
    if "error" not in meaning:
        value = json.loads(compiled.read(BUNDLE, "bundle.json"))["config"]["x"]
        assert meaning.startswith(KINDS[type(value)])


@pytest.mark.parametrize(("written", "result"), list(rows("variable", "text")))
def test_environment_texts(written: str, result: str, tmp_path: Path) -> None:
    agent = f"execution_environment:\n  env_vars:\n    X: {code(written)}\n"
    compiled = compile_files({"organization.yaml": CONTEXT, "agents/helper.yaml": agent}, tmp_path)
    assert compiled.codes == re.findall(r"`(ET\d+)`", result)
    if "error" not in result:
        bundle: dict[str, Any] = json.loads(compiled.read(BUNDLE, "bundle.json"))
        assert bundle["env_vars"]["X"] == code(result)


@pytest.mark.parametrize(("pattern", "selected", "others"), list(rows("selector", "selects", "does not select")))
def test_selectors(pattern: str, selected: str, others: str) -> None:
    matches = compile_selector([code(pattern)])
    assert all(map(matches, CODE.findall(selected)))
    assert not any(map(matches, CODE.findall(others)))


def names(*header: str, column: int = 0) -> list[str]:
    """Return the code spans in a column of the tables with a header, in order."""
    return [name for row in rows(*header) for name in CODE.findall(row[column])]


def schema(name: str) -> Any:
    """Return a published schema."""
    return json.loads((ROOT / f"schema/{name}.schema.json").read_text(encoding="utf-8"))


FIELDS = list(rows("kind", "required", "other fields"))


@pytest.mark.parametrize(("kind", "required", "others"), FIELDS, ids=[row[0] for row in FIELDS])
def test_every_field_of_a_kind_is_listed(kind: str, required: str, others: str) -> None:
    needed, allowed = CODE.findall(required), CODE.findall(others)
    assert sorted(needed + allowed) == sorted(schema(kind)["properties"])
    if " or " not in required:
        assert sorted(needed) == sorted(schema(kind).get("required", ()))


def test_every_kind_is_listed() -> None:
    kinds = {path.name.partition(".")[0] for path in (ROOT / "schema").glob("*.schema.json")}
    assert {row[0] for row in FIELDS} == kinds - {"bundle"}


def test_every_section_is_listed() -> None:
    assert names("section", "holds") == list(schema("common/execution_environment")["properties"])


def test_every_key_of_a_contract_is_listed() -> None:
    keys = schema("common/variables")["$defs"]["variable"]["properties"]
    assert sorted(names("key", "the variable")) == sorted(keys)


def test_every_key_type_is_listed() -> None:
    key_types = schema("organization")["$defs"]["secrets_policy"]["properties"]["key_types"]["items"]["enum"]
    assert sorted(names("key type", "opens with")) == sorted(key_types)


def test_every_field_of_a_bundle_is_listed() -> None:
    assert sorted(names("field", "is")) == sorted(schema("bundle")["properties"])


def test_every_code_is_listed() -> None:
    listed = {code(row[0]): (row[1] == "", row[2]) for row in rows("code", "", "stands for")}
    assert listed == {name: (info.is_fixed, info.title) for name, info in CODES.items()}


def test_the_formats_are_those_that_there_are() -> None:
    listed = list(rows("format", "file", "is read by", "cannot hold"))
    assert [(code(row[0]), CODE.findall(row[1]), row[2]) for row in listed] == [
        (known_format.name, list(known_format.files), known_format.reader) for known_format in FORMATS
    ]
    restricted = {name for name, dialect in DIALECTS.items() if dialect.rejection_reason}
    assert {code(row[0]) for row in listed if row[3]} == restricted
