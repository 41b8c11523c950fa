"""The cases: each folder below `cases/<module>/` is a claim, with a tree in `in/` and its result in `expect/`.

`pytest tests/cases --accept` writes the results as the new expectations, and then compares as usual.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema_rs
import pytest
import yaml

from envtree.cli.support.session import tree_request
from envtree.diagnostics.codes import CODES, Scope
from envtree.diagnostics.findings import Finding
from envtree.engine.check import check
from envtree.engine.publish import CompilePlan, Destinations, publish
from envtree.engine.request import Request, RunOutcome
from envtree.model.artifact import Output
from envtree.model.diagnostic import MachineError, Severity, SkippedCheck
from envtree.model.selector import compile_selector
from envtree.model.span import Span
from envtree.sources.tree import DirectoryTree, TreeEntry

CASES = Path(__file__).parent
SCHEMAS = Path(__file__).parents[2] / "schema"
SETTINGS = {"args": [], "inputs": {}, "formats": ["bundle", "compose"], "why": ""}
MAX_EXPECTED_LINES = 80
EDITION = 2026
_VARIABLE = re.compile(r'([A-Za-z_][A-Za-z0-9_]*)="((?:[^"\\$]|\\.)*)"\n', re.DOTALL)

Files = dict[str, bytes]


class Tree(DirectoryTree):
    """A tree of which no file is ignored, whatever the .gitignore of the repository says."""

    def ignored(self, paths: Iterable[str]) -> frozenset[str]:
        return frozenset()


class Reversed(Tree):
    """The same tree on a file system that lists entries in another order."""

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        return super().entries(folder)[::-1]


class Case(NamedTuple):
    """A folder of a case; `settings` are the defaults, updated with its case.yaml."""

    folder: Path
    settings: dict[str, Any]

    @property
    def root(self) -> Path:
        return self.folder / "in"

    def request(self, tree: Tree, *, inputs_required: bool) -> Request:
        args, inputs = tuple(self.settings["args"]), self.settings["inputs"]
        return tree_request(tree, args, inputs, require_inputs=inputs_required)


class Result(NamedTuple):
    """The outcome of a run and the files that it wrote; `outcome` is None after a MachineError, which is `failure`."""

    outcome: RunOutcome | None
    failure: str
    written: Files


def _cases() -> list[Path]:
    return sorted(path.parent for path in CASES.glob("*/*/in"))


def _load(folder: Path) -> Case:
    file = folder / "case.yaml"
    settings = yaml.safe_load(file.read_text()) if file.exists() else {}
    assert settings.keys() <= SETTINGS.keys(), f"case.yaml knows {', '.join(SETTINGS)}"
    return Case(folder, {**SETTINGS, **settings})


@pytest.mark.parametrize("folder", _cases(), ids=lambda folder: folder.relative_to(CASES).as_posix())
def test_case(folder: Path, tmp_path: Path, accept: bool) -> None:
    case = _load(folder)
    result = _compile(case, Tree(case.root), tmp_path / "one")
    assert _compile(case, Reversed(case.root), tmp_path / "two") == result
    _check_outcome(case, result)
    _check_bundles(case, result.written)
    actual = _expected_files(result)
    expected = folder / "expect"
    assert actual, "a case shows something"
    if accept:
        _write(expected, actual)
    assert _read(expected) == actual
    lengths = {path: data.count(b"\n") for path, data in actual.items()}
    assert case.settings["why"] or max(lengths.values(), default=0) <= MAX_EXPECTED_LINES, "say why in case.yaml"


@pytest.mark.parametrize("folder", _cases(), ids=lambda folder: folder.relative_to(CASES).as_posix())
def test_folder(folder: Path) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", folder.name), "the name of a case is its claim"
    assert {entry.name for entry in folder.iterdir()} <= {"in", "expect", "case.yaml"}
    assert (folder / "in/organization.yaml").is_file()


# One run.


def _compile(case: Case, tree: Tree, out: Path) -> Result:
    request = case.request(tree, inputs_required=True)
    output = Output(out, case.root, "ref", EDITION, {}, compile_selector(request.selectors))
    try:
        outcome = publish(CompilePlan(request, Destinations(output), frozenset(case.settings["formats"])))
    except MachineError as error:
        return Result(None, f"{error.code}: {error.message}\n  hint: {error.hint}\n", _read(out))
    return Result(outcome._replace(workspace=None), "", _read(out))


def _read(folder: Path) -> Files:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _write(folder: Path, files: Files) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


# The expectations of a case, in the form in which they are stored.


def _expected_files(result: Result) -> Files:
    bundles = {f"bundles/{path}": data for path, data in result.written.items() if path != "manifest.json"}
    texts = {"failure.txt": result.failure}
    if result.outcome:
        texts["diagnostics.txt"] = "".join(_finding_lines(result.outcome.findings))
        texts["not_checked.txt"] = "".join(map(_skipped_check_line, result.outcome.not_checked))
    return bundles | {path: text.encode() for path, text in texts.items() if text}


def _finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    for diagnostic, severity, bundles in findings:
        yield f"{diagnostic.span}: {severity} {diagnostic.code}: {diagnostic.message}\n"
        yield from (f"  hint: {diagnostic.hint}\n" for _ in range(bool(diagnostic.hint)))
        yield from (f"  related: {related.span} {related.message}\n" for related in diagnostic.related)
        yield from (f"  bundles: {', '.join(bundles)}\n" for _ in range(bool(bundles)))


def _skipped_check_line(check: SkippedCheck) -> str:
    return f"{check.span}: {check.code} {check.key} in {check.bundle}\n"


# Invariants of every case.


def _check_outcome(case: Case, result: Result) -> None:
    checked = check(case.request(Tree(case.root), inputs_required=False))
    if result.outcome is None:
        assert not result.written
        return
    findings = result.outcome.findings
    assert checked.findings == findings
    assert all(finding.diagnostic.code in CODES for finding in findings)
    locations = [(finding.diagnostic.span, finding.diagnostic.code) for finding in findings]
    assert len(set(locations)) == len(locations), "one mistake, one diagnostic"
    for finding in findings:
        diagnostic = finding.diagnostic
        assert not finding.bundles or CODES[diagnostic.code].scope is not Scope.FILE, diagnostic
        for span in (diagnostic.span, *(related.span for related in diagnostic.related)):
            _check_span(case.root, span)
    has_errors = any(finding.severity is Severity.ERROR for finding in findings)
    assert bool(result.written) is not has_errors


def _check_span(root: Path, span: Span) -> None:
    file = root / span.path
    assert file.exists()
    if span[1:] == (1, 1, 1, 1):
        return
    lines = [*file.read_text(encoding="utf-8", errors="replace").split("\n"), ""]
    assert 1 <= span.line <= span.end_line <= len(lines)
    assert 1 <= span.column <= len(lines[span.line - 1]) + 1
    assert 1 <= span.end_column <= len(lines[span.end_line - 1]) + 1
    assert (span.line, span.column) <= (span.end_line, span.end_column)


def _check_bundles(case: Case, written: Files) -> None:
    for path, data in written.items():
        if not path.endswith("/bundle.json"):
            continue
        bundle = json.loads(data)
        assert _bundle_schema().is_valid(bundle)
        digest = bundle.pop("digest")
        text = json.dumps(bundle, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
        assert digest == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
        if "compose" in case.settings["formats"]:
            plain = {name: value for name, value in bundle["env_vars"].items() if name not in bundle["sensitive"]}
            assert _read_dotenv(written[path.replace("bundle.json", ".env")].decode()) == plain


@cache
def _bundle_schema() -> Any:
    name = "bundle.schema.json"
    parts = {path.relative_to(SCHEMAS).as_posix(): json.loads(path.read_text()) for path in SCHEMAS.rglob("*.json")}
    registry = jsonschema_rs.Registry(list(parts.items()), retriever=_refuse)
    return jsonschema_rs.Draft202012Validator(parts[name], registry=registry, base_uri=name)


def _refuse(uri: str) -> Any:
    raise LookupError(uri)


def _read_dotenv(text: str) -> dict[str, str]:
    """Read a dotenv file by the rules of Docker Compose, the inverse of the writer."""
    body = re.sub(r"\A#.*\n", "", text)
    raw_values = {match[1]: match[2] for match in _VARIABLE.finditer(body)}
    assert _VARIABLE.sub("", body) == ""
    escapes = {"n": "\n", "r": "\r"}
    return {name: re.sub(r"\\(.)", lambda pair: escapes.get(pair[1], pair[1]), raw) for name, raw in raw_values.items()}
