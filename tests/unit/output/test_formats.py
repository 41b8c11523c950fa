"""Each reader gets every value unchanged from its format; a value that it would change is refused."""

import base64
import json
import re
import subprocess
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
import pytest
import yaml

from envtree.cli.compile import command as compile_command
from envtree.cli.show import command as show_command
from envtree.frontend.schemas import Schemas
from envtree.model.formats import FORMAT_NAMES, FORMATS, STDOUT_FORMATS
from envtree.output.emit.dialect import Dialect, WriterInput
from envtree.output.emit.formats import DIALECTS, github
from tests.support import env_readers, programs
from tests.support.env_readers import READERS, Reader, RejectedError
from tests.support.github_runner import log_commands
from tests.support.hostile_text import hostile_values

TARGET = {"id": "p/t/a@e", "project": "p", "team": "t", "agent": "a", "environment": "e"}
PAIRS = [(format, reader) for format in READERS for reader in READERS[format]]
IDS = [f"{format}-{getattr(reader, '__name__', reader)}" for format, reader in PAIRS]
BATCH = 500


def writer_input(texts: dict[str, str], **fields: object) -> WriterInput:
    return WriterInput(**{"texts": dict(sorted(texts.items())), "data": TARGET, **fields})  # type: ignore[arg-type]


def file(format: str, texts: dict[str, str], **fields: object) -> bytes:
    """Return the first file of a format."""
    return DIALECTS[format].file_writers[0](writer_input(texts, **fields))


def rejection_reason(dialect: Dialect, name: str, text: str) -> str:
    return dialect.rejection_reason(name, text) if dialect.rejection_reason else ""


def differences(format: str, reader: Reader, folder: Path, seed: int, count: int) -> list[tuple[str, str | None]]:
    """Return the values that a reader gets wrong, of those that the format accepts."""
    dialect = DIALECTS[format]
    texts = {f"V{n}": text for n, text in enumerate(hostile_values(seed, count))}
    accepted = {name: text for name, text in texts.items() if not rejection_reason(dialect, name, text)}
    assert len(accepted) > count / 20
    read = reader(file(format, accepted, references={"TOKEN": {}}, unknown_names=("SHA",)), folder)
    assert "TOKEN" not in read
    return [(text, read.get(name)) for name, text in accepted.items() if read.get(name) != text]


@pytest.mark.parametrize(("format", "reader"), PAIRS, ids=IDS)
def test_a_reader_gets_what_was_written(format: str, reader: Reader, tmp_path: Path) -> None:
    assert differences(format, reader, tmp_path, 0, 300) == []


@pytest.mark.full
@pytest.mark.parametrize(("format", "reader"), PAIRS, ids=IDS)
def test_a_reader_gets_what_was_written_twenty_thousand_times(format: str, reader: Reader, tmp_path: Path) -> None:
    for seed in range(1, 20_000 // BATCH + 1):
        assert differences(format, reader, tmp_path, seed, BATCH) == []


# Readers would change the values that are refused.


def spellings(format: str, name: str, text: str) -> Iterator[bytes]:
    """Yield the possible lines for a value in a dialect."""
    quotes = ("", "'", "`", '"') if format in ("node", "npm-dotenv") else ("",)
    if format.startswith("github"):
        yield f"{name}<<MARK\n{text}\nMARK\n".encode()
    else:
        yield from (f"{name}={quote}{text}{quote}\n".encode() for quote in quotes)


def keeps(reader: Reader, data: bytes, name: str, text: str, folder: Path) -> bool:
    try:
        return reader(data, folder).get(name) == text
    except RejectedError:
        return False


def on_windows(data: bytes, _: Path) -> dict[str, str]:
    return env_readers.github_pairs(data.decode(), windows=True)


PICKY = ["docker", "systemd", "node", "npm-dotenv", "github-env", "github-output", "gitlab", "portable"]


@pytest.mark.parametrize("format", PICKY)
def test_a_reader_would_change_a_refused_value(format: str, tmp_path: Path) -> None:
    dialect = DIALECTS[format]
    rejected = [text for text in hostile_values(7, 2000) if rejection_reason(dialect, "V", text)]
    # Bash does not expand a tilde that is no user's home, but that depends on the machine.
    samples = [text for text in rejected if "~" not in text][:6]
    assert len(samples) == 6
    dialect_readers: Sequence[Reader] = (on_windows,)
    if not format.startswith("github"):
        dialect_readers = READERS[format] if format == "portable" else READERS[format][:1]
    for text in samples:
        for data in spellings(format, "V", text):
            assert not all(keeps(reader, data, "V", text, tmp_path) for reader in dialect_readers), repr(text)


@pytest.mark.parametrize(("format", "text"), [("node", "'`\"#\r"), ("npm-dotenv", "'`\"#\\\r"), ("github-env", "x\r")])
def test_the_reason_is_the_actual_one(format: str, text: str) -> None:
    assert "carriage return" in rejection_reason(DIALECTS[format], "V", text)
    assert "carriage return" not in rejection_reason(DIALECTS[format], "V", text.replace("\r", ""))


def test_reasons_of_portable() -> None:
    reasons = {
        text: rejection_reason(DIALECTS["portable"], "V", text) for text in ("x y", "\xa0x", "x\ufeff", "x", "é")
    }
    assert [reason.split(" ")[-1] for reason in reasons.values()] == ["'$'", "blank", "blank", "", ""]
    assert reasons["\xa0x"] == "its value begins or ends with a blank"


@pytest.mark.parametrize(("excess", "count"), [("", 0), ("x", 1)])
def test_the_outputs_of_a_job_may_be_full_and_no_more(excess: str, count: int) -> None:
    env = writer_input({"V": "x" * (512 * 1024) + excess})
    assert len(list(DIALECTS["github-output"].check_size(env, ()))) == count


@pytest.mark.parametrize(
    ("format", "texts", "excerpts"),
    [
        ("gitlab", {"A": "x" * (5119 - len("A=\n"))}, []),
        ("gitlab", {"A": "x" * (5120 - len("A=\n"))}, ["less than 5120"]),
        ("gitlab", {f"A{n}": "x" for n in range(20)}, []),
        ("gitlab", {f"A{n}": "x" for n in range(21)}, ["takes 20 "]),
        ("k8s", {"A": "x" * (256 * 1024)}, []),
        ("k8s", {"A": "x" * (256 * 1024 + 1)}, ["takes 262144"]),
        ("k8s", {"A": "x" * (1024 * 1024)}, ["takes 262144"]),
        ("k8s", {"A": "x" * (1024 * 1024 + 1)}, ["takes 1048576"]),
    ],
)
def test_size_limits(format: str, texts: dict[str, str], excerpts: list[str]) -> None:
    dialect, env = DIALECTS[format], writer_input(texts)
    files = tuple(write(env) for write in dialect.file_writers)
    messages = [limit.message for limit in dialect.check_size(env, files)]
    assert len(messages) == len(excerpts)
    assert all(excerpt in message for excerpt, message in zip(excerpts, messages, strict=True))


@pytest.mark.parametrize("around", [" %s", "%s ", "\ufeff%s", "%s\ufeff", "'%s", "%s#", "%s\n", "%s"])
def test_node_keeps_no_blank_around_a_text_without_quotes(around: str) -> None:
    text = around % "a'`\"\\"
    assert bool(rejection_reason(DIALECTS["node"], "V", text)) == (around != "%s")


@pytest.mark.parametrize("name", ["NODE_OPTIONS", "GITHUB_SHA", "RUNNER_OS"])
def test_names_that_the_runner_of_github_reserves(name: str) -> None:
    assert rejection_reason(DIALECTS["github-env"], name, "x") == "the runner does not let this name be set"
    assert not rejection_reason(DIALECTS["github-output"], name, "x")


# Every variable of bash in its manual, and those that `compgen -v` adds.
BASH_NAMES = """
    _ BASH BASHOPTS BASHPID BASH_ALIASES BASH_ARGC BASH_ARGV BASH_ARGV0 BASH_CMDS BASH_COMMAND BASH_COMPAT BASH_ENV
    BASH_EXECUTION_STRING BASH_LINENO BASH_LOADABLES_PATH BASH_MONOSECONDS BASH_REMATCH BASH_SOURCE BASH_SUBSHELL
    BASH_TRAPSIG BASH_VERSINFO BASH_VERSION BASH_XTRACEFD CHILD_MAX COLUMNS COMPREPLY COMP_CWORD COMP_KEY COMP_LINE
    COMP_POINT COMP_TYPE COMP_WORDBREAKS COMP_WORDS COPROC DIRSTACK EMACS ENV EPOCHREALTIME EPOCHSECONDS EUID EXECIGNORE
    FCEDIT FIGNORE FUNCNAME FUNCNEST GLOBIGNORE GLOBSORT GROUPS HISTCMD HISTCONTROL HISTFILE HISTFILESIZE HISTIGNORE
    HISTSIZE HISTTIMEFORMAT HOME HOSTFILE HOSTNAME HOSTTYPE IFS IGNOREEOF INPUTRC INSIDE_EMACS LANG LINENO LINES
    MACHTYPE MAIL MAILCHECK MAILPATH MAPFILE OLDPWD OPTARG OPTERR OPTIND OSTYPE PATH PIPESTATUS POSIXLY_CORRECT PPID
    PROMPT_COMMAND PROMPT_DIRTRIM PS0 PS1 PS2 PS3 PS4 PWD RANDOM READLINE_ARGUMENT READLINE_LINE READLINE_MARK
    READLINE_POINT REPLY SECONDS SHELL SHELLOPTS SHLVL SRANDOM TEXTDOMAIN TEXTDOMAINDIR TIMEFORMAT TMOUT TMPDIR TZ UID
    auto_resume histchars
"""


def test_names_that_a_shell_changes_are_refused(tmp_path: Path) -> None:
    listed = env_readers.run(tmp_path, "bash", "-c", "compgen -v").decode().split()
    names = sorted({*BASH_NAMES.split(), *listed})
    value = "a b"
    lines = [f"(export {name}='{value}'; printf '%s\\0' \"{name}=$(/usr/bin/printenv {name})\")\n" for name in names]
    values: dict[str, set[str]] = {name: set() for name in names}
    for shell in ("bash", "dash"):
        (tmp_path / "names.sh").write_text("".join(lines))
        command = [programs.program(shell), "names.sh"]
        printed = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).stdout
        pairs = dict(pair.split("=", 1) for pair in printed.decode().split("\0") if pair)
        for name in names:
            values[name].add(pairs.get(name, "not set"))
    changed = {name for name, read in values.items() if read != {value}}
    assert {name for name in names if rejection_reason(DIALECTS["bash"], name, value)} == changed | {"MAILCHECK"}


def test_no_value_runs_anything(tmp_path: Path) -> None:
    """No value runs a program when the file is sourced or evaluated; it would create the canary file."""
    canary = tmp_path / "canary"
    run = f"touch {canary}"
    texts = [f"$({run})", f"`{run}`", f"';{run};'", f'";{run};"', f"\n{run}\n", f"a[$({run})]", f"& {run}", f"|{run}"]
    around = (("'", "'"), ('"', '"'), ("\\", "\\"), ("'\\", ""))
    texts += [f"{left}{text}{right}" for text in texts for left, right in around]
    names = [*BASH_NAMES.split(), *(f"V{n}" for n in range(len(texts)))]
    for n, text in enumerate(texts):
        allowed = {name: text for name in names if not rejection_reason(DIALECTS["bash"], name, text)}
        # Setting PATH would only prevent `touch` from being found.
        allowed.pop("PATH", None)
        data = file("bash", allowed if n % 5 == 0 else {f"V{n}": text})
        for shell in ("bash", "dash"):
            for script in (". ./env.sh", 'eval "$(cat env.sh)"'):
                (tmp_path / "env.sh").write_bytes(data)
                subprocess.run([programs.program(shell), "-c", script], cwd=tmp_path, capture_output=True, check=False)
        if n < 8:
            env_readers.direnv(file("bash", {"V": text}), tmp_path)
            assert env_readers.compose(file("compose", {"V": text}), tmp_path) == {"V": text}
    assert not canary.exists()


def test_bash_runs_values_of_names_that_it_evaluates_as_arithmetic(tmp_path: Path) -> None:
    """These names are refused, because quoting does not help."""
    for name in ("HISTCMD", "OPTIND", "RANDOM", "SRANDOM"):
        canary = tmp_path / name
        (tmp_path / "env.sh").write_text(f"export {name}='a[$(touch {canary})]'\n")
        subprocess.run([programs.program("bash"), "-c", ". ./env.sh"], cwd=tmp_path, capture_output=True, check=False)
        assert canary.exists()
        assert "calculates" in rejection_reason(DIALECTS["bash"], name, "1")


@pytest.mark.parametrize("reader", [env_readers.docker, env_readers.kubectl])
def test_the_longest_line_of_docker(reader: Reader, tmp_path: Path) -> None:
    fits = "x" * (64 * 1024 - len("V=\n"))
    assert not rejection_reason(DIALECTS["docker"], "V", fits)
    assert reader(file("docker", {"V": fits}), tmp_path) == {"V": fits}
    assert rejection_reason(DIALECTS["docker"], "V", fits + "x") == "its line is longer than 65535 bytes"
    assert not keeps(reader, f"V={fits}x\n".encode(), "V", f"{fits}x", tmp_path)


# Texts that YAML readers may take for another type.

SCALARS = [
    *("1e3", "0o17", "08", "no", "NO", "y", "n", "on", "~", "null", "true", "2026-11-24", "12:30", "1_000", "0x1F"),
    *(
        ".inf",
        "",
        " ",
        "1.10",
        "+1",
        "-",
        "- a",
        "a: b",
        "#",
        "&a",
        "*a",
        "!!int 1",
        "%",
        "@",
        "`",
        "|",
        ">",
        "=",
        "<<",
    ),
    *("---", "\x85", "a\x85b", "\u2028", "\ufeff", "\t", "\n", "\r\n", "\x1b", "\x7f", "\xa0", "😀", "\U000e0041"),
    *("'", '"', "\\"),
]


@pytest.mark.parametrize("reader", [env_readers.py_yaml, env_readers.npm_yaml, env_readers.kubectl_yaml])
def test_t06_every_text_is_a_text_again_after_yaml(reader: Reader, tmp_path: Path) -> None:
    names = ["NO", "Y", "ON", "TRUE", "NULL", "_", "E", "null", "true", "false", "yes", "no", "on", "off"]
    names += [f"V{n}" for n in range(len(SCALARS) - len(names))]
    texts = dict(zip(names, SCALARS, strict=True))
    assert reader(file("yaml", texts), tmp_path) == texts


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_t06_every_text_is_a_text_again_after_the_objects_of_kubernetes(version: str, tmp_path: Path) -> None:
    texts = {f"V{n}": text for n, text in enumerate(SCALARS)}
    data = file("k8s", texts, secret_names=frozenset(list(texts)[::2]))
    assert env_readers.k8s(data, tmp_path) == texts
    parsed = list(yaml.safe_load_all(data))
    assert parsed == env_readers.npm_yaml_documents(data, tmp_path, version)
    config, secret = parsed
    decoded = {name: base64.b64decode(encoded).decode() for name, encoded in secret["data"].items()}
    assert config["data"] | decoded == texts


# The syntax of each format.

TEXTS = {"B": "two 'words'", "A": "$x", "TOKEN": "s3cret"}
FORMS = {
    "compose": 'A="\\$x"\nB="two \'words\'"\nTOKEN="s3cret"\n',
    "docker": "A=$x\nB=two 'words'\nTOKEN=s3cret\n",
    "bash": "export A='$x'\nexport B='two '\\''words'\\'''\nexport TOKEN='s3cret'\n",
    "systemd": 'A="\\$x"\nB="two \'words\'"\nTOKEN="s3cret"\n',
    "python-dotenv": 'A="$x"\nB="two \'words\'"\nTOKEN="s3cret"\n',
    "node": "A='$x'\nB=`two 'words'`\nTOKEN='s3cret'\n",
    "npm-dotenv": "A='$x'\nB=`two 'words'`\nTOKEN='s3cret'\n",
    "gitlab": "A=$x\nB=two 'words'\nTOKEN=s3cret\n",
    "portable": "A=$x\nB=two 'words'\nTOKEN=s3cret\n",
    "json-env": '{\n  "A": "$x",\n  "B": "two \'words\'",\n  "TOKEN": "s3cret"\n}\n',
    "yaml": '"A": "$x"\n"B": "two \'words\'"\n"TOKEN": "s3cret"\n',
}
# A trailing backslash, which would escape the closing quote.
LAST = {
    "python-dotenv": 'A="\\\\${:-}"\n',
    "compose": 'A="\\\\"\n',
    "systemd": 'A="\\\\"\n',
    "bash": "export A='\\'\n",
    "node": "A='\\'\n",
    "npm-dotenv": "A=\\\n",
}
# Formats without comments, or in which a further name would be a further variable.
SILENT = {"github-env", "github-output", "gitlab", "portable", "json-env", "terraform"}


@pytest.mark.parametrize("format", FORMS)
def test_form(format: str) -> None:
    assert file(format, TEXTS).decode() == FORMS[format]


@pytest.mark.parametrize("format", LAST)
def test_a_backslash_at_the_end(format: str) -> None:
    assert file(format, {"A": "\\"}).decode() == LAST[format]


@pytest.mark.parametrize("format", sorted(DIALECTS))
def test_omitted_names_are_listed_in_comments(format: str) -> None:
    data = file(format, {"A": "1"}, references={"Z": {}, "TOKEN": {}}, unknown_names=("SHA",)).decode()
    if format == "k8s":
        assert yaml.safe_load(data)["metadata"]["annotations"]["envtree/left-out"] == "SHA, TOKEN, Z"
    elif format in SILENT:
        assert "TOKEN" not in data
    else:
        assert data.startswith("# sensitive, left out: TOKEN, Z\n# unknown, left out: SHA\n")


def test_t69_a_line_break_sets_no_other_variable() -> None:
    text = "line1\nPATH=/evil\nLD_PRELOAD<<EOF\n/evil.so\nEOF\nB=2"
    assert env_readers.github_pairs(file("github-env", {"A": text, "C": "3"}).decode()) == {"A": text, "C": "3"}


def test_github_reads_each_value_up_to_a_line_that_is_not_in_it() -> None:
    texts = {"A": "1", "B": "x\ny\n", "C": ""}
    data = file("github-env", texts).decode()
    assert env_readers.github_pairs(data) == texts
    delimiters = re.findall(r"<<(envtree_[0-9a-f]{32})$", data, re.MULTILINE)
    assert len({*delimiters}) == 3
    assert data == file("github-env", texts).decode()
    assert data != file("github-env", {**texts, "A": "2"}).decode()


def test_t70_a_delimiter_is_never_in_its_value() -> None:
    text = "x"
    for _ in range(20):
        delimiter = github.delimiter(text)
        assert delimiter not in text
        text += delimiter
    # The text is searched for the delimiter, unlikely as it is.
    first = github.delimiter("x")
    assert next(delimiter for delimiter in github._delimiters("x") if delimiter not in f"x{first}") != first


def test_t73_masks_are_the_only_commands_whatever_the_secrets_are() -> None:
    texts = {"A": "plain", "S": "50% of\n::error::it\r", "T": "s3cret", "U": "s3cret", "E": ""}
    masks = DIALECTS["github-env"].file_writers[1](writer_input(texts, secret_names=frozenset("STUE"))).decode()
    commands = log_commands(masks)
    assert [command.name for command in commands] == ["add-mask", "add-mask"]
    assert [command.data for command in commands] == [texts["S"], texts["T"]]
    assert DIALECTS["github-output"].file_writers[1](writer_input(texts)) == b""


def test_terraform_gets_the_sections_of_the_bundle() -> None:
    data = {**TARGET, "config": {"a": [1, True, None]}, "env_vars": {"A": "1"}, "secrets": {}, "sensitive": ["TOKEN"]}
    written = json.loads(DIALECTS["terraform"].file_writers[0](WriterInput({"A": "1", "CFG_A": "x"}, data=data)))
    keys = {"project", "team", "agent", "environment", "config", "env_vars", "sensitive"}
    assert written.keys() == keys
    assert written["env_vars"] == {"A": "1", "CFG_A": "x"}
    decomposed = unicodedata.normalize("NFD", "é")
    assert rejection_reason(DIALECTS["terraform"], "A", decomposed)
    assert not rejection_reason(DIALECTS["terraform"], "A", "é")


# One list of formats.


def _choices(command: click.Command, option: str) -> list[str]:
    choice = next(param.type for param in command.params if option in param.opts)
    assert isinstance(choice, click.Choice)
    return list(choice.choices)


def test_there_is_one_list_of_formats() -> None:
    assert list(FORMAT_NAMES) == [
        "bundle",
        *DIALECTS,
        "template",
        *(format.name for format in FORMATS if format.is_whole_tree),
    ]
    for format in FORMATS:
        if format.name in DIALECTS:
            assert len(DIALECTS[format.name].file_writers) == len(format.files)
    assert _choices(compile_command, "--format") == list(FORMAT_NAMES)
    assert _choices(show_command, "--format") == ["json", *STDOUT_FORMATS]
    schema = json.loads(Schemas().text("organization"))
    assert schema["$defs"]["output"]["properties"]["formats"]["items"]["enum"] == list(FORMAT_NAMES)
    files = [name for format in FORMATS for name in format.files if name != "env.github-mask"]
    assert len(files) == len({*files})
