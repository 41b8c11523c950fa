"""The action `check` and its helpers, run as on a GitHub runner: they end with the exit code of the check."""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import ERROR, TREE, WARNING, write_files
from tests.support.github_runner import REPOSITORY, Runner, Step, log_commands, serve_api

# Each test runs the whole script of the action, which starts envtree several times.
pytestmark = pytest.mark.slow

PULL_REQUEST = {"pull_request": {"number": 7}}
FORK = {
    "workflow_run": {
        "event": "pull_request",
        "head_sha": "a1",
        "head_branch": "fix/#1",
        "head_repository": {"owner": {"login": "stranger"}},
        "pull_requests": [],
    }
}
MARKER = "<!-- envtree check . -->\n"
HOSTILE = [
    *("::error::x", "  ::add-mask::e", "a ##[error]b", "##[add-mask]x", "::stop-commands::t", "::set-output name=a::b"),
    *("x%0A::error::y", "%25%0D%0A##[group]z", "a\r::error::b", "a\n::error::b", "\u2028::error::c", "\x85::error::d"),
    *(
        "</details><img src=x>",
        "@acme/everybody",
        "![x](http://x.example)",
        "```\n# x",
        "`x`",
        "a`",
        "``",
        "` `",
        " ",
        "",
    ),
    *(
        "|a|b|",
        "<!-- envtree check . -->",
        "[x](javascript:alert(1))",
        "`" * 90 + "<b>",
        "\x1b[2J\x1b]8;;http://x",
        "\\`<i>",
    ),
    *("$`\\frac{a}`$", "- x\n\n# y", "\u202e::", "https://x.example #1 a1b2c3d", "\ud800", "&lt;b&gt;", ":warning:"),
]

# A stand-in that implements only the contract of `envtree check`.
STAND_IN = """#!{python}
import os, shutil, sys
print("::error file=a.yaml,line=1,col=1,title=envtree ET101::wrong")
print("::add-mask::wrong\\nand ##[error]more")
print("::error::checked 1 bundle", file=sys.stderr)
print("TOKEN" in os.environ or "GITHUB_OUTPUT" in os.environ, sys.argv[1:], file=sys.stderr)
for form, file in (word.split("=", 1) for before, word in zip(sys.argv, sys.argv[1:]) if before == "--report"):
    if os.path.exists("report.json"):
        shutil.copy("report.json", file)
sys.exit(int(os.environ["STAND_IN_CODE"]))
"""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


def report(findings: Iterable[dict[str, Any]] = (), **more: Any) -> dict[str, Any]:
    counts = {"agents": 1, "bundles": 2, "errors": 0, "warnings": 0}
    return {"envtree": "1", "findings": list(findings), "not_checked": [], "summary": counts, **more}


def finding(message: str = "wrong", severity: str = "error", **more: Any) -> dict[str, Any]:
    defaults = {"path": "a.yaml", "line": 1, "column": 2, "key": None, "hint": None, "related": [], "bundles": []}
    return {**defaults, "code": "ET101", "severity": severity, "message": message, **more}


def check(runner: Runner, code: int, report_data: Any = None, event: Any = None, **environ: str) -> Step:
    """Run the check with a stand-in for envtree that ends with `code` and writes the report, if any."""
    program = runner.temp / "envtree"
    program.write_text(STAND_IN.replace("{python}", sys.executable))
    program.chmod(0o755)
    report_file = runner.workspace / "report.json"
    report_file.unlink(missing_ok=True)
    if report_data is not None:
        report_file.write_text(json.dumps(report_data))
    return runner.step("check/check.py", event, ENVTREE=str(program), STAND_IN_CODE=str(code), **environ)


@pytest.mark.parametrize("code", [0, 1, 2, 3, 70])
@pytest.mark.parametrize("report_data", [None, report([finding()])], ids=["no-report", "report"])
def test_a_token_that_may_only_read_changes_nothing(runner: Runner, code: int, report_data: Any) -> None:
    with serve_api(None) as api:
        runner.api = api.url
        step = check(runner, code, report_data, PULL_REQUEST, COMMENT="true")
    assert step.code == code
    assert len(api.requests) == 1
    assert "no comment was written: the API answered 403" in step.log
    assert step.outputs["result"] == {0: "passed", 1: "failed"}.get(code, "error")
    assert step.outputs["exit-code"] == str(code)


@pytest.mark.parametrize("event", [None, {"pull_request": None}, {"workflow_run": {"event": "pull_request"}}, FORK])
def test_what_cannot_be_asked_or_understood_changes_nothing(runner: Runner, event: Any) -> None:
    assert check(runner, 1, report(), event, COMMENT="true").code == 1
    with serve_api({f"/repos/{REPOSITORY}/pulls": {"not": "a list"}}) as api:
        runner.api = api.url
        assert check(runner, 0, report(), event, COMMENT="true").code == 0


def test_without_being_asked_to_comment_it_asks_nobody(runner: Runner) -> None:
    with serve_api(None) as api:
        runner.api = api.url
        check(runner, 0, report(), PULL_REQUEST)
    assert api.requests == []


def test_a_program_that_is_not_there_is_the_machines_fault(runner: Runner) -> None:
    step = runner.step("check/check.py", ENVTREE="/nowhere/envtree")
    assert step.code == 3
    assert step.outputs["result"] == "error"
    assert [command.name for command in log_commands(step.log)] == ["error"]


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (1, 0), (2, 2), (3, 3), (70, 70)])
def test_exit_zero_forgives_findings_only(runner: Runner, code: int, ends: int) -> None:
    step = check(runner, code, report([finding()]), EXIT_ZERO="true")
    assert step.code == ends
    assert step.outputs["exit-code"] == str(code)


def test_the_settings_become_a_command_line(runner: Runner) -> None:
    step = check(
        runner, 0, DIRECTORY="a b", STRICT="true", SARIF_FILE="x.sarif", INPUTS="A=1\n\nB=2 3\n", SELECTORS="-x\na/**\n"
    )
    words = ["-C", "a b", "check", "--output-format", "github", "--report", "json=…", "--report", "sarif=x.sarif"]
    words += ["--strict", "--input=A=1", "--input=B=2 3", "--", "-x", "a/**"]
    assert f"False {words}" in re.sub(r"json=[^']*", "json=…", step.log)


def test_only_annotations_of_ours_are_commands(runner: Runner) -> None:
    commands = log_commands(check(runner, 1).log)
    assert [(command.name, command.data) for command in commands] == [("error", "wrong")]


def test_the_outputs_name_the_files(runner: Runner) -> None:
    step = check(runner, 1, report([finding(), finding(severity="warning")]), SARIF_FILE="x.sarif")
    assert (step.outputs["errors"], step.outputs["warnings"], step.outputs["sarif-file"]) == ("1", "1", "x.sarif")
    assert json.loads(Path(step.outputs["report-file"]).read_text())["envtree"] == "1"
    assert Path(step.outputs["comment-file"]).read_text() == MARKER + step.summary
    assert check(runner, 2, SARIF_FILE="none.sarif").outputs["sarif-file"] == ""


def test_the_summary_says_the_result_first(runner: Runner) -> None:
    report_data = report(
        [
            finding(
                "an error",
                hint="do this",
                bundles=["p/a@x", "p/b@x"],
                related=[{"path": "b.yaml", "line": 3, "message": "here"}],
            ),
            finding("a warning", "warning", path=None, line=None, column=None),
            finding("a note", "info"),
        ],
        not_checked=[{"code": "ET701", "path": "c.yaml", "line": 4, "key": "env_vars.A"}],
    )
    assert check(runner, 1, report_data, DIRECTORY="trees/one").summary == (
        "### ❌ envtree: 1 error, 1 warning\n\n"
        "Checked 2 bundles of 1 agent in `trees/one`, without a key.\n\n"
        "**Errors: 1**\n\n"
        "- `ET101` `a.yaml:1:2`: `an error`  \n  in 2 bundles: `p/a@x`, …  \n"
        "  `b.yaml:3`: `here`  \n  hint: `do this`\n\n"
        "**Warnings: 1**\n\n"
        "- `ET101` in no file: `a warning`\n\n"
        "<details><summary>Notes: 1</summary>\n\n- `ET101` `a.yaml:1:2`: `a note`\n\n</details>\n\n"
        "<details><summary>Not checked, for it needs a key or an input: 1</summary>\n\n"
        "- `ET701` `c.yaml:4` `env_vars.A`\n\n</details>\n\n"
        "`envtree check` shows the same on your machine, and `envtree code ET101` explains a code.\n"
    )
    assert check(runner, 0, report()).summary.startswith("### ✅ envtree: no errors\n")
    assert check(runner, 0, report([finding(severity="warning")])).summary.startswith(
        "### ⚠️ envtree: no errors, 1 warning\n"
    )


def test_a_check_that_made_no_report_has_a_summary(runner: Runner) -> None:
    assert "It ended with exit code 2" in check(runner, 2).summary


@pytest.mark.parametrize("severity", ["error", "info"])
def test_summary_and_comment_are_bounded(runner: Runner, severity: str) -> None:
    many = report(finding("é" * 900 + str(n), severity) for n in range(5000))
    step = check(runner, 1, many)
    comment = Path(step.outputs["comment-file"]).read_text()
    for text, least, most in ((step.summary, 800_000, 1024 * 1024), (comment, 50_000, 65_536)):
        assert least < len(text.encode()) <= most
        assert text.rstrip().endswith("`envtree check` shows all of it on your machine.**")
        assert text.count("<details>") == text.count("</details>")
    assert step.summary.startswith(("### ❌ envtree: 5000 errors", "### ✅ envtree: no errors"))


def prose(text: str) -> str:
    """Return the text outside of code spans, which are recognized as in CommonMark, line by line."""
    return re.sub(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", text)


def hostile_report(words: list[str]) -> dict[str, Any]:
    """Return a report that contains each of the words in every text field."""
    findings = [
        finding(word, code=word, path=word, hint=word, bundles=[word], related=[{"path": word, "message": word}])
        for word in words
    ]
    return report(findings, not_checked=[{"code": word, "path": word, "line": "4", "key": word} for word in words])


def test_markdown_shows_the_words_of_files_as_code(runner: Runner) -> None:
    words = list(filter(None, HOSTILE))
    summary, harmless_summary = (
        check(runner, 1, hostile_report(texts)).summary for texts in (words, ["x"] * len(words))
    )
    assert prose(summary).splitlines() == prose(harmless_summary).splitlines()
    assert max(map(len, re.findall("`+", summary))) <= 17
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u202e]", summary)


def test_a_comment_is_made_once_and_then_rewritten(runner: Runner) -> None:
    comments: list[Any] = [
        {"id": 1, "user": {"type": "User"}, "body": f"{MARKER}all is well, says somebody"},
        {"id": 2, "user": None, "body": MARKER},
        {"id": 3, "user": {"type": "Bot"}, "body": f"another bot quotes {MARKER}"},
        {"id": 4, "user": {"type": "Bot"}, "body": None},
    ]
    answers = {f"/repos/{REPOSITORY}/issues/7/comments": comments}
    with serve_api(answers) as api:
        runner.api = api.url
        assert check(runner, 1, report([finding()]), PULL_REQUEST, COMMENT="true").code == 1
        comments.append({"id": 5, "user": {"type": "Bot"}, "body": MARKER.replace("\n", "\r\n") + "x"})
        check(runner, 0, report(), PULL_REQUEST, COMMENT="true")
    writes = [request for request in api.requests if request.method != "GET"]
    assert [(request.method, request.path.rpartition("/")[2]) for request in writes] == [
        ("POST", "comments"),
        ("PATCH", "5"),
    ]
    assert writes[0].body["body"].startswith(f"{MARKER}### ❌ envtree: 1 error\n")
    assert writes[1].body["body"].startswith(f"{MARKER}### ✅ envtree: no errors\n")


def test_a_comment_on_the_second_page_is_found(runner: Runner) -> None:
    pages = [
        [{"id": n, "user": {"type": "User"}, "body": "x"} for n in range(100)],
        [{"id": 200, "user": {"type": "Bot"}, "body": MARKER}],
    ]
    with serve_api({}) as api:
        runner.api = api.url
        answer = api.answer
        api.answer = lambda request: (  # type: ignore[method-assign]
            (answer(request)[0], pages[request.path.endswith("&page=2")])
            if request.method == "GET"
            else answer(request)
        )
        check(runner, 0, report(), PULL_REQUEST, COMMENT="true")
    assert api.requests[-1][:2] == ("PATCH", f"/repos/{REPOSITORY}/issues/comments/200")


@pytest.mark.parametrize(("newest", "comments"), [("a1", 1), ("b2", 0)], ids=["newest commit", "older commit"])
def test_t58_after_a_fork_the_comment_goes_where_github_says(runner: Runner, newest: str, comments: int) -> None:
    (runner.workspace / "stranger.json").write_text(json.dumps(report([finding("@acme/all")], number=666)))
    pulls = [{"number": 9, "head": {"sha": newest}}, {"number": 8, "head": {"sha": "c3"}}]
    with serve_api({f"/repos/{REPOSITORY}/pulls": pulls}) as api:
        runner.api = api.url
        step = runner.step("check/comment.py", FORK, REPORT="stranger.json")
    assert step.code == 0
    assert api.requests[0].path.endswith("/pulls?state=open&per_page=100&head=stranger%3Afix%2F%231")
    assert [request.path for request in api.requests if request.method == "POST"] == [
        f"/repos/{REPOSITORY}/issues/9/comments"
    ] * comments


@pytest.mark.parametrize("data", ["", "{}", "[1]", "[" * 100_000, '{"envtree": "1"', "\ufeff{}", '{"envtree": 1}'])
def test_a_report_that_is_none_is_refused(runner: Runner, data: str) -> None:
    (runner.workspace / "stranger.json").write_text(data)
    step = runner.step("check/comment.py", FORK, REPORT="stranger.json")
    assert (step.code, step.log) == (
        1,
        "::error title=envtree::no comment: the report is missing, or is none of `envtree check`\n",
    )


@pytest.mark.parametrize(
    "shape", [None, 1, "x", [1], {"x": 1}, [[]], [None], [{"related": 1, "bundles": [1], "line": "x"}]]
)
def test_t58_a_report_of_another_shape_does_no_harm(runner: Runner, shape: Any) -> None:
    (runner.workspace / "stranger.json").write_text(
        json.dumps(dict.fromkeys(("findings", "not_checked", "summary"), shape) | {"envtree": "1"})
    )
    with serve_api({f"/repos/{REPOSITORY}/pulls": [{"number": 9, "head": {"sha": "a1"}}]}) as api:
        runner.api = api.url
        assert runner.step("check/comment.py", FORK, REPORT="stranger.json").code == 0
    assert api.requests[-1].method == "POST"


def test_a_comment_that_is_refused_fails_the_job_that_was_to_make_it(runner: Runner) -> None:
    (runner.workspace / "mine.json").write_text(json.dumps(report()))
    with serve_api(None) as api:
        runner.api = api.url
        step = runner.step("check/comment.py", PULL_REQUEST, REPORT="mine.json")
    assert step.code == 1
    assert "the API answered 403" in step.log


@pytest.mark.parametrize(("changes", "code"), [({}, 0), ({"b": WARNING}, 1), ({"b": ERROR}, 1), ({"b": ":"}, 1)])
def test_the_real_command_ends_the_step(runner: Runner, changes: dict[str, str], code: int) -> None:
    write_files(runner.workspace, TREE | {f"projects/shop/agents/{name}.yaml": text for name, text in changes.items()})
    step = runner.step("check/check.py", STRICT="true", SARIF_FILE="x.sarif")
    assert step.code == code, step.log
    findings = json.loads(Path(step.outputs["report-file"]).read_text())["findings"]
    commands = log_commands(step.log)
    assert [command.data.partition("\n")[0] for command in commands] == [finding["message"] for finding in findings]
    assert json.loads((runner.workspace / "x.sarif").read_text())["version"] == "2.1.0"
    assert step.outputs["sarif-file"] == "x.sarif"


def test_the_real_command_on_a_wrong_command_line(runner: Runner) -> None:
    write_files(runner.workspace, TREE)
    step = runner.step("check/check.py", INPUTS="NOPE=1")
    assert (step.code, step.outputs["result"]) == (2, "error")


PLACES = {
    "a key": "{{{0}: 1}}",
    "a variable": "{{execution_environment: {{env_vars: {{{0}: x}}}}}}",
    "a value": "{{execution_environment: {{env_vars: {{V: {0}}}}}}}",
    "an endpoint": "{{execution_environment: {{endpoints: {{a: {0}}}}}}}",
    "a name": "{{execution_environment: {{config: {{a: '${{{{ env_vars[{0}] }}}}'}}}}}}",
}


@pytest.mark.parametrize("first", range(0, len(HOSTILE), 10))
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_the_log_holds_no_command_but_ours(runner: Runner, place: str, first: int) -> None:
    words = HOSTILE[first : first + 10]
    agents = {f"projects/shop/agents/a{n}.yaml": place.format(json.dumps(word)) for n, word in enumerate(words)}
    contract = "variables: {V: {enum: [a-word]}}\n"
    write_files(runner.workspace, TREE | agents | {"organization.yaml": TREE["organization.yaml"] + contract})
    assert_only_annotations(runner.step("check/check.py", DIRECTORY="projects"))


def test_names_on_disk_and_selectors_are_no_commands(runner: Runner) -> None:
    words = [word for word in HOSTILE if word.strip() and "/" not in word and len(word) < 90 and "\ud800" not in word]
    write_files(runner.workspace, TREE | {f"projects/shop/agents/{word}.yaml": "{}" for word in words})
    assert_only_annotations(runner.step("check/check.py", SELECTORS="\n".join(words)))
    for word in words[:5]:
        assert_only_annotations(runner.step("check/check.py", DIRECTORY=word), most=0)


def assert_only_annotations(step: Step, most: int = 30) -> None:
    """Require that the only commands in the log are annotations of findings."""
    commands = log_commands(step.log)
    assert (len(commands) > 0) == (most > 0), step.log
    assert len(commands) <= most
    assert {command.name for command in commands} <= {"error", "warning", "notice"}
    assert all(command.properties["title"].startswith("envtree ET") for command in commands)
