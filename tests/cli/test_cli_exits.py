"""The table of exit codes: each command, executed for each reason."""

from pathlib import Path

import click
import pytest

from envtree.cli import cli
from envtree.cli.support.exits import ExitCode
from tests.support.command_line import BOT, BOT_ID, ERROR, INPUT, WARNING, RunCommand, write_files

REF = ("compile", "--secrets", "ref", "-o", "{tmp}/out")
SHADOWED = "execution_environment:\n  env_vars: {NAME: x, LOG_LEVEL: debug}\n"
READERS = "people:\n  me: {age: age1t3kyy3y5sc0sxlu7s9jqu784vvv9udrn0242trjzcha38k7vudeqm68vhu}\nsecret_readers: [me]\n"

Words = tuple[str, ...]
Row = tuple[dict[str, str], tuple[Words, ...], Words, int]
# Files that are written first, commands that run first, and the command with its exit code.
ROWS: list[Row] = [
    # 0: fine, warnings included
    ({BOT: WARNING}, (), ("check",), 0),
    ({}, (), REF, 0),
    ({}, (), ("watch", "--once"), 0),
    ({}, (), ("show", BOT_ID), 0),
    ({}, (), ("get", BOT_ID, "NAME"), 0),
    ({}, (), ("list",), 0),
    ({}, (), ("explain", BOT_ID, "NAME"), 0),
    ({}, (), ("diff", "{tree}"), 0),
    ({}, (), ("tree",), 0),
    ({}, (), ("matrix", "NAME"), 0),
    ({}, (), ("impact", BOT), 0),
    ({}, (), ("parity", "staging", "production"), 0),
    ({}, (), ("unused",), 0),
    ({}, (), ("report", "-o", "{tmp}/page.html"), 0),
    ({}, (), ("run", BOT_ID, "--", "true"), 0),
    ({}, (REF,), ("verify", "{tmp}/out"), 0),
    ({}, (REF,), ("unseal", "{tmp}/out", "-o", "{tmp}/clear"), 0),
    ({}, (), ("secrets", "audit"), 0),
    ({}, (), ("secrets", "list"), 0),
    ({}, (), ("secrets", "readers"), 0),
    ({}, (), ("secrets", "install"), 0),
    ({}, (), ("cache", "clear"), 0),
    ({}, (), ("schema", "agent"), 0),
    ({}, (), ("code", "ET402"), 0),
    ({}, (), ("help",), 0),
    ({}, (), ("completion", "bash"), 0),
    ({}, (), ("init", "{tmp}/new"), 0),
    ({}, (), ("new", "environment", "qa"), 0),
    # 1: errors in the tree, or a gate that failed
    *(
        ({BOT: ERROR}, (), arguments, 1)
        for arguments in (
            *(("check",), REF, ("watch", "--once"), ("show", BOT_ID), ("get", BOT_ID, "NAME"), ("list",)),
            *(("explain", BOT_ID), ("tree",), ("matrix", "NAME"), ("impact", BOT), ("parity", "staging", "production")),
            *(("unused",), ("report", "-o", "{tmp}/page.html"), ("run", BOT_ID, "--", "true"), ("secrets", "audit")),
            *(
                ("secrets", "sync", "--check"),
                (*REF, "--check"),
                ("parity", "staging", "production", "--detailed-exitcode"),
            ),
        )
    ),
    ({BOT: WARNING}, (), ("check", "--strict"), 1),
    ({}, (), ("init", "{tree}"), 1),
    ({}, (), ("new", "environment", "production"), 1),
    ({}, (), ("diff", "{tmp}/base", "--protect", "**"), 1),
    # 3: the machine lacks something
    ({}, (), ("compile", "--secrets", "ref", "-o", "/dev/null/out"), 3),
    ({"organization.yaml": INPUT}, (), REF, 3),
    *(({}, (), ("kubiya", name), 3) for name in ("plan", "apply", "drift")),
    ({}, (), ("kubiya", "import", "{tmp}/imported"), 3),
    # 4: a difference
    ({}, (), (*REF, "--check"), 4),
    ({"organization.yaml": "name: acme\nedition: 2026\n" + READERS}, (), ("secrets", "sync", "--check"), 4),
    # --detailed-exitcode: 0, 2 and 1, as terraform has it
    ({}, (), ("diff", "{tree}", "--detailed-exitcode"), 0),
    ({}, (), ("diff", "{tmp}/base", "--detailed-exitcode"), 2),
    ({}, (), ("diff", "{tmp}/nowhere", "--detailed-exitcode"), 1),
    ({}, (), ("parity", "staging", "production", "--detailed-exitcode"), 2),
    ({}, (), ("parity", "staging", "nowhere", "--detailed-exitcode"), 1),
    ({}, (), ("kubiya", "plan", "--detailed-exitcode"), 1),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{' '.join(row[2])} {row[3]}")
def test_exit_codes(row: Row, tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    files, before, arguments, code = row

    def run(words: tuple[str, ...]) -> int:
        return envtree(*(word.format(tmp=tmp_path, tree=tree) if "{t" in word else word for word in words)).code

    if "{tmp}/base" in arguments:
        write_files(tmp_path / "base", {"organization.yaml": (tree / "organization.yaml").read_text()})
        write_files(tmp_path / "base", {"environments/production.yaml": "{}\n", "agents/other.yaml": "{}\n"})
    write_files(tree, files)
    for words in before:
        assert run(words) == 0
    assert run(arguments) == code


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    context = click.Context(group)
    names = [
        (*path, name, command)
        for name in (*group.list_commands(context), *group._hidden)  # type: ignore[attr-defined]
        if (command := group.get_command(context, name))
    ]
    return [
        found
        for *words, command in names
        for found in (_commands(command, tuple(words)) if isinstance(command, click.Group) else [tuple(words)])
    ]


@pytest.mark.parametrize("words", _commands(cli), ids=" ".join)
def test_an_unknown_option_is_usage(words: tuple[str, ...], envtree: RunCommand) -> None:
    ran = envtree(*words, "--no-such-option")
    assert (ran.code, ran.out) == (2, "")


def test_every_command_is_in_the_table() -> None:
    executed = {arguments[: 2 if arguments[0] in ("secrets", "kubiya", "cache") else 1] for *_, arguments, _ in ROWS}
    # Their successes need a key, a repository or two machines, and have tests of their own.
    elsewhere = {
        ("secrets", name) for name in ("init", "get", "set", "unset", "edit", "rotate", "merge-driver", "diff-driver")
    }
    hidden = {("plan",), ("apply",), ("drift",), ("merge-manifests",)}
    assert executed == set(_commands(cli)) - elsewhere - hidden


def test_the_codes_are_those_that_are_documented() -> None:
    text = (Path(__file__).parents[2] / "schema/README.md").read_text(encoding="utf-8")
    table = text.partition("| exit code | means |\n")[2].partition("\n\n")[0]
    documented = {int(number) for line in table.splitlines()[1:] for number in line.split("|")[1].split(",")}
    # A closed pipe ends every program so.
    assert documented == {int(code) for code in ExitCode} - {ExitCode.BROKEN_PIPE}
