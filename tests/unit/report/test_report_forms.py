"""SARIF, JUnit and GitLab's code quality report: their contents, their limits, and any text inside them."""

import json
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from junitparser import JUnitXml

from envtree.diagnostics.codes import CODES
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.pages import read_page
from envtree.diagnostics.summary import error_report
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Diagnostic, MachineError, RelatedSpan, Severity
from envtree.model.span import Span
from envtree.report import sarif
from envtree.report.gitlab import render_gitlab
from envtree.report.junit import render_junit
from envtree.report.sarif import render_sarif
from tests.unit.report.test_report import FINDING, NAUGHTY, PLACE, finding
from tests.unit.report.test_report_broken import validator

SEVERITIES = [Severity.ERROR, Severity.WARNING, Severity.INFO]


def log(*findings: Finding, prefix: str = "") -> dict[str, Any]:
    """Return the run of a log that fits the official schema."""
    data: dict[str, Any] = json.loads(render_sarif(findings, prefix))
    assert list(validator().iter_errors(data)) == []
    assert len(data["runs"]) == 1
    run: dict[str, Any] = data["runs"][0]
    return run


def issues(*findings: Finding, prefix: str = "") -> list[Any]:
    """Return a report for GitLab that fits our schema."""
    data: list[Any] = json.loads(render_gitlab(findings, prefix))
    assert Schemas().is_valid("output/gitlab", data)
    return data


def suites(*findings: Finding, prefix: str = "", strict: bool = False) -> list[Any]:
    """Return the suites that a reader of JUnit XML finds."""
    return list(JUnitXml.fromstring(render_junit(findings, prefix, strict=strict)))


# SARIF.


def test_sarif_has_everything() -> None:
    run = log(FINDING)
    assert run["columnKind"] == "unicodeCodePoints"
    (result,) = run["results"]
    fingerprint = result.pop("partialFingerprints")["envtree/v1"]
    assert len(fingerprint) == 64
    assert result == {
        "ruleId": "ET402",
        "ruleIndex": 0,
        "level": "error",
        "message": {"text": "'LOG_LEVEL' is locked\nin 2 bundles, the first 'a/b@c'\nhint: remove it"},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": "environments/production.yaml"},
                    "region": {"startLine": 2, "startColumn": 3, "endLine": 2, "endColumn": 12},
                }
            }
        ],
        "relatedLocations": [
            {
                "id": 1,
                "message": {"text": "locked here"},
                "physicalLocation": {
                    "artifactLocation": {"uri": "organization.yaml"},
                    "region": {"startLine": 4, "startColumn": 1, "endLine": 4, "endColumn": 2},
                },
            }
        ],
    }


@pytest.mark.parametrize("code", CODES)
def test_a_rule_has_the_page_of_its_code(code: str) -> None:
    with_code = FINDING._replace(diagnostic=FINDING.diagnostic._replace(code=code))
    (rule,) = log(with_code)["tool"]["driver"]["rules"]
    assert rule["id"] == code
    assert rule["shortDescription"]["text"] == CODES[code].title
    assert rule["fullDescription"]["text"] in " ".join(read_page(code).split())
    assert rule["help"] == {"text": read_page(code), "markdown": read_page(code)}
    assert all(len(rule[name]["text"]) <= 1024 for name in ("shortDescription", "fullDescription"))


def test_the_level_is_that_of_the_finding() -> None:
    run = log(*(finding("x", severity=severity) for severity in SEVERITIES))
    assert [result["level"] for result in run["results"]] == ["error", "warning", "note"]
    assert run["tool"]["driver"]["rules"][0]["defaultConfiguration"] == {"level": "error"}


def test_the_category_ends_in_a_slash() -> None:
    assert log()["automationDetails"]["id"] == "envtree/"
    assert log(prefix="trees/one two/")["automationDetails"]["id"] == "envtree/trees/one%20two/"


@pytest.mark.parametrize("path", ["a b#c?d%.yaml", "c:\\x", "://x", "日本/é.yaml", "\udcff.yaml", "a\nb"])
def test_a_path_is_percent_encoded(path: str) -> None:
    (result,) = log(finding("x", PLACE._replace(path=path)), prefix="trees/one two/")["results"]
    for location in (*result["locations"], *result["relatedLocations"]):
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert uri.isascii()
        assert not set(uri) & set(' #?\\:\n"<>')
        assert unquote_to_bytes(uri) == f"trees/one two/{path}".encode("utf-8", "surrogateescape")


def test_a_log_has_no_more_than_github_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "_MAX_RESULTS", 3)
    findings = [finding(f"{severity} {n}", severity=severity) for n in range(2) for severity in reversed(SEVERITIES)]
    run = log(*findings)
    assert [result["message"]["text"].split("\n")[0] for result in run["results"]] == [
        "warning 0",
        "error 0",
        "error 1",
    ]
    (invocation,) = run["invocations"]
    (notification,) = invocation["toolExecutionNotifications"]
    assert notification["message"]["text"] == "and 3 more findings, which a log for code scanning cannot hold"
    assert "invocations" not in log(*findings[:3])


def test_a_result_has_no_more_places_than_github_takes() -> None:
    related = tuple(RelatedSpan(PLACE._replace(line=n + 1), "x") for n in range(1500))
    with_related = FINDING._replace(diagnostic=FINDING.diagnostic._replace(related=related))
    assert len(log(with_related)["results"][0]["relatedLocations"]) == 1000


def test_a_log_of_very_many_results_is_small_enough() -> None:
    """GitHub accepts ten megabytes, compressed."""
    import gzip

    findings = [finding(f"'env_vars.VARIABLE_{n}' is locked", PLACE._replace(line=n + 1)) for n in range(25_000)]
    assert len(gzip.compress(render_sarif(findings, ""))) < 10_000_000


def test_words_of_a_file_are_no_link() -> None:
    (result,) = log(finding("see [this](https://evil.example)"))["results"]
    assert result["message"]["text"].startswith("see [this\\](https://evil.example)")
    assert result["relatedLocations"][0]["message"]["text"] == "see [this\\](https://evil.example)"


# Fingerprints.


def test_a_fingerprint_is_made_of_code_file_key_and_words() -> None:
    diagnostic = FINDING.diagnostic
    different = [
        diagnostic._replace(code="ET401"),
        diagnostic._replace(span=PLACE._replace(path="x.yaml")),
        diagnostic._replace(key="env_vars.X"),
        diagnostic._replace(message="x"),
    ]
    findings = [FINDING, *(FINDING._replace(diagnostic=different_diagnostic) for different_diagnostic in different)]
    assert len({issue["fingerprint"] for issue in issues(*findings)}) == 5
    moved = FINDING._replace(diagnostic=diagnostic._replace(span=PLACE._replace(line=99), hint="x", related=()))
    assert issues(moved)[0]["fingerprint"] == issues(FINDING)[0]["fingerprint"]


def test_findings_that_are_alike_are_told_apart() -> None:
    fingerprints = [issue["fingerprint"] for issue in issues(FINDING, FINDING, FINDING)]
    assert len(set(fingerprints)) == 3
    assert [result["partialFingerprints"]["envtree/v1"] for result in log(FINDING, FINDING)["results"]] == fingerprints[
        :2
    ]


# JUnit.


def test_junit_has_a_suite_for_each_file() -> None:
    warning = finding("x", Span("x.yaml", 3, 1, 3, 2), Severity.WARNING)
    first, second = suites(FINDING, warning, prefix="trees/one/")
    assert (first.name, first.tests, first.failures) == ("trees/one/environments/production.yaml", 1, 1)
    assert (second.name, second.tests, second.failures) == ("trees/one/x.yaml", 1, 0)
    (case,) = first
    assert case.name == "ET402 trees/one/environments/production.yaml:2:3"
    (failure,) = case.result
    assert (failure.type, failure.message) == ("ET402", "'LOG_LEVEL' is locked")
    assert failure.text == (
        "trees/one/environments/production.yaml:2:3: error ET402: 'LOG_LEVEL' is locked\n"
        "in 2 bundles, the first 'a/b@c'\n"
        "hint: remove it"
    )


@pytest.mark.parametrize(("strict", "failures"), [(False, 1), (True, 2)])
def test_a_warning_fails_under_strict(strict: bool, failures: int) -> None:
    (suite,) = suites(*(finding("x", severity=severity) for severity in SEVERITIES), strict=strict)
    assert (suite.tests, suite.failures) == (3, failures)


def test_a_run_without_findings_is_one_case_that_passes() -> None:
    (suite,) = suites()
    assert (suite.tests, suite.failures) == (1, 0)
    assert [(case.name, case.result) for case in suite] == [("no findings", [])]


# GitLab.


def test_gitlab_has_everything() -> None:
    (issue,) = issues(FINDING, prefix="trees/one/")
    assert len(issue.pop("fingerprint")) == 64
    assert issue == {
        "check_name": "ET402",
        "description": "'LOG_LEVEL' is locked (remove it)",
        "severity": "major",
        "location": {"path": "trees/one/environments/production.yaml", "lines": {"begin": 2}},
    }
    reported = issues(*(finding("x", severity=severity) for severity in SEVERITIES))
    assert [reported_issue["severity"] for reported_issue in reported] == ["major", "minor", "info"]
    assert issues() == []


# All formats.


@pytest.mark.parametrize("text", NAUGHTY)
def test_any_text_is_words(text: str) -> None:
    hostile = finding(text, PLACE._replace(path=text))
    (result,) = log(hostile)["results"]
    (issue,) = issues(hostile)
    (suite,) = suites(hostile)
    (case,) = suite
    lines = [*result["message"]["text"].split("\n"), issue["description"], issue["location"]["path"]]
    lines += [suite.name, case.name, case.result[0].message, *case.result[0].text.split("\n")]
    assert all(line.isprintable() for line in lines)


def test_a_run_that_was_stopped_is_told_at_the_root() -> None:
    (finding,) = error_report(MachineError("ET620", "sops is not installed", "install it")).findings
    (result,) = log(finding, prefix="trees/one/")["results"]
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "trees/one/organization.yaml"
    assert location["region"]["startLine"] == 1
    assert issues(finding)[0]["location"] == {"path": "organization.yaml", "lines": {"begin": 1}}
    (suite,) = suites(finding)
    assert (suite.name, suite.failures) == ("organization.yaml", 1)


def test_a_diagnostic_of_no_width_has_a_region() -> None:
    at_end = Finding(Diagnostic(Span("a.yaml", 1, 1, 1, 1), "ET101", "x"), Severity.ERROR, ())
    assert log(at_end)["results"][0]["locations"][0]["physicalLocation"]["region"]["endColumn"] == 1


def test_the_schema_of_sarif_refuses_what_is_not_sarif() -> None:
    assert not validator().is_valid({"version": "2.1.0", "runs": [{"results": []}]})
    assert not validator().is_valid(json.loads(render_sarif([FINDING], "")) | {"version": "2.0.0"})
