"""The text of a path, an argument or a file is harmless in a terminal and a CI log (T73, T76, T89)."""

import json
import os
import re
from pathlib import Path

import pytest

from envtree.frontend.schemas import Schemas
from tests.support.command_line import BOT_ID, ERROR, INPUT, ORGANIZATION, CommandResult, RunCommand, write_files

EVIL = "a\n::error::pwned\n  ::add-mask::e\x1b[31m##[error]x\r\u202e"
COMMAND = re.compile(r"^\s*::|##\[", re.MULTILINE)
REF = ("--secrets", "ref", "-o", "{tmp}/out")


def is_plain(ran: CommandResult) -> bool:
    text = ran.out + ran.err
    return not COMMAND.search(text) and all(line.isprintable() for line in text.split("\n"))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("check", EVIL), 1),
        (("check", "--input", f"{EVIL}=1"), 2),
        (("check", f"--{EVIL}"), 2),
        (("check", "--format", EVIL), 2),
        (("compile", "--secrets", EVIL), 2),
        (("compile", "--secrets", "ref", "-o", f"{{tmp}}/{EVIL}"), 0),
        (("compile", "--secrets", "ref", "-o", f"{{tmp}}/{EVIL}", "--check"), 4),
        (("compile", "--secrets", "ref", "-o", f"/dev/null/{EVIL}"), 3),
        (("show", EVIL), 2),
        (("show", BOT_ID, EVIL), 2),
        (("schema", EVIL), 2),
        (("schema", "--export", f"{{tmp}}/{EVIL}"), 0),
        (("schema", "--export", f"/dev/null/{EVIL}"), 3),
        (("completion", EVIL), 2),
        (("init", f"{{tmp}}/{EVIL}"), 0),
        (("init", f"/dev/null/{EVIL}"), 3),
        ((EVIL,), 2),
        (("-C", EVIL, "check"), 2),
    ],
)
def test_an_argument_is_words(arguments: tuple[str, ...], code: int, tmp_path: Path, envtree: RunCommand) -> None:
    ran = envtree(*(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert ran.code == code, ran
    assert "pwned" in ran.out + ran.err
    assert is_plain(ran), ran
    if "init" in arguments and code == 0:
        assert is_plain(envtree(*(argument.replace("{tmp}", str(tmp_path)) for argument in arguments)))


@pytest.mark.parametrize("arguments", [("check",), ("show", "x"), ("tree",), ("compile",)])
def test_the_way_to_no_tree_is_words(arguments: tuple[str, ...], tmp_path: Path, envtree: RunCommand) -> None:
    (tmp_path / EVIL / ".git").mkdir(parents=True)
    ran = envtree("-C", str(tmp_path / EVIL), *arguments)
    assert ran.code == 2
    assert "pwned" in ran.err
    assert is_plain(ran)


@pytest.mark.parametrize("name", ["x\\n::error::pwned\\e[31m", "::error::pwned"])
def test_an_output_folder_is_words(name: str, tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tree, {"organization.yaml": f'{ORGANIZATION}output: {{directory: "{name}", secrets: ref}}\n'})
    monkeypatch.chdir(tree)
    for arguments in (("compile", "--check"), ("compile",), ("compile", "--check"), ("compile", "--strict")):
        ran = envtree(*arguments)
        assert "pwned" in ran.err
        assert is_plain(ran), ran


def test_a_committed_manifest_is_words(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    arguments = [argument.format(tmp=tmp_path) for argument in ("compile", *REF)]
    assert envtree(*arguments).code == 0
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    receipt = manifest["bundles"][BOT_ID]
    receipt["files"] |= {
        "::error::pwned": {"sha256": "0", "size": 1},
        "b\n::error::pwned\x1b[31m": {"sha256": "0", "size": 1},
    }
    (tmp_path / "out/manifest.json").write_text(json.dumps(manifest))
    ran = envtree(*arguments, "--check")
    assert ran.code == 4
    assert "pwned" in ran.out
    assert is_plain(ran), ran


# Bytes that are not UTF-8.


@pytest.mark.parametrize("arguments", [("check",), ("compile", *REF), ("show", BOT_ID)])
def test_an_input_is_utf_8(
    arguments: tuple[str, ...], tree: Path, tmp_path: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_files(tree, {"organization.yaml": INPUT})
    words = [argument.format(tmp=tmp_path) for argument in arguments]
    ran = envtree(*words, "--input", os.fsdecode(b"SHA=a\xffb"))
    assert ran.code == 2
    assert "UTF-8" in ran.err
    monkeypatch.setenv("OTHER", os.fsdecode(b"\xff"))
    monkeypatch.setenv("SHA", "é")
    assert envtree(*words).code == 0
    monkeypatch.setenv("SHA", os.fsdecode(b"\xff"))
    ran = envtree(*words)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        "error ET509: the environment variable 'SHA', which an input reads, is not UTF-8\n  hint: correct its value\n"
    )


@pytest.mark.parametrize("arguments", [("check",), ("compile", *REF), ("show",)])
def test_a_selector_is_utf_8(arguments: tuple[str, ...], tmp_path: Path, envtree: RunCommand) -> None:
    ran = envtree(*(argument.format(tmp=tmp_path) for argument in arguments), os.fsdecode(b"\xff"))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.isascii()


# Machine-readable output is complete in all cases except usage errors.

CHECK = ("check", "--output-format", "json")
COMPILE = ("compile", "--output-format", "json", "--secrets", "ref", "-o", "{tmp}/out")


@pytest.mark.parametrize("arguments", [CHECK, COMPILE, (*COMPILE, "--check")])
def test_json_is_there_when_the_tree_is_another_users(
    arguments: tuple[str, ...], tmp_path: Path, tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    monkeypatch.setattr(Path, "lstat", lambda _: os.stat_result((0o100644, 0, 0, 1, 1234, 0, 0, 0, 0, 0)))
    ran = envtree(*(argument.format(tmp=tmp_path) for argument in arguments))
    assert ran.code == 3
    data = json.loads(ran.out)
    assert Schemas().is_valid("output/check", data)
    assert [finding["code"] for finding in data["findings"]] == ["ET805"]
    assert "belongs to another user" in data["findings"][0]["message"]
    assert "belongs to another user" in ran.err


@pytest.mark.parametrize("arguments", [CHECK, COMPILE])
def test_json_is_not_there_when_the_command_line_is_wrong(
    arguments: tuple[str, ...], tmp_path: Path, tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [argument.format(tmp=tmp_path) for argument in arguments]
    ran = envtree(*words, "--input", "NO=1")
    assert (ran.code, ran.out) == (2, "")
    monkeypatch.setenv("ENVTREE_CEILING_DIRECTORIES", str(tree))
    (tree / "organization.yaml").unlink()
    ran = envtree(*words)
    assert (ran.code, ran.out) == (2, "")
    assert "no 'organization.yaml'" in ran.err
    help_text = re.sub(r"\s+", " ", envtree(arguments[0], "--help").out)
    assert f"{words[1]} json, stdout is always one JSON object, except after a usage error." in help_text


@pytest.mark.parametrize("arguments", [("show", BOT_ID), ("show", BOT_ID, "--reveal", "--force")])
def test_stdout_is_the_answer_or_nothing(arguments: tuple[str, ...], tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"projects/shop/teams/cart/agents/bot.yaml": ERROR})
    ran = envtree(*arguments)
    assert (ran.code, ran.out) == (1, "")
    assert "error ET201" in ran.err
