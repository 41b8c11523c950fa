"""`envtree diff`: revisions and folders, formats, exit codes and messages."""

import json
import shutil
from pathlib import Path

import pytest

from envtree.frontend.schemas import Schemas
from tests.cli.test_cli_words import EVIL, is_plain
from tests.support.command_line import (
    BOT,
    BOT_ID,
    ERROR,
    INPUT,
    ORGANIZATION,
    TREE,
    CommandResult,
    RunCommand,
    write_files,
)
from tests.unit.sources.test_git_revision import asked, commit
from tests.unit.system.test_git import run

PRODUCTION = "environments/production.yaml"
QUIET = f"{TREE[PRODUCTION]}execution_environment:\n  env_vars: {{LOG_LEVEL: warning}}\n"
SAID = f"""\
{PRODUCTION}:3 (added)
  ~ env_vars.LOG_LEVEL: "info" → "warning"
    {BOT_ID}, shop/clerk@production
"""
SENTENCE = "2 agents get new values in production; 1 of 3 bundles unaffected\n"
NOTHING = "no bundle changes; 3 bundles compared\n"
STAGING_ID = "shop/cart/bot@staging"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree in a repository, with a commit `one` and a branch `topic` that changes LOG_LEVEL to `quiet`."""
    root = tmp_path / "tree"
    run(tmp_path, "init", "-q", "-b", "main", "tree")
    write_files(root, TREE)
    commit(root)
    run(root, "tag", "one")
    run(root, "switch", "-qc", "topic")
    write_files(root, {PRODUCTION: QUIET})
    commit(root)
    run(root, "switch", "-q", "main")
    return root


# The compared trees.


def test_two_revisions(envtree: RunCommand) -> None:
    for base, head in (("main", "topic"), ("one", "topic"), ("topic~1", "refs/heads/topic"), ("HEAD", "topic^{}")):
        assert envtree("diff", base, head) == CommandResult(0, SAID, SENTENCE)
    assert envtree("diff", "topic", "main").out == SAID.replace("(added)", "(removed)").replace(
        '"info" → "warning"', '"warning" → "info"'
    )
    assert envtree("diff", "main", "one") == CommandResult(0, "", NOTHING)


def test_a_revision_and_the_working_tree(tree: Path, envtree: RunCommand) -> None:
    assert envtree("diff", "HEAD") == CommandResult(0, "", NOTHING)
    write_files(tree, {PRODUCTION: QUIET})
    assert envtree("diff", "HEAD") == CommandResult(0, SAID, SENTENCE)
    # The working tree includes staged changes and new files.
    run(tree, "add", "-A")
    write_files(tree, {"projects/shop/agents/new.yaml": "targets: [production]\n"})
    ran = envtree("diff", "HEAD")
    assert ran.out == f"{SAID}\nbundles\n+ shop/new in production\n    projects/shop/agents/new.yaml:1 (added)\n"
    assert ran.err.startswith("2 agents get new values in production; 1 agent is new in production; 1 of 4")


def test_two_folders(tmp_path: Path, tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tmp_path / "other", TREE | {PRODUCTION: QUIET})
    monkeypatch.chdir(tmp_path)
    for folder in (str(tmp_path / "other"), "./other", "other", "./other/environments"):
        assert envtree("diff", str(tree), folder) == CommandResult(0, SAID, SENTENCE)
    assert envtree("diff", "main", "other") == CommandResult(0, SAID, SENTENCE)
    assert envtree("diff", "./other").out == SAID.replace("(added)", "(removed)").replace(
        '"info" → "warning"', '"warning" → "info"'
    )


def test_folders_in_no_repository_and_far_from_any_tree(
    tmp_path: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, files in (("a", TREE), ("b", TREE | {PRODUCTION: QUIET})):
        write_files(tmp_path / "apart" / name, files)
    monkeypatch.chdir(tmp_path / "apart")
    assert envtree("-C", ".", "diff", "a", "b").out == SAID
    ran = envtree("-C", "a", "diff", "main")
    assert (ran.code, ran.out) == (2, "")
    assert f"'main' is no folder, and '{tmp_path}/apart/a' lies in no git repository" in ran.err
    assert envtree("-C", "a", "diff", "--merge-base", "a", "b").code == 2


def test_a_name_that_is_a_revision_and_a_folder(
    tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    shutil.copytree(tree, tree / "topic")
    ran = envtree("diff", "main", "topic")
    assert (ran.code, ran.out) == (2, "")
    assert "'topic' is a revision and a folder; write './topic' or 'refs/heads/topic'" in ran.err
    assert envtree("diff", "main", "./topic") == CommandResult(0, "", NOTHING)
    assert envtree("diff", "main", "refs/heads/topic") == CommandResult(0, SAID, SENTENCE)


def test_the_last_commit_in_common(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: "description: on main\nexecution_environment: {env_vars: {NEW: x}}\n"})
    commit(tree)
    assert "NEW" in envtree("diff", "main", "topic").out
    assert envtree("diff", "--merge-base", "main", "topic") == CommandResult(0, SAID, SENTENCE)
    run(tree, "switch", "-q", "topic")
    assert envtree("diff", "--merge-base", "main") == CommandResult(0, SAID, SENTENCE)
    data = json.loads(envtree("diff", "--merge-base", "main", "--output-format", "json").out)
    assert data["base"] == {"name": "main", "commit": asked(tree, "rev-parse", "one")}
    assert data["head"] == {"name": "the working tree", "commit": None}
    run(tree, "switch", "-q", "--orphan", "alone")
    # With the same files in the same second, the commits would be identical.
    write_files(tree, {**TREE, "README": "alone\n"})
    commit(tree)
    assert "'main' and 'alone' have no commit in common" in envtree("diff", "--merge-base", "main", "alone").err


def test_a_tree_in_a_folder_of_the_repository(tmp_path: Path, envtree: RunCommand) -> None:
    run(tmp_path, "init", "-q", "-b", "main", "mono")
    mono = tmp_path / "mono"
    write_files(mono, {"README": ""})
    commit(mono)
    write_files(mono, {f"config/{path}": text for path, text in TREE.items()})
    commit(mono)
    write_files(mono / "config", {PRODUCTION: QUIET})
    assert envtree("-C", str(mono / "config"), "diff", "HEAD") == CommandResult(0, SAID, SENTENCE)
    assert envtree("-C", str(mono / "config/projects/shop"), "diff", "main") == CommandResult(0, SAID, SENTENCE)
    # A commit from before the tree was created.
    ran = envtree("-C", str(mono / "config"), "diff", "HEAD~1")
    assert (ran.code, ran.out.count("\n+ ")) == (0, 2)
    assert "there is no organization.yaml in this folder at 'HEAD~1'\n" in ran.err
    assert "2 agents are new in 2 environments; 0 of 3 bundles unaffected\n" in ran.err
    assert envtree("-C", str(mono / "config"), "diff", "HEAD~1", "--detailed-exitcode").code == 2


def test_a_shallow_clone_says_what_it_lacks(tmp_path: Path, tree: Path, envtree: RunCommand) -> None:
    run(tmp_path, "clone", "-q", "--depth=1", "--branch=topic", f"file://{tree}", "shallow")
    for arguments in (("HEAD~1",), ("one",), ("--merge-base", "one", "HEAD")):
        ran = envtree("-C", str(tmp_path / "shallow"), "diff", *arguments)
        assert (ran.code, ran.out) == (2, "")
        assert "this is a shallow clone: fetch more history" in ran.err


# Errors in the command line.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "there is nothing to compare with; name a revision or a folder"),
        (("nope",), "'nope' is neither a revision of the repository nor a folder; fetch it, or correct its name"),
        (("main", "nope"), "'nope' is neither a revision"),
        (("main..topic",), "'main..topic' names two revisions; write main topic"),
        (("main..",), "write main HEAD"),
        (("main...topic",), "write --merge-base main topic"),
        (("./nope",), "there is no folder './nope'"),
        (("--merge-base", "./tree"), "--merge-base compares two revisions"),
        (("HEAD:organization.yaml",), "is neither a revision"),
        (("--", "--output=x"), "'--output=x' is neither a revision"),
        (("--output=x",), "No such option"),
        (("main", "--select", "nope/**"), "'nope/**' selects no bundle of either tree"),
        (("main", "--select", "shop"), "'shop' selects no bundle of either tree; did you mean 'shop/**'?"),
        (("",), "the name of a revision or a folder is empty; is a variable of the shell not set?"),
        (("main", " "), "the name of a revision or a folder is empty"),
        (("--merge-base", "main", ""), "the name of a revision or a folder is empty"),
        (("main", "--protect", "**@prodution"), "selects no bundle of either tree; did you mean '**@production'?"),
        (("main", "--protect", "prodution:**"), "'prodution:**' selects no bundle of either tree"),
        (("main", "--input", "SHA=1"), "organization.yaml declares no input 'SHA'"),
        (("\udcff",), "a revision is text in UTF-8"),
        (("main", "--select", "\udcff"), "write selectors in UTF-8"),
        (("main", "topic", "one"), "unexpected extra argument"),
        (("main", "--saved", "organization.yaml"), "--saved recalls what was compared before"),
        (("--saved", "organization.yaml"), "'organization.yaml' is no answer of envtree diff"),
        (("--saved", "nope"), "does not exist"),
    ],
)
def test_a_wrong_command_line(
    arguments: tuple[str, ...], words: str, tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree)
    before = sorted(tree.iterdir())
    for extra, code in (((), 2), (("--detailed-exitcode",), 1)):
        ran = envtree("diff", *extra, *arguments)
        assert (ran.code, ran.out) == (code, ""), ran
        assert words in ran.err
        assert is_plain(ran)
    assert sorted(tree.iterdir()) == before


@pytest.mark.parametrize(
    "arguments", [(EVIL,), ("main", EVIL), ("main", "--select", EVIL), ("main", "--protect", EVIL)]
)
def test_what_the_command_line_says_is_words(arguments: tuple[str, ...], envtree: RunCommand) -> None:
    ran = envtree("diff", *arguments)
    assert ran.code == 2
    assert is_plain(ran)


# Exit codes.


@pytest.mark.parametrize(
    ("files", "arguments", "code", "detailed"),
    [
        ({}, (), 0, 0),
        ({PRODUCTION: QUIET}, (), 0, 2),
        ({BOT: None}, (), 0, 2),
        ({BOT: TREE[BOT] + "description: x\n"}, (), 0, 0),
        ({BOT: ERROR}, (), 1, 1),
        ({"organization.yaml": "name: acme\n"}, (), 1, 1),
        ({PRODUCTION: QUIET}, ("--protect", "**@production"), 1, 1),
        ({PRODUCTION: QUIET}, ("--protect", "production:**"), 1, 1),
        ({PRODUCTION: QUIET}, ("--protect", "production:shop/clerk"), 1, 1),
        ({PRODUCTION: QUIET}, ("--protect", "**@staging"), 0, 2),
        ({PRODUCTION: QUIET}, ("--select", "**@staging"), 0, 0),
        ({PRODUCTION: QUIET}, ("--select", "shop/cart/*", "--protect", "shop/clerk"), 0, 2),
        ({BOT: None}, ("--protect", "**@production"), 1, 1),
        ({}, ("--protect", "**@production"), 0, 0),
        ({"policies/p.yaml": "schema: {}\n"}, ("--protect", "**"), 0, 0),
    ],
)
def test_exit_codes(
    files: dict[str, str | None], arguments: tuple[str, ...], code: int, detailed: int, tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, {path: text for path, text in files.items() if text is not None})
    for path in [path for path, text in files.items() if text is None]:
        (tree / path).unlink()
    for form in ("text", "json", "markdown", "mermaid"):
        ran = envtree("diff", "main", *arguments, "--output-format", form)
        assert ran.code == code, ran
        assert envtree("diff", "main", *arguments, "--output-format", form, "--detailed-exitcode").code == detailed
        assert is_plain(ran)
        if form == "json":
            data = json.loads(ran.out)
            assert Schemas().is_valid("output/diff", data), Schemas().find_faults("output/diff", data)


def test_bundles_that_cannot_be_compared_count(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: ERROR})
    commit(tree)
    write_files(tree, {BOT: TREE[BOT]})
    ran = envtree("diff", "HEAD")
    assert (ran.code, ran.err) == (0, "2 bundles could not be compared; 1 of 3 bundles unaffected\n")
    assert ran.out.endswith(f"not compared, for errors in either tree\n  {BOT_ID}\n  {STAGING_ID}\n")
    assert envtree("diff", "HEAD", "--detailed-exitcode").code == 2
    gated = envtree("diff", "HEAD", "--protect", "production:**")
    assert gated.code == 1
    assert gated.err.endswith(f"1 protected bundle would change, the first '{BOT_ID}'\n")
    # If there are errors, a selector that matches nothing may be correct.
    assert envtree("diff", "HEAD", "--protect", "shop/cart/bat@production").code == 0


def test_errors_are_told_and_explained(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: ERROR})
    ran = envtree("diff", "main")
    assert ran.code == 1
    assert f"findings that are new\n{BOT}:2:3: error ET201: " in ran.out
    assert ran.err.endswith("the working tree has errors, which 'envtree check' explains\n")


def test_a_machine_at_fault(tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tree / "nowhere"))
    assert envtree("diff", "main").code == 3
    ran = envtree("diff", "main", "--detailed-exitcode")
    assert (ran.code, ran.out) == (1, "")
    assert "git is needed" in ran.err


def test_inputs_may_be_new(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"organization.yaml": INPUT})
    assert "SHA: (unknown)" in envtree("diff", "main").out
    ran = envtree("diff", "main", "--input", "SHA=1")
    assert ran.code == 0
    assert '+ env_vars.SHA: "1"' in ran.out
    assert "input SHA added" in ran.out


# Output.


def test_text_names_every_bundle_when_asked(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}execution_environment: {{env_vars: {{A: x}}}}\n"})
    write_files(tree, {"projects/shop/agents/other.yaml": "{}\n"})
    commit(tree)
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}execution_environment: {{env_vars: {{A: z}}}}\n"})
    short, long = (envtree("diff", "HEAD", *arguments).out.splitlines()[-1] for arguments in ((), ("-v",)))
    assert short == "    5 bundles: 3 in production, 2 in staging"
    assert long.strip().split(", ") == [
        BOT_ID, STAGING_ID, "shop/clerk@production", "shop/other@production", "shop/other@staging"
    ]  # fmt: skip


def test_colours_are_for_terminals(envtree: RunCommand) -> None:
    assert "\x1b" not in envtree("diff", "main", "topic").out
    lines = envtree("diff", "main", "topic", "--color", "always").out.splitlines()
    assert [line.startswith(hue) for line, hue in zip(lines, ("\x1b[1m", "\x1b[33m", "    s"), strict=True)] == [
        True
    ] * 3
    assert "\x1b" not in envtree("diff", "main", "topic", "--color", "always", "--output-format", "markdown").out


def test_programs_get_one_document(tree: Path, envtree: RunCommand) -> None:
    ran = envtree("diff", "main", "topic", "--output-format", "json", "--protect", "**@production")
    data = json.loads(ran.out)
    assert data["protected"] == [BOT_ID, "shop/clerk@production"]
    assert data["summary"] == {
        "bundles": 3, "changed": 2, "unchanged": 1, "added": 0, "removed": 0, "not_compared": 0
    }  # fmt: skip
    assert data["head"] == {"name": "topic", "commit": asked(tree, "rev-parse", "topic")}
    assert ran.err == f"2 protected bundles would change, the first '{BOT_ID}'\n"


def test_a_drawing(envtree: RunCommand) -> None:
    assert (
        envtree("diff", "main", "topic", "--output-format", "mermaid").out
        == f"""\
flowchart LR
  n1[["{PRODUCTION}"]]
  n2("shop/cart/bot")
  n3("shop/clerk")
  n4{{{{"production"}}}}
  n1 --> n2
  n2 --> n4
  n1 --> n3
  n3 --> n4
"""
    )


def test_what_was_saved_is_told_again(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    protect = ("--protect", "**@production")
    saved = tmp_path / "diff.json"
    saved.write_text(envtree("diff", "main", "topic", "--output-format", "json", *protect).out)
    shutil.rmtree(tree / ".git")
    for form in ("text", "json", "markdown", "mermaid"):
        ran = envtree("diff", "--saved", str(saved), "--output-format", form)
        assert ran.code == 1
        assert ran.err.endswith(f"2 protected bundles would change, the first '{BOT_ID}'\n")
    assert envtree("diff", "--saved", str(saved)).out == SAID
    assert envtree("diff", "--saved", str(saved), "--output-format", "json").out == saved.read_text()
    assert envtree("diff", "--saved", str(saved), "--protect", "shop/cart/bot@staging").code == 0


def test_what_files_say_is_words(tree: Path, envtree: RunCommand) -> None:
    evil = "::error::pwned\n  ::add-mask::e ##[error]x"
    section = {"config": {"::error::pwned ##[error]x": evil, "list": [evil, "x"]}, "env_vars": {"A": evil}}
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}execution_environment: {json.dumps(section)}\n"})
    for form in ("text", "json", "markdown", "mermaid"):
        ran = envtree("diff", "main", "--output-format", form)
        assert ran.code == 0
        assert form == "mermaid" or "pwned" in ran.out
        assert is_plain(ran), ran.out


def test_t88_nothing_that_the_repository_configures_runs(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    marker, program = tmp_path / "marker", tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\ncat\n")
    program.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "diff.external",
        "core.pager",
        "core.sshCommand",
        "diff.evil.textconv",
        "diff.evil.command",
    ):
        run(tree, "config", key, str(program))
    for key in ("filter.evil.smudge", "filter.evil.clean", "filter.evil.process", "alias.rev-parse", "alias.ls-tree"):
        run(tree, "config", key, f"!{program}" if key.startswith("alias") else str(program))
    (tree / ".git/info/attributes").write_text("* diff=evil filter=evil\n")
    (tree / ".gitattributes").write_text("* diff=evil filter=evil\n")
    marker.unlink(missing_ok=True)
    write_files(tree, {PRODUCTION: QUIET})
    assert envtree("diff", "main").out == SAID
    assert envtree("diff", "main", "topic").out == SAID
    assert envtree("diff", "--merge-base", "main", "topic").out == SAID
    assert envtree("check", "--changed-since", "main").code == 0
    assert not marker.exists()
