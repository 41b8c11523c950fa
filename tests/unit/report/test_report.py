"""Reports for people, programs and GitHub; no text of a file can be taken for a part of them."""

import json as stdlib_json
import re
from collections.abc import Sequence

import pytest

from envtree.diagnostics.finding_json import report_to_json
from envtree.diagnostics.findings import Finding
from envtree.diagnostics.printable import printable, printable_lines
from envtree.diagnostics.summary import RunReport, count_summary, error_report
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import Diagnostic, MachineError, RelatedSpan, Severity, SkippedCheck
from envtree.model.span import Span, file_span
from envtree.report.github import render_github
from envtree.report.text import build_excerpt, render_skipped_checks, render_text

PLACE = Span("environments/production.yaml", 2, 3, 2, 12)
RELATED = RelatedSpan(Span("organization.yaml", 4, 1, 4, 2), "locked here")
FINDING = Finding(
    Diagnostic(PLACE, "ET402", "'LOG_LEVEL' is locked", "remove it", (RELATED,), "env_vars.LOG_LEVEL"),
    Severity.ERROR,
    ("a/b@c", "a/d@c"),
)
# Control sequences of terminals and CI runners, and invisible characters: a few of the many naughty strings.
NAUGHTY = [
    "\x1b[2J",
    "\x1b]8;;http://x\x07link\x1b]8;;\x07",
    "\x9b31m",
    "a\rb",
    "a\nb",
    "a\x00b",
    "\u202eabc",
    "\u2066abc\u2069",
    "zero\u200bwidth",
    "\ufeffbom",
    "\udc80broken",
    "\x7f",
    "\u2028line",
    "::error::x",
    "  ::add-mask::e",
    "a ##[error]b",
    "::stop-commands::t",
]
V2_COMMAND = re.compile(r"\s*::[a-z-]+( [^:]*)?::")
V1_COMMAND = re.compile(r"##\[[a-z-]+[^\]]*\]")


def lines(path: str) -> Sequence[str]:
    return {"environments/production.yaml": ["env_vars:", "  LOG_LEVEL: debug"]}.get(path, ())


def finding(text: str, span: Span = PLACE, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(Diagnostic(span, "ET402", text, text, (RelatedSpan(span, text),)), severity, ())


def test_people_see_the_place_the_sentence_the_line_and_what_to_do() -> None:
    assert render_text([FINDING], lines, color=False) == (
        "environments/production.yaml:2:3: error ET402: 'LOG_LEVEL' is locked\n"
        "  2 |   LOG_LEVEL: debug\n"
        "    |   ^^^^^^^^^\n"
        "  organization.yaml:4:1: locked here\n"
        "  in 2 bundles, the first 'a/b@c'\n"
        "  hint: remove it\n"
    )


def test_one_bundle_is_named() -> None:
    assert "  in bundle 'a/b@c'\n" in render_text([FINDING._replace(bundles=("a/b@c",))], lines, color=False)


def test_a_finding_about_a_file_as_such_has_no_excerpt() -> None:
    span = file_span("environments/production.yaml")
    assert render_text([finding("x", span)], lines, color=False).splitlines()[1] == f"  {span}: x"


@pytest.mark.parametrize("line", [3, 99])
def test_a_file_that_became_shorter_has_no_excerpt(line: int) -> None:
    assert "|" not in render_text([finding("x", PLACE._replace(line=line))], lines, color=False)


def test_colour_is_only_added() -> None:
    colored = render_text([FINDING], lines, color=True)
    assert "\x1b[1;31merror ET402\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == render_text([FINDING], lines, color=False)


@pytest.mark.parametrize(
    ("line", "span", "carets"),
    [
        ("a: b", (1, 4, 1, 5), "   ^"),
        ("a: 日本 c", (1, 4, 1, 6), "   ^^^^"),
        ("日: c", (1, 4, 1, 5), "    ^"),
        ("\ta", (1, 2, 1, 3), "  ^"),
        ("a: 'b", (1, 4, 3, 2), "   ^^"),
        ("a:", (1, 3, 1, 3), "  ^"),
        ("e\u0301: b", (1, 5, 1, 6), "   ^"),
        ("a: \x1b[2J", (1, 4, 1, 8), "   ^^^^^^^"),
    ],
)
def test_the_caret_stands_under_the_token(line: str, span: tuple[int, int, int, int], carets: str) -> None:
    excerpt = build_excerpt(line, Span("x", *span))
    assert excerpt.blanks + excerpt.carets == carets


def test_a_long_line_is_cut_around_the_token() -> None:
    excerpt = build_excerpt("x" * 500 + "TOKEN" + "y" * 500, Span("x", 1, 501, 1, 506))
    start = len(excerpt.blanks)
    assert excerpt.line[start : start + 5] == "TOKEN"
    assert len(excerpt.carets) == 5
    assert len(excerpt.line) <= 102
    assert excerpt.line[0] == excerpt.line[-1] == "…"


@pytest.mark.parametrize("text", NAUGHTY)
def test_no_text_of_a_file_reaches_a_terminal_or_a_runner_as_a_command(text: str) -> None:
    span = PLACE._replace(path=text, line=1)
    output = render_text([finding(text, span)], lambda _: [text, text], color=False)
    output += render_skipped_checks([SkippedCheck(span, "ET701", text)])
    assert all(line.isprintable() for line in output.split("\n"))
    assert not [line for line in output.split("\n") if V2_COMMAND.match(line) or V1_COMMAND.search(line)]


@pytest.mark.parametrize("text", NAUGHTY)
def test_a_github_line_is_one_command_and_only_ours(text: str) -> None:
    output = render_github([finding(text, PLACE._replace(path=text))], "")
    assert output.count("\n") == 1
    assert output.startswith("::error file=")
    assert output[:-1].isprintable()


@pytest.mark.parametrize("text", NAUGHTY)
def test_json_holds_any_text(text: str) -> None:
    data = stdlib_json.loads(report_to_json(RunReport((finding(text, PLACE._replace(path=text)),))))
    assert Schemas().is_valid("output/check", data)
    if not text.startswith("\udc80"):
        assert data["findings"][0]["message"] == text


def test_json_has_everything() -> None:
    checks = tuple(SkippedCheck(PLACE, "ET701", "env_vars.A", bundle) for bundle in ("a/b@c", "a/d@c"))
    data = stdlib_json.loads(
        report_to_json(RunReport((FINDING,), checks, ("a/b@c", "a/b@d", "a/e/f@c"), ("manifest.json",)))
    )
    assert Schemas().is_valid("output/check", data)
    assert data["summary"] == {"agents": 2, "bundles": 3, "errors": 1, "infos": 0, "warnings": 0}
    assert data["not_checked"] == [{"code": "ET701", "path": PLACE.path, "line": 2, "key": "env_vars.A"}]
    assert data["differences"] == ["manifest.json"]
    assert data["findings"] == [
        {
            "code": "ET402",
            "severity": "error",
            "message": "'LOG_LEVEL' is locked",
            "path": PLACE.path,
            "line": 2,
            "column": 3,
            "end_line": 2,
            "end_column": 12,
            "key": "env_vars.LOG_LEVEL",
            "hint": "remove it",
            "related": [{"path": "organization.yaml", "line": 4, "column": 1, "message": "locked here"}],
            "bundles": ["a/b@c", "a/d@c"],
        }
    ]


def test_a_failure_has_no_place() -> None:
    report = error_report(MachineError("ET620", "sops is not installed", "install it"))
    data = stdlib_json.loads(report_to_json(report))
    assert Schemas().is_valid("output/check", data)
    assert data["findings"][0]["path"] is None
    assert (
        render_text(report.findings, lines, color=False) == "error ET620: sops is not installed\n  hint: install it\n"
    )
    assert (
        render_github(report.findings, "") == "::error title=envtree ET620::sops is not installed%0Ahint: install it\n"
    )


def test_github_gets_paths_from_the_repository_and_escapes_what_separates() -> None:
    output = render_github([finding("50% of a,b: c", PLACE._replace(path="a,b:c%.yaml"))], "trees/one/")
    assert output == (
        "::error file=trees/one/a%2Cb%3Ac%25.yaml,line=2,col=3,endLine=2,endColumn=12,title=envtree ET402"
        "::50%25 of a,b: c%0Ahint: 50%25 of a,b: c\n"
    )


def test_github_gets_an_end_column_only_on_one_line() -> None:
    assert "endColumn" not in render_github([finding("x", PLACE._replace(end_line=3))], "")


def test_github_gets_ten_of_a_kind() -> None:
    findings = [finding(f"e{n}") for n in range(12)] + [finding(f"w{n}", severity=Severity.WARNING) for n in range(11)]
    lines = render_github([*findings, finding("i", severity=Severity.INFO)], "").splitlines()
    assert [line.partition(" ")[0] for line in lines] == [
        *["::error"] * 10,
        "and",
        *["::warning"] * 10,
        "and",
        "::notice",
    ]
    assert lines[10] == "and 2 more errors"
    assert lines[21] == "and 1 more warning"


def test_github_gets_no_more_than_it_shows() -> None:
    assert len(render_github([finding("%" * 9000)], "").rpartition("::")[2]) <= 4097


@pytest.mark.parametrize(
    ("severities", "expected"),
    [
        ((), "no errors"),
        ((Severity.INFO,), "1 info"),
        ((Severity.INFO, Severity.WARNING, Severity.INFO), "1 warning, 2 infos"),
        ((Severity.ERROR,), "1 error"),
        ((Severity.WARNING, Severity.WARNING), "2 warnings"),
        ((Severity.ERROR, Severity.ERROR, Severity.WARNING), "2 errors, 1 warning"),
    ],
)
def test_the_tally(severities: tuple[Severity, ...], expected: str) -> None:
    assert count_summary(RunReport(tuple(finding("x", severity=severity) for severity in severities))) == expected


def test_a_remark_is_told_in_every_form() -> None:
    remark = FINDING._replace(severity=Severity.INFO)
    assert render_text([remark], lines, color=False).startswith("environments/production.yaml:2:3: info ET402: ")
    assert "\x1b[1;34minfo ET402\x1b[0m" in render_text([remark], lines, color=True)
    assert render_github([remark], "").startswith("::notice file=")
    data = stdlib_json.loads(report_to_json(RunReport((remark,))))
    assert Schemas().is_valid("output/check", data)
    assert data["findings"][0]["severity"] == "info"
    assert (data["summary"]["errors"], data["summary"]["warnings"]) == (0, 0)


def test_what_prints_is_left_alone() -> None:
    assert printable("arn:aws:iam::1:role/x – é 日本") == "arn:aws:iam::1:role/x – é 日本"
    assert printable_lines("a::b\n  c\n") == "a::b\n  c\n"


@pytest.mark.parametrize("text", NAUGHTY)
def test_words_are_no_commands_line_by_line(text: str) -> None:
    for output in (printable_lines(text), printable_lines(f"{text}\n{text}\n")):
        assert all(line.isprintable() for line in output.split("\n"))
        assert not [line for line in output.split("\n") if V2_COMMAND.match(line) or V1_COMMAND.search(line)]
        assert printable_lines(output) == output
