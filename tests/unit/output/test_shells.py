"""Variables that the formats for shells write make no shell run a program or lose a file; real shells are asked."""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from envtree.output.emit.formats import DIALECTS
from envtree.output.emit.shell_names import ACTED_ON, computed_reason, is_acted_on
from tests.support.programs import program
from tests.support.trees import CheckResult, run
from tests.support.waiting import PATIENCE
from tests.unit.output.test_formats import BASH_NAMES

# A command that lists the variables of each shell, with their attributes where it knows them.
LISTINGS = {
    "bash": "compgen -v; declare -p",
    "dash": "set",
    "zsh": "zmodload zsh/parameter; print -l ${(k)parameters}",
    "ksh": "typeset +p; set",
}
SHELLS = {"bash": ("--norc", "--noprofile"), "dash": (), "zsh": ("-f",), "ksh": ()}
# Reads the file, then does what makes a shell look at its variables: commands, prompts, a trace, a pipe, a failure.
SESSION = ". ./env.sh\n:\necho hi | cat\nset -x\n:\nset +x\nif true\nthen :\nfi\nno-such-program\n:\n"
# A shell writes to the files that these name, or empties them.
FILES = ("HISTFILE", "HISTFILESIZE", "HISTSIZE", "SAVEHIST")


def listed(shell: str, *, interactive: bool) -> str:
    # bash takes its long options first.
    command = [program(shell), *SHELLS[shell], *(("-i",) if interactive else ()), "-c", LISTINGS[shell]]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout


def names_of_shells() -> set[str]:
    """Every variable that a manual names or a shell has, interactive or not."""
    text = "\n".join(listed(shell, interactive=interactive) for shell in LISTINGS for interactive in (False, True))
    found = re.findall(r"(?m)^(?:declare -\S+ |typeset .*?)?([A-Za-z_][A-Za-z0-9_]*)(?==|$)", text)
    return {*BASH_NAMES.split(), *found, *ACTED_ON, "LD_PRELOAD", "DYLD_INSERT_LIBRARIES"}


def play(shell: str, folder: Path, names: Iterable[str], value: str, *, interactive: bool) -> None:
    """Source a file that sets the names in a session of a shell."""
    (folder / "env.sh").write_text("".join(f"export {name}='{value}'\n" for name in sorted(names)))
    command = [program(shell), *SHELLS[shell], "-i" if interactive else "-s"]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    subprocess.run(
        command,
        input=SESSION,
        text=True,
        cwd=folder,
        env=environ,
        capture_output=True,
        timeout=PATIENCE,
        start_new_session=True,
        check=False,
    )


def is_written(name: str) -> bool:
    return not computed_reason(name) and not is_acted_on(name)


@pytest.mark.parametrize("interactive", [False, True], ids=["plain", "interactive"])
@pytest.mark.parametrize("shell", SHELLS)
def test_t101_no_name_that_is_written_runs_a_program(shell: str, interactive: bool, tmp_path: Path) -> None:
    written = set(filter(is_written, names_of_shells()))
    assert {"HOME", "TZ", "LANG", "TERM"} & written
    canary = tmp_path / "canary"
    for value in (f"a[$(touch {canary})]", f"$(touch {canary})", f"`touch {canary}`", f"x;touch {canary}"):
        play(shell, tmp_path, written, value, interactive=interactive)
        assert not canary.exists(), value


RUN_BY_BASH = ("HISTCMD", "MAILCHECK", "OPTIND", "RANDOM", "SRANDOM", "PROMPT_COMMAND", "PS0", "PS1", "PS4")


@pytest.mark.parametrize("name", RUN_BY_BASH)
def test_t101_bash_runs_what_these_are_given(name: str, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    play("bash", tmp_path, [name], f"a[$(touch {canary})]", interactive=True)
    assert canary.exists()
    assert not is_written(name)


@pytest.mark.parametrize("interactive", [False, True], ids=["plain", "interactive"])
def test_t101_every_integer_of_bash_is_refused(interactive: bool) -> None:
    integers = set(re.findall(r"(?m)^declare -\w*i\w* (\w+)", listed("bash", interactive=interactive)))
    assert "BASHPID" in integers
    assert {name for name in integers if not computed_reason(name)} <= {"COMP_CWORD"}


@pytest.mark.parametrize("shell", SHELLS)
def test_t101_no_name_that_is_written_changes_a_file(shell: str, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    for value in (str(precious), "0"):
        precious.write_text("keep\nme\n" * 1000)
        written = set(filter(is_written, names_of_shells()))
        play(shell, tmp_path, written, value, interactive=True)
        assert precious.read_text() == "keep\nme\n" * 1000


def test_t101_bash_empties_the_file_that_histfile_names(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me\n")
    (tmp_path / "env.sh").write_text(f"export HISTFILE={precious} HISTFILESIZE=0\n")
    command = [program("bash"), *SHELLS["bash"], "-i"]
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    subprocess.run(command, input=SESSION, text=True, cwd=tmp_path, env=environ, capture_output=True, check=False)
    assert precious.read_text() != "keep me\n"
    assert not any(map(is_written, FILES))


FORMATS = sorted(name for name, dialect in DIALECTS.items() if dialect.is_read_by_shell)
NAMES = ("PATH", "BASH_ENV", "ENV", "IFS", "PS1", "PS4", "PROMPT_COMMAND", "LD_PRELOAD", *FILES)


def codes(result: CheckResult, code: str) -> list[str]:
    """The names for which a code is reported."""
    diagnostics = (finding.diagnostic for finding in result.outcome.findings)
    return sorted(diagnostic.key.rpartition(".")[2] for diagnostic in diagnostics if diagnostic.code == code)


@pytest.mark.parametrize("format", FORMATS)
def test_t101_names_on_which_a_shell_acts_are_refused_unless_they_are_allowed(format: str) -> None:
    variables = "".join(f"\n{name}: x # envtree: allow ET751: the image needs it" for name in NAMES)
    organization = f"output: {{formats: [{format}]}}"
    for text, refused in ((variables.replace("# envtree", "# not envtree"), sorted(NAMES)), (variables, [])):
        section = f"{{env_vars: {{ORDINARY: x,{text.replace(': x', ': x,')}\n}}}}"
        result = run("", "", "", section, organization=organization)
        assert codes(result, "ET803") == refused


def test_lint_allows_names_in_all_files() -> None:
    organization = "output: {formats: [bash]},\nlint: {ET751: 'off'}"
    assert codes(run("{env_vars: {PATH: x}}", organization=organization), "ET803") == []


def test_other_formats_take_the_names() -> None:
    organization = "output: {formats: [compose, docker, systemd, json-env]}"
    assert codes(run("{env_vars: {PATH: x}}", organization=organization), "ET803") == []


def test_one_place_that_is_not_allowed_is_enough() -> None:
    allowed = "{env_vars: {PATH: x, # envtree: allow ET751: meant\n}}"
    organization = "output: {formats: [bash]}"
    assert codes(run(allowed, "", "", "{env_vars: {PATH: y}}", organization=organization), "ET803") == ["PATH"]


def test_the_name_of_a_secret_is_refused_without_a_key() -> None:
    organization = "output: {formats: [bash]}"
    result = run("{secrets: {BASH_ENV: token}}", organization=organization, secrets={0: {"token": "x"}})
    assert codes(result, "ET803") == ["BASH_ENV"]
