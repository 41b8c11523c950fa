"""The command line in one process: answers and exit codes of every command."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pyrage
import pytest

from envtree import __version__
from envtree.cli import cli
from envtree.frontend.schemas import Schemas
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.system.console import should_color
from tests.support.command_line import BOT, BOT_ID, ERROR, INPUT, ORGANIZATION, TREE, WARNING, RunCommand, write_files

# The exit codes in all situations.

REF = ("--secrets", "ref", "-o", "{tmp}/out")
NO_AGENTS: dict[str, str | None] = {path: None for path in TREE if "/agents/" in path}
EXITS: list[tuple[str, dict[str, str | None], tuple[str, ...], int]] = [
    ("check passes", {}, ("check",), 0),
    ("a warning passes", {BOT: WARNING}, ("check",), 0),
    ("a warning under --strict", {BOT: WARNING}, ("check", "--strict"), 1),
    ("an error", {BOT: ERROR}, ("check",), 1),
    ("an error that was not selected", {BOT: ERROR}, ("check", "shop/clerk"), 1),
    ("no bundle", NO_AGENTS, ("check",), 1),
    ("no bundle, allowed", NO_AGENTS, ("check", "--allow-empty"), 0),
    ("a selector of nothing", {}, ("check", "shop"), 1),
    ("a selector of nothing, allowed", {}, ("check", "shop", "--allow-empty"), 0),
    ("an input unknown to check", {"organization.yaml": INPUT}, ("check",), 0),
    ("no tree", {"organization.yaml": None}, ("check",), 2),
    ("no such option", {}, ("check", "--frmat", "json"), 2),
    ("no such format", {}, ("check", "--output-format", "xml"), 2),
    ("no such command", {}, ("chekc",), 2),
    ("no such folder", {}, ("-C", "nowhere", "check"), 2),
    ("no command", {}, (), 2),
    ("an input that is no pair", {}, ("check", "--input", "SHA"), 2),
    ("an input that is not declared", {}, ("check", "--input", "SHA=1"), 2),
    ("an input that is declared", {"organization.yaml": INPUT}, ("compile", *REF, "--input", "SHA=1"), 0),
    ("compile without an input", {"organization.yaml": INPUT}, ("compile", *REF), 3),
    ("compile passes", {}, ("compile", *REF), 0),
    ("compile with a warning", {BOT: WARNING}, ("compile", *REF), 0),
    ("compile with a warning under --strict", {BOT: WARNING}, ("compile", *REF, "--strict"), 1),
    ("compile with an error", {BOT: ERROR}, ("compile", *REF), 1),
    ("compile --check without an output", {}, ("compile", *REF, "--check"), 4),
    ("compile of nothing", NO_AGENTS, ("compile", *REF), 1),
    ("compile into the tree's own folder", {}, ("compile", "--secrets", "ref", "-o", "{tmp}/tree/projects/x"), 1),
    ("compile into a file's place", {}, ("compile", "--secrets", "ref", "-o", "/dev/null/out"), 3),
    ("show passes", {}, ("show", BOT_ID), 0),
    ("show of a broken bundle", {BOT: ERROR}, ("show", BOT_ID), 1),
    ("show of a bundle beside a broken one", {BOT: ERROR}, ("show", "shop/clerk@production"), 0),
    ("show --reveal in a broken tree", {BOT: ERROR}, ("show", "shop/clerk@production", "--reveal", "--force"), 1),
    ("show --reveal without an input", {"organization.yaml": INPUT}, ("show", BOT_ID, "--reveal", "--force"), 3),
    ("show of no bundle", {}, ("show", "shop/cart/bot"), 2),
    ("tree passes", {}, ("tree",), 0),
    ("tree with an error", {BOT: ERROR}, ("tree",), 1),
    ("schema of no kind", {}, ("schema", "agnet"), 2),
    ("init over a tree", {}, ("init",), 1),
    ("completion of no shell", {}, ("completion", "csh"), 2),
    ("help", {}, ("--help",), 0),
    ("help of a command", {}, ("compile", "-h"), 0),
    ("version", {}, ("--version",), 0),
]


@pytest.mark.parametrize(("files", "arguments", "code"), [pytest.param(*row[1:], id=row[0]) for row in EXITS])
def test_exit_codes(
    files: dict[str, str | None],
    arguments: tuple[str, ...],
    code: int,
    tree: Path,
    envtree: RunCommand,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENVTREE_CEILING_DIRECTORIES", str(tree.parent))
    for path, content in files.items():
        if content is None:
            (tree / path).unlink()
        else:
            write_files(tree, {path: content})
    ran = envtree(*(argument.format(tmp=tree.parent) for argument in arguments))
    assert ran.code == code, ran
    assert "Traceback" not in ran.out + ran.err
    if code:
        assert ran.out + ran.err, "nothing was said"
        assert not (tree.parent / "out").exists()


@pytest.mark.parametrize(
    ("reason", "code", "words"),
    [
        (RefusedError("ET806", "no", "yes"), 1, "error ET806: no\n  hint: yes\n"),
        (MachineError("ET805", "no\x1b[2J"), 3, "error ET805: no\\x1b[2J\n"),
        (OSError(28, "hunter2"), 3, "error ET805: no space left on device\n  hint: ENVTREE_DEBUG=1 shows where\n"),
        (KeyboardInterrupt(), 130, ""),
        (BrokenPipeError(32, "hunter2"), 141, ""),
    ],
)
def test_what_stops_a_run(
    reason: BaseException, code: int, words: str, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    # test_cli_process.py tests the handling of stdout with a real pipe.
    monkeypatch.setattr("envtree.cli.support.exits._close_stdout", lambda: None)
    monkeypatch.setattr("envtree.cli.commands.check.check", raiser(reason))
    assert envtree("check") == (code, "", words)


STAGES = (
    *("discover", "parse", "validate", "link", "layer", "merge", "resolve"),
    *("bundle_lint", "assemble", "emit", "write"),
)


def raiser(error: BaseException) -> Callable[..., Any]:
    def raise_error(*_: object, **__: object) -> Any:
        raise error

    return raise_error


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("kind", [ValueError, RecursionError])
def test_a_bug_is_one_line_without_values(
    stage: str, kind: type[Exception], envtree: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = {
        "engine.by_project": ("discover",),
        "frontend.read_files": ("parse", "validate"),
        "engine.publish": ("emit", "write"),
    }
    module = next((name for name, stages in modules.items() if stage in stages), "engine.run")
    monkeypatch.setattr(f"envtree.{module}.{stage}", raiser(kind("hunter2")))
    ran = envtree("compile", "--secrets", "ref", "-o", str(tmp_path / "out"))
    assert (ran.code, ran.out) == (70, "")
    assert re.fullmatch(
        rf"envtree: internal error: {kind.__name__} at envtree\.[a-z_.]+:\d+, please report it\n", ran.err
    )
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_a_bug_is_traced_when_asked(envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVTREE_DEBUG", "1")
    monkeypatch.setattr("envtree.cli.commands.check.check", raiser(ValueError("what it was")))
    ran = envtree("check")
    assert ran.code == 70
    assert "ValueError: what it was" in ran.err


# Answers of the commands.


@pytest.mark.parametrize("files", [{}, {BOT: WARNING}, {BOT: ERROR}, {"organization.yaml": INPUT}])
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("check", ("check", "--output-format", "json")),
        ("check", ("compile", "--output-format", "json", "--secrets", "ref", "-o", "{tmp}/out")),
        ("check", ("compile", "--output-format", "json", "--secrets", "ref", "-o", "{tmp}/out", "--check")),
        ("show", ("show", BOT_ID, "--format", "json")),
        ("tree", ("tree", "--output-format", "json")),
    ],
)
def test_json_is_one_object_of_its_schema(
    name: str, arguments: tuple[str, ...], files: dict[str, str], tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, files)
    ran = envtree(*(argument.format(tmp=tree.parent) for argument in arguments))
    if not ran.out:
        assert ran.code == 1
        assert name in ("show", "tree")
        return
    data = json.loads(ran.out)
    assert Schemas().is_valid(f"output/{name}", data), Schemas().find_faults(f"output/{name}", data)
    assert list(data) == sorted(data)
    assert data["envtree"] == "1"


def test_check_tells_findings_on_stdout_and_the_rest_on_stderr(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: ERROR})
    ran = envtree("check")
    assert ran.out == (
        f"{BOT}:2:3: error ET201: 'env_var' is unknown\n"
        "  2 |   env_var: {A: x}\n"
        "    |   ^^^^^^^\n"
        "  hint: did you mean 'env_vars'?\n"
    )
    assert ran.err == "checked 1 of 3 bundles, errors spoil the others: 1 error (--fix may mend 1 file)\n"


def test_check_counts_what_it_could_not_check(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"organization.yaml": INPUT + "variables: {SHA: {pattern: '^[a-f0-9]+$'}}\n"})
    assert envtree("check").err.startswith("1 check needs a key or an input and was not made (-v lists them)\n")
    assert re.search(r"^\S+:\d+:\d+: not checked ET701: env_vars.SHA$", envtree("check", "-v").out, re.MULTILINE)


def test_github_is_the_form_in_a_workflow(tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tree, {BOT: ERROR})
    (tree.parent / ".git").mkdir()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setattr("envtree.sources.tree.DirectoryTree.ignored", lambda *_: frozenset())
    line = f"::error file=tree/{BOT},line=2,col=3,endLine=2,endColumn=10,title=envtree ET201::"
    for arguments in (("check",), ("compile", "--secrets", "ref", "-o", str(tree.parent / "out"))):
        assert envtree(*arguments).out.startswith(line)
    assert envtree("check", "--output-format", "text").out.startswith(BOT)


def test_compile_writes_compares_and_says_so(tree: Path, envtree: RunCommand) -> None:
    out = tree.parent / "out"
    arguments = ("compile", "--secrets", "ref", "-o", str(out))
    assert envtree(*arguments) == (0, "", f"wrote 3 bundles to '{out}'\n")
    assert envtree(*arguments, "--check") == (0, "", f"3 bundles in '{out}' are up to date\n")
    write_files(tree, {BOT: "description: another\nexecution_environment:\n  env_vars: {NAME: x}\n"})
    ran = envtree(*arguments, "--check", "**@staging")
    assert ran.code == 4
    assert ran.out.split() == [
        "manifest.json",
        "staging/shop/cart/bot/.env",
        "staging/shop/cart/bot/bundle.json",
    ]
    assert ran.err == f"3 files in '{out}' would change\n"
    data = json.loads(envtree(*arguments, "--check", "--output-format", "json").out)
    assert len(data["differences"]) == 5


def test_compile_leaves_the_output_alone_when_there_is_an_error(tree: Path, envtree: RunCommand) -> None:
    out = tree.parent / "out"
    envtree("compile", "--secrets", "ref", "-o", str(out))
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    write_files(tree, {BOT: ERROR})
    ran = envtree("compile", "--secrets", "ref", "-o", str(out))
    assert ran.out == ""
    assert ran.err.startswith(BOT)
    assert ran.err.endswith("wrote nothing: 1 error\n")
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_compile_has_its_defaults_from_the_organization(tree: Path, envtree: RunCommand) -> None:
    settings = "output: {directory: build/all, secrets: ref, formats: [bundle]}\n"
    write_files(tree, {"organization.yaml": ORGANIZATION + settings})
    assert envtree("compile").code == 0
    assert json.loads((tree / "build/all/manifest.json").read_text())["mode"] == "ref"
    assert not list(tree.rglob(".env"))
    assert envtree("compile", "--format", "compose").code == 0
    assert len(list(tree.rglob("build/**/.env"))) == 3


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        ("{directory: ../elsewhere}", 1, "lies outside the tree"),
        ("{directory: /tmp}", 1, "lies outside the tree"),
        ("{secrets: vault}", 2, "'vault'"),
    ],
)
def test_compile_refuses_some_defaults(settings: str, code: int, words: str, tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}output: {settings}\n"})
    ran = envtree("compile")
    assert ran.code == code
    assert words in ran.err


def test_a_folder_that_is_named_is_taken_whatever_the_default_is(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}output: {{directory: ../elsewhere}}\n"})
    assert envtree("compile", "-o", str(tree / "here")).code == 0


def test_compile_writes_into_out_by_default(tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    assert envtree("compile").err == "wrote 3 bundles to 'out'\n"
    assert (tree / "out/production/shop/clerk/.env").read_text() == 'LOG_LEVEL="info"\n'


def test_show_prints_the_bundle_that_compile_writes(tree: Path, envtree: RunCommand) -> None:
    envtree("compile", "-o", str(tree.parent / "out"))
    written = json.loads((tree.parent / "out/production/shop/cart/bot/bundle.json").read_text())
    assert json.loads(envtree("show", BOT_ID).out) == written | {"envtree": "1"}
    assert envtree("show", BOT_ID, "--format", "compose").out == 'LOG_LEVEL="info"\nNAME="bot"\n'


@pytest.mark.parametrize(
    "arguments", [("compile", "-o", "out"), ("show", BOT_ID, "--reveal", "--force", "--format", "compose")]
)
def test_what_env_cannot_carry_is_refused(
    tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (tree.parent / "age.key").write_text(str(identity := pyrage.x25519.Identity.generate()))
    secrets = tree / BOT.replace(".yaml", ".secrets.yaml")
    write_files(tree, {BOT: "execution_environment: {secrets: [NIL]}\n", str(secrets): 'NIL: "a\\0b"\n'})
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    subprocess.run(["sops", "encrypt", "--age", str(identity.to_public()), "-i", str(secrets)], check=True)
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(tree.parent / "age.key"))
    ran = envtree(*arguments)
    assert (ran.code, ran.out) == (1, "")
    assert f"{BOT}:1:35: error ET803: 'NIL' holds a character that no environment can carry" in ran.err
    assert f"'{BOT_ID}'" in ran.err
    assert not (tree / "out").exists()


def test_show_says_why_a_variable_is_left_out(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"organization.yaml": INPUT})
    output = envtree("show", "shop/clerk@production", "--format", "compose").out
    assert output == '# unknown, left out: SHA\nLOG_LEVEL="info"\n'


def test_show_knows_the_nearest_id(envtree: RunCommand) -> None:
    assert f"did you mean '{BOT_ID}'?" in envtree("show", "shop/cart/bot@producton").err
    assert f"name an environment too: {BOT_ID}" in envtree("show", "shop/cart/bot").err


def test_no_such_command_has_the_nearest_or_the_way_to_all(envtree: RunCommand) -> None:
    assert "there is no command 'chekc'; did you mean 'check'?" in envtree("chekc").err
    assert "there is no command 'zzz'; 'envtree --help' lists what there is" in envtree("zzz").err
    assert "there is no command 'secrets zzz'; 'envtree secrets --help' lists" in envtree("secrets", "zzz").err


def test_a_folder_behind_the_command_is_told_to_stand_before_it(envtree: RunCommand) -> None:
    for arguments in (("check", "-C", "."), ("secrets", "audit", "-C", "."), ("show", "-C", ".", BOT_ID)):
        ran = envtree(*arguments)
        assert (ran.code, ran.out) == (2, "")
        assert "-C stands before the command; write: envtree -C DIR" in ran.err


def test_show_tells_what_is_wrong_on_stderr(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {BOT: "execution_environment:\n  env_vars: {A: '${{ env_vars.B }}'}\n"})
    ran = envtree("show", BOT_ID)
    assert (ran.code, ran.out) == (1, "")
    assert f"'{BOT_ID}'" in ran.err
    assert envtree("show", "shop/clerk@production").err == ""


def test_tree_draws_the_organization(envtree: RunCommand) -> None:
    assert envtree("tree").out == (
        "acme (2 agents, 3 bundles)\n"
        "├── environments\n"
        "│   ├── base (abstract)\n"
        "│   ├── production (production): base < production\n"
        "│   └── staging (staging): base < staging\n"
        "└── shop/ SHOP (2 agents, 3 bundles; production, staging)\n"
        "    ├── clerk: production\n"
        "    └── cart/ (production, staging)\n"
        "        └── bot: production, staging\n"
    )


def test_tree_as_json(envtree: RunCommand) -> None:
    data = json.loads(envtree("tree", "--output-format", "json").out)
    (project,) = data["projects"]
    assert project["teams"][0]["agents"][0]["bundles"] == ["shop/cart/bot@production", "shop/cart/bot@staging"]
    assert project["agents"] == [{"name": "clerk", "targets": ["production"], "bundles": ["shop/clerk@production"]}]


# Help and colours.


def test_the_overview_fits_a_terminal(envtree: RunCommand) -> None:
    overview = envtree("--help").out
    assert overview.count("\n") <= 60
    assert "..." not in overview.replace("[ARGS]...", "")
    assert envtree("--version").out == f"envtree {__version__}\n"


# These need the control plane; tests/end_to_end/control_plane tests them.
CONTROL_PLANE_COMMANDS = {"kubiya"}


@pytest.mark.parametrize("name", cli.list_commands(click.Context(cli)))
def test_every_command_has_an_example_that_runs(
    name: str, envtree: RunCommand, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (example,) = re.findall(r"Example: (.*(?:\n  .*)*)", envtree(name, "--help").out)
    monkeypatch.chdir(tmp_path)
    words = shlex.split(re.sub(r"\s+", " ", example).replace('eval "$(', "").replace(')"', ""))
    arguments = words[1 : next((n for n, word in enumerate(words) if word in ("&&", "|", ">")), None)]
    if name in ("show", "run"):
        arguments[1:] = [BOT_ID, *(("--", "true") if name == "run" else ())]
    if name == "diff":
        arguments[1] = str(tree)
    if name == "unseal":
        assert envtree("compile", "--secrets", "ref", "-o", "out").code == 0
        arguments[1] = "out/production/shop/cart/bot"
    if name == "merge-manifests":
        for n in (1, 2):
            ran = envtree("compile", "--secrets", "ref", "--shard", f"{n}/2", "-o", arguments[n])
            assert ran.code == 0
    if name == "verify":
        assert envtree("compile", "--secrets", "ref", "--archive", arguments[1]).code == 0
    if name in CONTROL_PLANE_COMMANDS:
        ran = envtree(*arguments)
        assert (ran.code, "ET901" in ran.err) == (3, True)
        return
    assert envtree(*arguments).code == 0


@pytest.mark.parametrize(
    ("choice", "environ", "terminal", "expected"),
    [
        ("auto", {}, True, True),
        ("auto", {}, False, False),
        ("auto", {"NO_COLOR": "1"}, True, False),
        ("auto", {"NO_COLOR": ""}, True, True),
        ("auto", {"FORCE_COLOR": "1"}, False, True),
        ("auto", {"FORCE_COLOR": ""}, False, False),
        ("auto", {"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ("auto", {"CLICOLOR_FORCE": "1"}, False, True),
        ("auto", {"CLICOLOR_FORCE": "0"}, False, False),
        ("auto", {"TERM": "dumb"}, True, False),
        ("auto", {"TERM": "dumb", "FORCE_COLOR": "1"}, True, False),
        ("always", {"NO_COLOR": "1", "TERM": "dumb"}, False, True),
        ("never", {"FORCE_COLOR": "1"}, True, False),
    ],
)
def test_colour(choice: str, environ: dict[str, str], terminal: bool, expected: bool) -> None:
    class Stream:
        def isatty(self) -> bool:
            return terminal

    assert should_color(Stream(), choice, environ) is expected  # type: ignore[arg-type]


def test_colour_reaches_the_findings(tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(tree, {BOT: ERROR})
    assert "\x1b" in envtree("check", "--color", "always").out
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b" in envtree("check").out
    assert "\x1b" not in envtree("check", "--output-format", "json").out
    assert "\x1b" not in envtree("check", "--output-format", "github").out


def test_no_line_of_a_secrets_file_is_shown(tree: Path, envtree: RunCommand) -> None:
    write_files(tree, {"environments/production.secrets.yaml": "PASSWORD: hunter2\n"})
    os.symlink("../environments/production.secrets.yaml", tree / "environments/link.yaml")
    ran = envtree("check")
    assert "environments/production.secrets.yaml" in ran.out
    assert "environments/link.yaml" in ran.out
    assert "hunter2" not in ran.out + ran.err
