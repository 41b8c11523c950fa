"""`--output-format` and its earlier names, `--color` before the command, and the shorter forms of `check`."""

import io
import json
import sys
from pathlib import Path

import pytest

from envtree.frontend.schemas import Schemas
from tests.support.command_line import BOT, BOT_ID, ERROR, ORGANIZATION, RunCommand, write_files

EARLIER_NAMES = {
    ("check", "--output-format"): "--format",
    ("diff", "HEAD", "--output-format"): "--format",
    ("impact", "organization.yaml", "--output-format"): "--format",
    ("tree", "--output-format"): "--format",
    ("explain", BOT_ID, "--output-format"): "--format",
    ("unused", "--output-format"): "--format",
    ("matrix", "NAME", "--output-format"): "--format",
    ("secrets", "audit", "--output-format"): "--format",
    ("compile", "--secrets", "ref", "-o", "out", "--check", "--output-format"): "--messages",
}
AMBIGUOUS = "execution_environment:\n  config: {" + ", ".join(f"k{n}: 1{n % 10}:30" for n in range(30)) + "}\n"
MANY_INFOS = {"organization.yaml": ORGANIZATION + "lint: {ET150: info}\n", BOT: AMBIGUOUS}
OTHER = "projects/shop/agents/clerk.yaml"


class Terminal(io.TextIOWrapper):
    """A terminal that keeps what is written to it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("words", EARLIER_NAMES, ids=lambda words: words[0])
def test_the_earlier_name_of_the_option_does_the_same(tree: Path, envtree: RunCommand, words: tuple[str, ...]) -> None:
    *command, option = words
    assert envtree(*command, EARLIER_NAMES[words], "json") == envtree(*command, option, "json")


@pytest.mark.parametrize("words", EARLIER_NAMES, ids=lambda words: words[0])
def test_help_shows_the_new_name_only(tree: Path, envtree: RunCommand, words: tuple[str, ...]) -> None:
    group = words[:2] if words[0] == "secrets" else words[:1]
    lines = envtree(*group, "--help").out.splitlines()
    options = [line.split()[0] for line in lines if line.startswith("  --")]
    assert "--output-format" in options
    assert "--messages" not in options
    assert ("--format" in options) == (words[0] == "compile")
    assert "--color" not in options


def test_color_stands_before_the_command(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: ERROR})
    colored = envtree("--color", "always", "check").out
    assert "\x1b" in colored
    assert colored == envtree("check", "--color", "always").out
    assert "\x1b" not in envtree("--color", "always", "check", "--color", "never").out


def test_concise_is_one_line_for_each_finding(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: ERROR})
    data = json.loads(envtree("check", "--output-format", "json").out)
    lines = envtree("check", "--output-format", "concise").out.splitlines()
    assert [line.partition(": ")[0] for line in lines] == [
        f"{finding['path']}:{finding['line']}:{finding['column']}" for finding in data["findings"]
    ]


def test_quiet_prints_the_findings_only(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: ERROR})
    loud, quiet = envtree("check"), envtree("check", "-q")
    assert loud.err
    assert quiet == loud._replace(err="")


def test_statistics_count_the_findings_of_each_code(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, MANY_INFOS | {OTHER: "no_such_key: 1\n"})
    lines = envtree("check", "--statistics").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["30", "ET150"], ["1", "ET201"]]
    data = json.loads(envtree("check", "--statistics", "--output-format", "json").out)
    assert Schemas().is_valid("output/check", data)
    assert [(entry["code"], entry["count"], entry["severity"]) for entry in data["statistics"]] == [
        ("ET150", 30, "info"),
        ("ET201", 1, "error"),
    ]
    assert len(data["findings"]) == 31


def test_statistics_of_a_sound_tree_are_empty(tree: Path, envtree: RunCommand) -> None:
    assert envtree("check", "--statistics").out == ""


def test_statistics_have_no_other_form(tree: Path, envtree: RunCommand) -> None:
    result = envtree("check", "--statistics", "--output-format", "sarif")
    assert result.code == 2
    assert "--output-format text" in result.err


def test_a_terminal_gets_the_first_infos(tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tree, MANY_INFOS)
    everything = envtree("check", "--output-format", "concise").out
    assert everything.count("info ET150") == 30

    def shown(*words: str) -> str:
        buffer = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", Terminal(buffer, "utf-8", write_through=True))
        envtree("--color", "never", "check", *words)
        return buffer.getvalue().decode()

    assert shown().count("info ET150") == 20
    assert shown().endswith("and 10 more infos: --all\n")
    assert shown("--all").count("info ET150") == 30
