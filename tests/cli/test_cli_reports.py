"""`envtree check` in every format: reports in files, reports of runs that stop, exit codes."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from junitparser import JUnitXml

from envtree.cli import invoke
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import MachineError, RefusedError
from tests.support.command_line import BOT, ERROR, TREE, WARNING, RunCommand, write_files
from tests.unit.report.test_report_broken import validator

FORMS = ("text", "concise", "json", "github", "sarif", "junit", "gitlab")


def codes(form: str, data: bytes) -> list[str]:
    """Validate a report with its schema, and return the codes that it contains."""
    if form == "json":
        report = json.loads(data)
        assert Schemas().is_valid("output/check", report)
        return [finding["code"] for finding in report["findings"]]
    if form == "sarif":
        log = json.loads(data)
        assert validator().is_valid(log)
        return [result["ruleId"] for result in log["runs"][0]["results"]]
    if form == "gitlab":
        issues = json.loads(data)
        assert Schemas().is_valid("output/gitlab", issues)
        return [issue["check_name"] for issue in issues]
    if form == "junit":
        suites: list[Any] = list(JUnitXml.fromstring(data))
        return [case.result[0].type for suite in suites for case in suite if case.result]
    return [word.strip(":") for line in data.decode().splitlines() for word in line.split() if word.startswith("ET")][
        :1
    ]


def raiser(error: BaseException) -> Callable[..., Any]:
    def raise_error(*_: object, **__: object) -> Any:
        raise error

    return raise_error


# Report files.


def test_a_run_writes_many_reports_and_tells_people_too(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: ERROR})
    words = [word for form in FORMS for word in ("--report", f"{form}={tmp_path}/reports/{form}")]
    ran = envtree("check", *words)
    assert ran.code == 1
    assert ran.out == envtree("check").out
    assert ran.err == "checked 1 of 3 bundles, errors spoil the others: 1 error (--fix may mend 1 file)\n"
    assert {path.name for path in (tmp_path / "reports").iterdir()} == set(FORMS)
    for form in FORMS:
        file = tmp_path / "reports" / form
        if form != "github":
            assert codes(form, file.read_bytes()) == ["ET201"]
        assert stat.S_IMODE(file.stat().st_mode) == 0o644
    assert "::error file=" in (tmp_path / "reports/github").read_text()


def test_a_report_has_no_colours_and_what_was_not_checked(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: ERROR})
    envtree("check", "--color", "always", "--report", f"text={tmp_path}/text")
    assert "\x1b" not in (tmp_path / "text").read_text()
    assert (tmp_path / "text").read_text() == envtree("check").out


def test_an_old_report_is_replaced_whole_and_nothing_stays_behind(
    tree: Path, tmp_path: Path, envtree: RunCommand
) -> None:
    folder = tmp_path / "reports"
    write_files(folder, {"out.sarif": "old" * 100_000})
    before = (folder / "out.sarif").stat().st_ino
    assert envtree("check", "--report", f"sarif={folder}/out.sarif").code == 0
    assert codes("sarif", (folder / "out.sarif").read_bytes()) == []
    assert (folder / "out.sarif").stat().st_ino != before
    assert os.listdir(folder) == ["out.sarif"]


@pytest.mark.parametrize("failing", ["create", "replace"])
def test_a_report_that_cannot_be_written_leaves_the_old_one(
    failing: str, tree: Path, tmp_path: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "reports"
    write_files(folder, {"out.sarif": "old"})
    target = "envtree.system.disk.create_file" if failing == "create" else "os.replace"
    monkeypatch.setattr(target, raiser(OSError(28, os.strerror(28))))
    ran = envtree("check", "--report", f"sarif={folder}/out.sarif")
    assert ran.code == 3
    assert ran.err.endswith(
        f"error ET805: the report '{folder}/out.sarif' cannot be written: no space left on device\n"
    )
    assert (folder / "out.sarif").read_text() == "old"
    assert os.listdir(folder) == ["out.sarif"]


def test_the_findings_are_told_even_if_a_report_cannot_be_written(
    tree: Path, tmp_path: Path, envtree: RunCommand
) -> None:
    write_files(tree, {BOT: ERROR})
    ran = envtree(
        "check", "--output-format", "json", "--report", "sarif=/dev/null/x", "--report", f"gitlab={tmp_path}/x.json"
    )
    assert ran.code == 3
    assert codes("json", ran.out.encode()) == ["ET201"]
    assert codes("gitlab", (tmp_path / "x.json").read_bytes()) == ["ET201"]
    assert "the report '/dev/null/x' cannot be written: " in ran.err


REFUSED = {
    "inside a folder of the tree": ("sarif={tree}/projects/out.sarif", "would lie among the tree's own files"),
    "in a folder that the tree may have": ("sarif={tree}/jobs/x/out.sarif", "would lie among the tree's own files"),
    "through a dotted way": ("sarif={tree}/x/../agents/out.sarif", "would lie among the tree's own files"),
    "over the organization": ("text={tree}/organization.yaml", "would lie among the tree's own files"),
    "in git's own folder": ("text={tree}/.git/hooks/pre-commit", "would lie among the tree's own files"),
    "over a link": ("text={tmp}/link", "is not a regular file"),
    "over a folder": ("text={tmp}/folder", "is not a regular file"),
    "over a device": ("text=/dev/null", "is not a regular file"),
    "without a form": ("{tmp}/out.sarif", "write FORMAT=FILE"),
    "without a file": ("sarif=", "write FORMAT=FILE"),
    "in an unknown form": ("xml={tmp}/out.xml", "write FORMAT=FILE"),
}


@pytest.mark.parametrize(("word", "message"), REFUSED.values(), ids=REFUSED)
def test_some_places_are_refused(word: str, message: str, tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))
    ran = envtree("check", "--report", word.format(tree=tree, tmp=tmp_path))
    assert ran.code == 2
    assert message in ran.err
    assert sorted(tmp_path.rglob("*")) == before


def test_two_reports_need_two_files(tmp_path: Path, envtree: RunCommand) -> None:
    ran = envtree("check", "--report", f"sarif={tmp_path}/x", "--report", f"json={tmp_path}/./x")
    assert ran.code == 2
    assert "two reports go to " in ran.err


def test_a_report_may_lie_beside_the_sources(tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert envtree("check", "--report", "sarif=envtree.sarif", "--report", "json=reports/envtree.json").code == 0
    assert envtree("check").code == 0
    assert (tree / "envtree.sarif").exists()


# Errors that stop a run.


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("reason", "code"), [(MachineError("ET805", "no disk", "get one"), 3), (RefusedError("ET806", "no", "yes"), 1)]
)
def test_what_stops_a_run_is_in_every_report(
    reason: MachineError | RefusedError,
    code: int,
    form: str,
    tmp_path: Path,
    envtree: RunCommand,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("envtree.cli.commands.check.check", raiser(reason))
    ran = envtree("check", "--output-format", form, "--report", f"{form}={tmp_path}/report", "--exit-zero")
    assert ran.code == code
    assert ran.err.startswith(f"error {reason.code}: {reason.message}")
    written = (tmp_path / "report").read_bytes()
    assert ran.out.encode() == (b"" if form == "text" else written)
    assert reason.code in written.decode()
    if form not in ("text", "github"):
        assert codes(form, written) == [reason.code]


def test_a_reader_who_leaves_early_does_not_keep_the_files_from_being_written(
    tree: Path, tmp_path: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tree, {BOT: ERROR})
    monkeypatch.setattr("envtree.cli.support.session.out", raiser(BrokenPipeError()))
    monkeypatch.setattr("envtree.cli.support.exits._close_stdout", lambda: None)
    assert envtree("check", "--output-format", "json", "--report", f"sarif={tmp_path}/x") == (141, "", "")
    assert codes("sarif", (tmp_path / "x").read_bytes()) == ["ET201"]


def test_a_wrong_command_line_writes_no_report(tmp_path: Path, envtree: RunCommand) -> None:
    assert envtree("check", "--input", "NO=1", "--report", f"json={tmp_path}/x").code == 2
    assert not (tmp_path / "x").exists()


# Exit codes and stdout.


@pytest.mark.parametrize(
    ("content", "words", "code"),
    [
        (ERROR, (), 1),
        (ERROR, ("--exit-zero",), 0),
        (WARNING, ("--strict",), 1),
        (WARNING, ("--strict", "--exit-zero"), 0),
        (ERROR, ("--exit-zero", "nothing"), 0),
        (ERROR, ("--exit-zero", "--input", "NO=1"), 2),
    ],
)
def test_exit_zero(content: str, words: tuple[str, ...], code: int, tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: content})
    ran = envtree("check", *words)
    assert ran.code == code
    if code < 2:
        assert ran.out == envtree("check", *(word for word in words if word != "--exit-zero")).out


@pytest.mark.parametrize("form", ["json", "sarif", "junit", "gitlab"])
@pytest.mark.parametrize("files", [{}, {BOT: ERROR}])
def test_stdout_is_one_document(form: str, files: dict[str, str], tree: Path, envtree: RunCommand) -> None:
    write_files(tree, files)
    ran = envtree("check", "--output-format", form, "--color", "always")
    assert ran.err == ""
    assert codes(form, ran.out.encode()) == (["ET201"] if files else [])


def test_junit_fails_what_strict_fails(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: WARNING})
    assert codes("junit", envtree("check", "--output-format", "junit").out.encode()) == []
    assert codes("junit", envtree("check", "--output-format", "junit", "--strict").out.encode()) == ["ET150"]


def test_paths_are_those_of_the_repository(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_files(tmp_path / "trees/one two", TREE | {BOT: ERROR})
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git/HEAD").write_text("ref: refs/heads/main\n")
    for folder in ("objects", "refs"):
        (tmp_path / ".git" / folder).mkdir()
    reports = [word for form in FORMS[3:] for word in ("--report", f"{form}={tmp_path}/{form}")]
    assert invoke(["-C", str(tmp_path / "trees/one two"), "check", *reports]) == 1
    capfd.readouterr()
    (result,) = json.loads((tmp_path / "sarif").read_bytes())["runs"][0]["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == f"trees/one%20two/{BOT}"
    assert json.loads((tmp_path / "gitlab").read_bytes())[0]["location"]["path"] == f"trees/one two/{BOT}"
    assert f'classname="trees/one two/{BOT}"' in (tmp_path / "junit").read_text()


def test_the_findings_may_go_into_a_file_alone(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: ERROR})
    output = envtree("check").out
    for form in ("text", "json", "sarif"):
        ran = envtree("check", "--output-format", form, "--output", str(tree / f"found.{form}"))
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("checked 1 of 3 bundles")
    assert (tree / "found.text").read_text() == output
    assert json.loads((tree / "found.json").read_text())["findings"][0]["code"] == "ET201"
