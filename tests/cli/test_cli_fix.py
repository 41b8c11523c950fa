"""`envtree check --fix`: it corrects files and reports the remaining findings; with --diff it only shows changes."""

import json
import re
from pathlib import Path

from tests.support.command_line import BOT, ORGANIZATION, RunCommand, write_files

WRONG = "execution_environment:\n  env_var:  # the usual ones\n    A: no   # not yet\n"
RIGHT = 'execution_environment:\n  env_vars:  # the usual ones\n    A: "no"   # not yet\n'


def test_it_mends_and_tells_what_is_left(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: WRONG, "projects/shop/agents/clerk.yaml": "targets: [nowhere]\n"})
    ran = envtree("check", "--fix")
    assert (tree / BOT).read_text() == RIGHT
    assert ran.code == 1
    assert "ET301" in ran.out
    assert ran.err.startswith("changed 1 file, checked 2 bundles of 1 agent: 1 error")
    assert envtree("check", "--fix").err.startswith("changed 0 files, ")


def test_with_diff_it_only_shows(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: WRONG})
    ran = envtree("check", "--fix", "--diff")
    assert (tree / BOT).read_text() == WRONG
    assert (ran.code, ran.err) == (1, "")
    assert [line for line in ran.out.splitlines() if line[:1] in "+-"] == [
        f"--- a/{BOT}",
        f"+++ b/{BOT}",
        "-  env_var:  # the usual ones",
        "-    A: no   # not yet",
        "+  env_vars:  # the usual ones",
        '+    A: "no"   # not yet',
    ]
    assert envtree("check", "--fix", "--diff", "--exit-zero").code == 0
    write_files(tree, {BOT: RIGHT})
    assert envtree("check", "--fix", "--diff") == (0, "", "nothing to mend: no errors\n")


def test_remarks_that_an_error_held_back_do_not_keep_it(tree: Path, envtree: RunCommand) -> None:
    write_files(
        tree,
        {BOT: WRONG, "organization.yaml": ORGANIZATION + "variables: {NOBODY: {}}\npeople: {ann: {github: ann}}\n"},
    )
    assert envtree("check").err.endswith("1 error, 1 warning (--fix may mend 1 file)\n")
    ran = envtree("check", "--fix")
    assert (ran.code, (tree / BOT).read_text()) == (0, RIGHT)
    assert {"ET353", "ET756"} <= set(re.findall(r"ET\d+", ran.out))


def test_programs_are_told_what_is_left(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: WRONG})
    ran = envtree("check", "--fix", "--output-format", "json")
    assert (ran.code, json.loads(ran.out)["findings"]) == (0, [])


def test_diff_alone_is_a_mistake(envtree: RunCommand) -> None:
    assert envtree("check", "--diff").code == 2
