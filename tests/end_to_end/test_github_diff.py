"""The diff of a pull request in the comment of the action `check`, and of `comment` after a fork."""

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from envtree.diagnostics.printable_documents import json_document
from envtree.queries.diff.from_json import InvalidDiffError, parse_diff
from envtree.queries.diff.to_json import diff_data
from tests.end_to_end.test_github_action import FORK, MARKER, PULL_REQUEST, report
from tests.support.command_line import BOT, BOT_ID, ERROR, INPUT, TREE, write_files
from tests.support.github_runner import REPOSITORY, Runner, Step, log_commands, serve_api
from tests.unit.report.test_diff_markdown import LISTED, full_of
from tests.unit.report.test_github_markdown import tokens
from tests.unit.sources.test_git_revision import commit
from tests.unit.system.test_git import run

# Each test runs the whole script of the action, which starts envtree several times.
pytestmark = pytest.mark.slow

PRODUCTION = "environments/production.yaml"
QUIET = f"{TREE[PRODUCTION]}execution_environment:\n  env_vars: {{LOG_LEVEL: warning}}\n"
DIFF_TEXT = "### 2 agents get new values in `production`\n\n1 of 3 bundles unaffected.\n"
PULLS = {f"/repos/{REPOSITORY}/pulls": [{"number": 9, "head": {"sha": "a1"}}]}


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Return a runner whose checkout merges a branch that changes LOG_LEVEL in production."""
    new_runner = Runner(tmp_path)
    root = new_runner.workspace
    run(root, "init", "-q", "-b", "main")
    write_files(root, TREE)
    commit(root)
    run(root, "switch", "-qc", "topic")
    write_files(root, {PRODUCTION: QUIET})
    commit(root)
    run(root, "switch", "-q", "main")
    write_files(root, {"README.md": "x"})
    commit(root)
    run(root, "merge", "-q", "--no-ff", "-m", "merge", "topic")
    return new_runner


def comment_text(step: Step) -> str:
    return Path(step.outputs["comment-file"]).read_text()


def test_the_comment_says_what_is_wrong_and_then_what_changes(runner: Runner) -> None:
    step = runner.step("check/check.py", BASE="HEAD^1")
    assert step.code == 0, step.log
    assert comment_text(step).startswith(
        f"{MARKER}### ✅ envtree: no errors\n\nChecked 3 bundles of 2 agents, without a key.\n\n{DIFF_TEXT}"
    )
    assert f"- `{PRODUCTION}:3` added, in `{BOT_ID}` and `shop/clerk@production`\n" in comment_text(step)
    assert step.summary == comment_text(step).removeprefix(MARKER)
    data = json.loads(Path(step.outputs["diff-file"]).read_text())
    assert (data["summary"]["changed"], data["base"]["name"]) == (2, "HEAD^1")
    assert "| 2 agents get new values in production; 1 of 3 bundles unaffected\n" not in step.log
    assert log_commands(step.log) == []


def test_it_ends_as_the_check_does(runner: Runner) -> None:
    write_files(runner.workspace, {BOT: ERROR})
    step = runner.step("check/check.py", BASE="HEAD^1")
    assert (step.code, step.outputs["result"]) == (1, "failed")
    assert comment_text(step).startswith(f"{MARKER}### ❌ envtree: 1 error\n")
    assert "❌ **There are errors: nothing can be compiled from this.**" in comment_text(step)


@pytest.mark.parametrize("base", ["", " \n"])
def test_without_a_base_nothing_is_compared(runner: Runner, base: str) -> None:
    step = runner.step("check/check.py", BASE=base)
    assert step.outputs["diff-file"] == ""
    assert comment_text(step).endswith("Checked 3 bundles of 2 agents, without a key.\n")


@pytest.mark.parametrize("base", ["nope", "--output=x", "main..topic", "HEAD:README.md", "::error::x"])
def test_a_base_that_is_not_there_takes_nothing_from_the_check(runner: Runner, base: str) -> None:
    before = sorted(runner.workspace.iterdir())
    step = runner.step("check/check.py", BASE=base)
    assert (step.code, step.outputs["diff-file"]) == (0, "")
    assert comment_text(step).endswith("Checked 3 bundles of 2 agents, without a key.\n")
    assert [command.name for command in log_commands(step.log)] == ["warning"]
    assert sorted(runner.workspace.iterdir()) == before


def test_inputs_are_passed_on(runner: Runner) -> None:
    write_files(runner.workspace, {"organization.yaml": INPUT})
    step = runner.step("check/check.py", BASE="HEAD^1", INPUTS="SHA=abc\n")
    assert '**+** `env_vars.SHA`: `"abc"`' in comment_text(step)


def test_neither_program_is_given_the_token(runner: Runner, tmp_path: Path) -> None:
    program = tmp_path / "envtree"
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        f"open({str(tmp_path / 'seen')!r}, 'a').write(f'{{sys.argv[3:4]}} {{sorted(os.environ)}}\\n')\n"
        "print('{}')\n"
    )
    program.chmod(0o755)
    runner.step("check/check.py", BASE="HEAD^1", ENVTREE=str(program))
    runner.step("check/comment.py", FORK, REPORT=str(save(tmp_path)), DIFF=str(save(tmp_path)), ENVTREE=str(program))
    seen = (tmp_path / "seen").read_text()
    assert seen.count("\n") == 5
    assert not re.search("TOKEN|GITHUB_(OUTPUT|ENV|PATH|STATE|STEP_SUMMARY)", seen)


def test_both_fit_into_one_comment(runner: Runner) -> None:
    many = {f"projects/shop/agents/a{n}.yaml": f"description: {'é' * 50}\nnope{n}: 1\n" for n in range(400)}
    edits = {f"projects/shop/teams/t{n}/team.yaml": f"description: {'x' * 50}\n" for n in range(300)}
    agents = {f"projects/shop/teams/t{n}/agents/a.yaml": "{}\n" for n in range(300)}
    write_files(runner.workspace, many | edits | agents)
    step = runner.step("check/check.py", BASE="HEAD^1")
    assert 30_000 < len(comment_text(step).encode()) <= 60_000
    assert "### ❌ envtree: 400 errors" in comment_text(step)
    assert "agents are new in" in comment_text(step)
    assert comment_text(step).count("<details>") == comment_text(step).count("</details>")


def test_one_comment_is_rewritten(runner: Runner) -> None:
    comments = [{"id": 5, "user": {"type": "Bot"}, "body": f"{MARKER}x"}]
    with serve_api({f"/repos/{REPOSITORY}/issues/7/comments": comments}) as api:
        runner.api = api.url
        step = runner.step("check/check.py", PULL_REQUEST, BASE="HEAD^1", COMMENT="true")
    assert [(request.method, request.path.rpartition("/")[2]) for request in api.requests][1:] == [("PATCH", "5")]
    assert api.requests[1].body["body"] == comment_text(step)


# After a fork, where the files are untrusted.


def save(folder: Path, name: str = "envtree.json", data: bytes | None = None) -> Path:
    path = folder / name
    path.write_bytes(json.dumps(report()).encode() if data is None else data)
    return path


def post_comment(runner: Runner, folder: Path, diff: bytes | None) -> str:
    """Run the action `comment` on a report, and on a diff if there is one; return the comment."""
    path = folder / "diff.json"
    path.unlink(missing_ok=True)
    if diff is not None:
        save(folder, "diff.json", diff)
    with serve_api(PULLS) as api:
        runner.api = api.url
        step = runner.step("check/comment.py", FORK, REPORT=str(save(folder)), DIFF=str(path))
    assert (step.code, step.log) == (0, "commented on 1 pull request(s)\n")
    (posted,) = [request.body["body"] for request in api.requests if request.method == "POST"]
    return str(posted)


def test_the_comment_is_made_anew_from_what_was_saved(runner: Runner, tmp_path: Path) -> None:
    data = Path(runner.step("check/check.py", BASE="HEAD^1").outputs["diff-file"]).read_bytes()
    text = post_comment(runner, tmp_path, data)
    assert text.startswith(
        f"{MARKER}### ✅ envtree: no errors\n\nChecked 2 bundles of 1 agent, without a key.\n\n{DIFF_TEXT}"
    )
    assert post_comment(runner, tmp_path, None) == f"{text.partition('without a key.')[0]}without a key.\n"


def invalid_answers() -> list[bytes]:
    valid = diff_data(full_of("x"), ())
    invalid: list[Any] = [
        *({}, [], "x", None, {"envtree": "1"}, {**valid, "envtree": "2"}, {**valid, "more": "<img>"}),
        {**valid, "environments": ["| x | <img> |"]},
        {**valid, "not_compared": ["<img>"]},
        {**valid, "changes": [{**valid["changes"][0], "bundles": ["a/b@[x](http://x)"]}]},
        {**valid, "changes": [{**valid["changes"][0], "kind": "<b>"}]},
        {**valid, "rules": [{**valid["rules"][0], "rule": "@acme/all"}]},
        {
            **valid,
            "bundles": [{"id": "a/b@c", "kind": "added", "causes": [{"path": "x", "line": "@me", "action": "x"}]}],
        },
        {**valid, "summary": {**valid["summary"], "unchanged": "<b>"}},
    ]
    return [*map(json_document, invalid), b"", b"\xff", b"[" * 100_000, b'{"envtree": "1"']


@pytest.mark.parametrize("data", invalid_answers())
def test_what_the_schema_does_not_allow_is_no_answer_of_ours(data: bytes) -> None:
    with pytest.raises(InvalidDiffError):
        parse_diff(data)


def test_what_is_no_answer_of_ours_is_left_out(runner: Runner, tmp_path: Path) -> None:
    for data in (invalid_answers()[-1], invalid_answers()[7]):
        assert post_comment(runner, tmp_path, data).endswith("without a key.\n")


def test_t74_a_strangers_words_stand_in_code_spans_only(runner: Runner, tmp_path: Path) -> None:
    sample = [word for word in LISTED if re.search("[<@`!]|http", word) and "\ud800" not in word][::80]
    shapes = []
    for word in ["tame", *sample]:
        text = post_comment(runner, tmp_path, json_document(diff_data(full_of(word), ())))
        code_tokens = ("inline", "code_inline", "fence")
        shapes.append([(token.type, "" if token.type in code_tokens else token.content) for token in tokens(text)])
    assert len(sample) > 2
    assert all(shape == shapes[0] for shape in shapes)


def test_a_file_that_is_too_large_is_not_read(runner: Runner, tmp_path: Path) -> None:
    text = post_comment(runner, tmp_path, None)
    file = save(tmp_path, "diff.json", b"")
    os.truncate(file, 33 * 1024 * 1024)
    with serve_api(PULLS) as api:
        runner.api = api.url
        runner.step("check/comment.py", FORK, REPORT=str(save(tmp_path)), DIFF=str(file))
    assert [request.body["body"] for request in api.requests if request.method == "POST"] == [text]
