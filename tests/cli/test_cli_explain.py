"""`envtree explain`: formats, exit codes and messages."""

import json
import re
import shutil
from pathlib import Path

import pytest

from envtree.frontend.schemas import Schemas
from tests.cli.test_cli_words import EVIL, is_plain
from tests.support.command_line import BOT, BOT_ID, ERROR, INPUT, ORGANIZATION, RunCommand, write_files

CLERK = "shop/clerk@production"


@pytest.mark.parametrize(
    ("files", "arguments", "code"),
    [
        ({}, (BOT_ID, "LOG_LEVEL"), 0),
        ({}, (BOT_ID,), 0),
        ({}, (BOT_ID, "--layers"), 0),
        ({BOT: ERROR}, (CLERK, "LOG_LEVEL"), 0),
        ({"organization.yaml": INPUT}, (BOT_ID, "SHA"), 0),
        ({BOT: ERROR}, (BOT_ID, "LOG_LEVEL"), 1),
        ({BOT: "execution_environment: {env_vars: {A: '${{ env_vars.B }}'}}\n"}, (BOT_ID, "LOG_LEVEL"), 1),
        ({}, ("shop/cart/bot", "LOG_LEVEL"), 2),
        ({}, (BOT_ID, "LOG_LVL"), 2),
        ({}, (BOT_ID, "LOG_LEVEL", "--layers"), 2),
        ({}, (), 2),
        ({}, (BOT_ID, EVIL), 2),
        ({}, (BOT_ID, "\udcff"), 2),
        ({}, (BOT_ID, "--input", "SHA=1"), 2),
    ],
)
def test_exit_codes(
    files: dict[str, str], arguments: tuple[str, ...], code: int, tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, files)
    for form in ("text", "json"):
        ran = envtree("explain", *arguments, "--output-format", form)
        assert ran.code == code, ran
        assert bool(ran.out) == (code == 0)
        assert bool(ran.err) == (code != 0)
        assert is_plain(ran)
        if code == 0 and form == "json":
            data = json.loads(ran.out)
            assert Schemas().is_valid("output/explain", data), Schemas().find_faults("output/explain", data)
            assert (data["envtree"], data["id"]) == ("1", arguments[0])


def test_the_layers_as_text(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: "execution_environment:\n  env_vars: {LOG_LEVEL: debug, NAME: '${{ agent.name }}'}\n"})
    assert envtree("explain", BOT_ID, "LOG_LEVEL").out == (
        f"""env_vars.LOG_LEVEL of {BOT_ID}: "debug"
    organization            absent    organization.yaml
    project shop            absent    projects/shop/project.yaml
    environment base        shadowed  environments/base.yaml:3:25                    "info"
    environment production  absent    environments/production.yaml
    team cart               absent    projects/shop/teams/cart/team.yaml
>   agent bot               set       projects/shop/teams/cart/agents/bot.yaml:2:25  "debug" (replace)
"""
    )
    assert envtree("explain", BOT_ID, "NAME").out.endswith(
        """reads
    agent.name  "bot"  projects/shop/teams/cart/agents/bot.yaml  agent bot
"""
    )


def test_the_winner_is_bold_and_the_losers_are_dim(tree: Path, envtree: RunCommand) -> None:
    lines = envtree("explain", BOT_ID, "LOG_LEVEL", "--color", "always").out.splitlines()
    assert [line[:4] for line in lines[1:]] == ["\x1b[2m", "\x1b[2m", "\x1b[1m", "\x1b[2m", "\x1b[2m", "\x1b[2m"]
    assert "\x1b" not in envtree("explain", BOT_ID, "LOG_LEVEL").out
    # The value of a shadowed layer is struck out, its location is not.
    write_files(tree, {BOT: "execution_environment: {env_vars: {LOG_LEVEL: trace}}\n"})
    lines = envtree("explain", BOT_ID, "LOG_LEVEL", "--color", "always").out.splitlines()
    shadowed = [line for line in lines if " shadowed " in line]
    assert shadowed
    assert all(re.search(r' \x1b\[9m"\w+"\x1b\[0m$', line) for line in shadowed), shadowed
    assert [line for line in lines if "\x1b[9m" in line] == shadowed


def test_the_order_for_people(envtree: RunCommand) -> None:
    assert envtree("explain", CLERK, "--layers").out == (
        """ 1  organization            organization.yaml
 2  project shop            projects/shop/project.yaml
 3  environment base        environments/base.yaml
 4  environment production  environments/production.yaml
 5  agent clerk             projects/shop/agents/clerk.yaml
"""
    )


def test_a_key_that_is_not_there(tree: Path, envtree: RunCommand) -> None:
    assert "did you mean 'env_vars.LOG_LEVEL'?" in envtree("explain", BOT_ID, "LOG_LEVL").err
    write_files(tree, {BOT: "execution_environment:\n  env_vars: {LOG_LEVEL: {$delete: true}}\n"})
    gone = "there is no 'env_vars.LOG_LEVEL' in this bundle; it is deleted at {}:2:25 (agent bot)"
    assert gone.format(BOT) in envtree("explain", BOT_ID, "LOG_LEVEL").err


def test_an_input_is_unknown_until_it_is_set(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"organization.yaml": INPUT})
    assert envtree("explain", BOT_ID, "SHA").out.startswith(f"env_vars.SHA of {BOT_ID}: (unknown)\n")
    assert envtree("explain", BOT_ID, "SHA", "--input", "SHA=1").out.startswith(f'env_vars.SHA of {BOT_ID}: "1"\n')


def test_what_a_file_says_is_words(tree: Path, envtree: RunCommand) -> None:
    # Unprintable characters are rejected in files.
    evil = "::error::pwned\n  ::add-mask::e ##[error]x"
    section = {"config": {"::error::pwned ##[error]x": evil, "list": [evil, evil]}, "env_vars": {"A": evil}}
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}execution_environment: {json.dumps(section)}\n"})
    assert envtree("check").code == 0
    for arguments in ((), ("A",), ("config",), ("config.list",), ("env_vars",)):
        for form in ("text", "json"):
            ran = envtree("explain", BOT_ID, *arguments, "--output-format", form)
            assert ran.code == 0
            assert "pwned" in ran.out
            assert is_plain(ran), ran.out


# schema/README.md shows a tree in YAML, and the output of explain for it.

PAGE = (Path(__file__).parents[2] / "schema/README.md").read_text(encoding="utf-8")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def test_the_example_of_the_language_reference(tree: Path, envtree: RunCommand) -> None:
    section = PAGE.partition("\n## Explain\n")[2].partition("\n## ")[0]
    files: dict[str, str] = {}
    count = 0
    shutil.rmtree(tree)
    for language, content in FENCE.findall(section):
        if language == "yaml":
            path = content.removeprefix("# ").partition("\n")[0]
            files[path] = content + (ORGANIZATION if path == "organization.yaml" else "")
        elif language == "console":
            write_files(tree, files)
            command, _, expected = content.removeprefix("$ envtree ").partition("\n")
            assert envtree(*command.split()).out == expected
            count += 1
    assert count == 3


def test_a_flattened_name_is_explained_and_laid_out(tree: Path, envtree: RunCommand) -> None:
    section = "output: {env: {config: CFG_}}\nexecution_environment: {config: {limits: {cpu: 2}}}\n"
    write_files(tree, {"organization.yaml": ORGANIZATION + section})
    ran = envtree("explain", CLERK, "CFG_LIMITS_CPU")
    assert ran.out.splitlines()[:3] == [
        f"config.limits.cpu of {CLERK}: 2",
        "in the environment it is CFG_LIMITS_CPU, by organization.yaml:4:24",
        ">   organization            set     organization.yaml:5:48           2",
    ]
    data = json.loads(envtree("explain", CLERK, "CFG_LIMITS_CPU", "--output-format", "json").out)
    assert data["variable"] == {
        "name": "CFG_LIMITS_CPU",
        "key": "config.limits.cpu",
        "path": "organization.yaml",
        "line": 4,
        "column": 24,
    }
    assert Schemas().is_valid("output/explain", data)
    ran = envtree("matrix", "CFG_LIMITS_CPU")
    assert ran.out.startswith("config.limits.cpu has 1 value in ")
    ran = envtree("matrix", "CFG_LIMITS_CPUS")
    assert "did you mean 'env_vars.CFG_LIMITS_CPU'?" in ran.err


def test_the_text_that_was_asked_for_is_told_to_its_end(tree: Path, envtree: RunCommand) -> None:
    text = "long " * 20 + "end"
    write_files(tree, {BOT: f"execution_environment: {{env_vars: {{A: {text}}}}}\n"})
    assert envtree("explain", BOT_ID, "A").out.splitlines()[0] == f'env_vars.A of {BOT_ID}: "{text}"'
