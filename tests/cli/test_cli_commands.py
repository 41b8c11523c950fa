"""The names of commands: groups of the help, hidden names, and words of other programs."""

import click
import pytest

from envtree.cli import cli
from tests.support.command_line import BOT_ID, RunCommand

CONTEXT = click.Context(cli, info_name="envtree")


def test_the_help_lists_every_command_under_a_heading(envtree: RunCommand) -> None:
    overview = envtree("--help").out
    headings = ["Write a tree:", "Check it:", "Ask it:", "Secrets:", "Hand bundles on:", "Kubiya:", "This program:"]
    assert [line for line in overview.splitlines() if line in headings] == headings
    assert all(f"\n  {name} " in overview for name in cli.list_commands(CONTEXT))


@pytest.mark.parametrize("name", ["plan", "apply", "drift"])
def test_earlier_names_of_kubiyas_commands_stay_hidden(name: str, envtree: RunCommand) -> None:
    assert name not in cli.list_commands(CONTEXT)
    for words in ((name,), ("kubiya", name)):
        ran = envtree(*words)
        assert (ran.code, "ET901" in ran.err) == (3, True), ran
    assert f"Example: envtree kubiya {name}" in " ".join(envtree(name, "--help").out.split())


@pytest.mark.parametrize("name", ["merge-driver", "diff-driver"])
def test_the_drivers_are_for_git(name: str, envtree: RunCommand) -> None:
    assert name not in envtree("secrets", "--help").out
    assert envtree("secrets", name, "--help").code == 0


def test_import_names_what_it_is_for(envtree: RunCommand) -> None:
    ran = envtree("import", "acme")
    assert (ran.code, ran.out) == (2, "")
    assert "envtree kubiya import" in ran.err


@pytest.mark.parametrize("names", [(), ("check",), ("secrets",), ("secrets", "set"), ("kubiya", "plan"), ("plan",)])
def test_help_is_the_help_of_the_command(names: tuple[str, ...], envtree: RunCommand) -> None:
    assert envtree("help", *names) == envtree(*names, "--help")


@pytest.mark.parametrize("names", [("chekc",), ("secrets", "sett"), ("check", "x")])
def test_help_for_what_is_no_command(names: tuple[str, ...], envtree: RunCommand) -> None:
    assert envtree("help", *names).code == 2


@pytest.mark.parametrize(
    ("words", "hint"),
    {
        ("lint",): "did you mean 'check'?",
        ("validate",): "did you mean 'check'?",
        ("render",): "did you mean 'compile'?",
        ("build",): "did you mean 'compile'?",
        ("dotenv",): "envtree show ID --format compose",
        ("env",): "envtree show ID --format compose",
        ("ls",): "did you mean 'list'?",
        ("show", BOT_ID, "--format", "dotenv"): "Did you mean 'compose'?",
        ("compile", "--format", "env"): "Did you mean 'compose'?",
        ("explain", "LOG_LEVEL"): "envtree matrix LOG_LEVEL",
    }.items(),
)
def test_the_words_of_other_programs_have_a_hint(words: tuple[str, ...], hint: str, envtree: RunCommand) -> None:
    ran = envtree(*words)
    assert (ran.code, ran.out, hint in ran.err) == (2, "", True), ran


@pytest.mark.parametrize("pattern", ["production", "@production"])
def test_an_environment_alone_is_no_selector(pattern: str, envtree: RunCommand) -> None:
    ran = envtree("check", pattern)
    assert (ran.code, "hint: did you mean '**@production'?" in ran.out) == (1, True)
