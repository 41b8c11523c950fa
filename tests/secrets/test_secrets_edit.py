"""`envtree secrets edit` and `rotate`, with the real sops and editors that are scripts."""

import json
import os
import pty
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.command_line import CommandResult
from tests.support.fake_clock import exceed_time_limit_when
from tests.support.secrets_tree import (
    FILES,
    PRODUCTION,
    STAGING,
    SecretsTree,
    make_person,
    make_secrets_tree,
    organization_with_people,
    secret_line,
)
from tests.support.waiting import PATIENCE, wait_until
from tests.unit.frontend.test_schemas import verdict

VALUE = "quokka7-quokka7"


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    tree = make_secrets_tree(tmp_path)
    tree.set(PRODUCTION, "db.password", VALUE)
    tree.set(PRODUCTION, "db.user", "somebody-here")
    tree.set(PRODUCTION, "token", "token-token")
    return tree


def editor(tree: SecretsTree, script: str) -> dict[str, str]:
    """Make an editor of a script, which gets the file as $1."""
    program = tree.home / "editor"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return {"EDITOR": shlex.quote(str(program))}


def edit(tree: SecretsTree, script: str, path: str = PRODUCTION) -> CommandResult:
    return tree.run("secrets", "edit", path, environ=editor(tree, script))


# ── edit ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_editor_leaves_is_in_the_file(tree: SecretsTree) -> None:
    before = tree.read(PRODUCTION)
    (tree.root / PRODUCTION).chmod(0o640)
    result = edit(
        tree, """sed -i -e 's/quokka7-quokka7/another-one/' -e '/token/d' "$1"; echo 'new: some-value' >> "$1" """
    )
    assert (result.code, result.out) == (0, "")
    assert result.err == f"added 'new'; changed 'db.password'; removed 'token' in '{PRODUCTION}'\n"
    assert tree.plain(PRODUCTION) == {
        "_scope": "environments/production",
        "db": {"password": "another-one", "user": "somebody-here"},
        "new": "some-value",
    }
    assert secret_line(tree.read(PRODUCTION), "user") == secret_line(before, "user")
    assert (tree.root / PRODUCTION).stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("path", [STAGING, "agents/clerk.secrets.env"])
def test_other_formats(tree: SecretsTree, path: str) -> None:
    tree.set(path, "token", "token-token")
    assert edit(tree, """sed -i s/token-token/other-other/ "$1" """, path).code == 0
    assert tree.plain(path)["token"] == "other-other"


def test_a_missing_scope_is_added(tmp_path: Path) -> None:
    tree = make_secrets_tree(tmp_path)
    (tree.root / PRODUCTION).write_text("token: token-token\n")
    tree.sops("encrypt", "-i", "--age", tree.owner.public, f"./{PRODUCTION}")
    before = tree.read(PRODUCTION)
    assert edit(tree, "true").err == f"'{PRODUCTION}' is as it was\n"
    assert tree.read(PRODUCTION) == before
    result = edit(tree, """grep -q _scope "$1" && echo 'new: some-value' >> "$1" """)
    assert result.err == f"added '_scope', 'new' in '{PRODUCTION}'\n"
    assert tree.plain(PRODUCTION)["_scope"] == "environments/production"


# A script, a part of the message about its result, and the exit code.
LEFT = {
    "nothing-new": ("true", "is as it was", 0),
    "failure": ("exit 3", "the editor failed", 3),
    "an-empty-value": ("""echo 'x: ""' >> "$1" """, "ET607: 'x' is empty", 1),
    "null": ("""echo 'x:' >> "$1" """, "ET607: 'x' is empty", 1),
    "plain-text": ("""echo 'x_unencrypted: quokka7' >> "$1" """, "ET607: 'x_unencrypted'", 1),
    "a-colon": ("""echo '"a:b": quokka7' >> "$1" """, "ET607", 1),
    "another-scope": ("""sed -i s,environments/production,environments/nowhere, "$1" """, "ET608", 1),
    "no-scope": ("""sed -i /_scope/d "$1" """, "ET650", 0),
}


@pytest.mark.parametrize("case", LEFT)
def test_what_is_left_is_checked_before_it_counts(tree: SecretsTree, case: str) -> None:
    script, words, code = LEFT[case]
    before = tree.read(PRODUCTION)
    result = edit(tree, script)
    assert result.code == code, result
    assert words in result.err
    assert "quokka7" not in result.err
    assert (tree.read(PRODUCTION) == before) is (case != "no-scope")


def test_text_that_is_no_yaml_does_not_start_the_editor_for_ever(
    tree: SecretsTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sops then waits for a key press, so without a terminal it is ended after a time limit."""
    looks = iter(range(10**6))
    # Long enough to start the editor again and again, if sops did so.
    exceed_time_limit_when(lambda: (tree.home / "started").exists() and next(looks) > 20, monkeypatch)
    before = tree.read(PRODUCTION)
    result = edit(tree, f"""echo x >> {tree.home}/started; echo '{{' >> "$1" """)
    assert result.code == 3
    assert "ET622" in result.err
    assert (tree.home / "started").read_text() == "x\n"
    assert tree.read(PRODUCTION) == before


def test_no_file_and_no_key(tree: SecretsTree) -> None:
    result = edit(tree, "true", STAGING)
    assert result.code == 2
    assert f"envtree secrets set {STAGING} KEY" in result.err
    result = tree.run("secrets", "edit", PRODUCTION, environ={"SOPS_AGE_KEY_FILE": "/nowhere", "EDITOR": "true"})
    assert (result.code, "ET621" in result.err) == (3, True)


def test_the_editor_has_the_terminal(tree: SecretsTree) -> None:
    """The editor uses the terminal and knows its type; it can be opened again to correct a mistake."""
    script = """
        [ -t 0 ] && [ -t 1 ] && [ "$TERM" = vt100 ] || exit 9
        printf 'typed: '; read line; sed -i '/^x:/d' "$1"; echo "$line" >> "$1"
    """
    environ = {**tree.environ, **editor(tree, script), "TERM": "vt100"}
    command = [sys.executable, "-m", "envtree", "-C", str(tree.root), "secrets", "edit", PRODUCTION]
    with _Terminal(command, environ) as terminal:
        terminal.answer("typed: ", "x: ''")
        terminal.answer("open the editor again?", "y")
        terminal.answer("typed: ", "x: some-value")
        assert terminal.end() == 0
    assert tree.plain(PRODUCTION)["x"] == "some-value"


def test_ctrl_c_in_the_terminal_ends_it(tree: SecretsTree) -> None:
    environ = {**tree.environ, **editor(tree, f"""echo "$1" > {tree.home}/where; printf 'ready: '; sleep 1000""")}
    command = [sys.executable, "-m", "envtree", "-C", str(tree.root), "secrets", "edit", PRODUCTION]
    before = tree.read(PRODUCTION)
    with _Terminal(command, environ) as terminal:
        terminal.answer("ready: ", "\x03")
        assert terminal.end() == 130
    assert not Path((tree.home / "where").read_text().strip()).parents[1].exists()
    assert tree.read(PRODUCTION) == before


# Ctrl-C sends a signal only in the controlling terminal of a session.
_LEADER = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class _Terminal:
    """A program in its own terminal."""

    def __init__(self, command: list[str], environ: dict[str, str]) -> None:
        self.master, slave = pty.openpty()
        self.output = ""
        self._answered = 0
        leader = [sys.executable, "-c", _LEADER, *command]
        self.process = subprocess.Popen(leader, env=environ, stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)

    def __enter__(self) -> "_Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def answer(self, prompt: str, text: str) -> None:
        self._read(lambda: prompt in self.output[self._answered :])
        self._answered = len(self.output)
        os.write(self.master, f"{text}\n".encode())

    def end(self) -> int:
        self._read(lambda: self.process.poll() is not None)
        return self.process.wait(PATIENCE)

    def _read(self, until: Callable[[], bool]) -> None:
        def has_come() -> bool:
            if not until() and select.select([self.master], [], [], 0.05)[0]:
                # Linux reports the end of a terminal as an error.
                with suppress(OSError):
                    self.output += os.read(self.master, 1000).decode()
            return until()

        wait_until(has_come, lambda: f"more than {self.output!r}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_t61_a_signal_leaves_no_plaintext_behind(tree: SecretsTree, number: int) -> None:
    script = f"""echo "$1" > {tree.home}/where; sleep 1000"""
    environ = {**tree.environ, **editor(tree, script)}
    command = [sys.executable, "-m", "envtree", "-C", str(tree.root), "secrets", "edit", PRODUCTION]
    before = tree.read(PRODUCTION)
    with subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        where = tree.home / "where"
        wait_until(lambda: where.is_file() and where.read_text().endswith("\n"), "the start of the editor")
        plain = Path(where.read_text().strip())
        assert VALUE in plain.read_text()
        assert plain.stat().st_mode & 0o077 == 0
        process.send_signal(number)
        assert process.wait(PATIENCE) == 128 + number
    assert not plain.parent.exists()
    assert not plain.parents[1].exists()
    assert tree.read(PRODUCTION) == before


@pytest.mark.parametrize(
    ("variables", "chosen"),
    [(("VISUAL", "EDITOR"), "VISUAL"), (("SOPS_EDITOR", "VISUAL", "EDITOR"), "SOPS_EDITOR"), (("EDITOR",), "EDITOR")],
)
def test_visual_goes_before_editor(tree: SecretsTree, variables: tuple[str, ...], chosen: str) -> None:
    environ = {name: f"sed -i s/somebody-here/by-{name}/" for name in variables}
    assert tree.run("secrets", "edit", PRODUCTION, environ=environ).code == 0
    assert tree.plain(PRODUCTION)["db"]["user"] == f"by-{chosen}"


# ── rotate ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def recipients(tree: SecretsTree, path: str = PRODUCTION) -> set[str]:
    return {line.split()[-1] for line in tree.read(path).splitlines() if "recipient:" in line}


def test_every_file_gets_a_new_data_key_and_keeps_its_values(tree: SecretsTree) -> None:
    tree.set(STAGING, "a", [1, 2.5, True, "xxxxxxxxx"])
    tree.set("agents/clerk.secrets.env", "A", "abcdefgh")
    paths = ["agents/clerk.secrets.env", PRODUCTION, STAGING]
    before = {path: (tree.plain(path), tree.read(path)) for path in paths}
    result = tree.run("secrets", "rotate")
    assert result.out == "".join(f"{path}: new data key for 1 reader\n" for path in paths)
    assert (result.code, result.err) == (0, "rotated 3 of 3 files\n")
    for path in paths:
        assert tree.plain(path) == before[path][0]
        assert not set(ciphertexts(tree.read(path))) & set(ciphertexts(before[path][1]))
    assert tree.run("check").code == 0


def ciphertexts(text: str) -> list[str]:
    return [word.split("iv:")[0] for word in text.replace('"', " ").split() if "ENC[" in word]


def test_the_recipients_become_the_declared_readers(tree: SecretsTree, tmp_path: Path) -> None:
    ana, bob = make_person("ana", tmp_path), make_person("bob", tmp_path)
    tree.sops("rotate", "-i", "--add-age", bob.public, f"./{PRODUCTION}")
    (tree.root / "organization.yaml").write_text(organization_with_people(tree.owner, ana, bob, readers=("me", "ana")))
    result = tree.run("secrets", "rotate", PRODUCTION)
    assert result.out == f"{PRODUCTION}: new data key for 2 readers; added ana; removed bob\n"
    assert recipients(tree) == {tree.owner.public, ana.public}
    assert tree.run("check").code == 0
    # An undeclared recipient is named by its key.
    eve = make_person("eve", tmp_path)
    tree.sops("rotate", "-i", "--add-age", eve.public, f"./{PRODUCTION}")
    assert f"removed {eve.public}" in tree.run("secrets", "rotate", PRODUCTION).out


def test_without_declared_readers_they_stay(tree: SecretsTree, tmp_path: Path) -> None:
    ana = make_person("ana", tmp_path)
    tree.sops("rotate", "-i", "--add-age", ana.public, f"./{PRODUCTION}")
    (tree.root / "organization.yaml").write_text(FILES["organization.yaml"])
    assert tree.run("secrets", "rotate").out == f"{PRODUCTION}: new data key for 2 readers\n"
    assert recipients(tree) == {tree.owner.public, ana.public}


def test_what_fails_stays_and_the_others_go_on(tree: SecretsTree) -> None:
    tree.set(STAGING, "a", "abcdefgh")
    path = "agents/clerk.secrets.yaml"
    tree.set(path, "a", "abcdefgh")
    (tree.root / path).write_text(tree.read(path).replace("sops:", "pasted: quokka7\nsops:", 1))
    text = tree.read(PRODUCTION)
    (tree.root / PRODUCTION).write_text(text.replace(f"{secret_line(text, 'token')}\n", ""))
    before = {name: tree.read(name) for name in (path, PRODUCTION, STAGING)}
    result = tree.run("secrets", "rotate")
    assert (result.code, result.out) == (1, f"{STAGING}: new data key for 1 reader\n")
    assert "ET602" in result.err
    assert "ET610" in result.err
    assert "quokka7" not in result.err
    assert result.err.endswith("rotated 1 of 3 files\n")
    assert [name for name, old in before.items() if tree.read(name) == old] == [path, PRODUCTION]


def test_a_program_is_told_of_each_file(tree: SecretsTree, tmp_path: Path) -> None:
    ana = make_person("ana", tmp_path)
    tree.set(STAGING, "a", "abcdefgh")
    (tree.root / STAGING).write_text(tree.read(STAGING).replace('"sops":', '"pasted": "quokka7", "sops":', 1))
    (tree.root / "organization.yaml").write_text(organization_with_people(tree.owner, ana, readers=("me", "ana")))
    result = tree.run("secrets", "rotate", "--output-format", "json")
    assert (result.code, result.err) == (1, "")
    answer = json.loads(result.out)
    assert verdict("output/rotate.schema.json", answer)
    assert [
        (file["path"], file["rotated"], file["readers"], file["added"], file["removed"]) for file in answer["files"]
    ] == [
        (PRODUCTION, True, 2, ["ana"], []),
        (STAGING, False, None, [], []),
    ]
    assert [[finding["code"] for finding in file["findings"]] for file in answer["files"]] == [[], ["ET602"]]
    assert "quokka7" not in result.out
    result = tree.run(
        "secrets", "rotate", "--output-format", "json", PRODUCTION, environ={"SOPS_AGE_KEY_FILE": "/nowhere"}
    )
    assert (result.code, result.err) == (3, "")
    answer = json.loads(result.out)
    assert verdict("output/rotate.schema.json", answer)
    assert [finding["code"] for finding in answer["files"][0]["findings"]] == ["ET621"]


REFUSED = {
    "no-key": ("people: {ana: {github: ana}}\nsecret_readers: [ana]\n", "no reader with a key is declared"),
    "kind": ("people: {ana: {age: ssh-ed25519 AAAA}}\nsecret_readers: [ana]\n", "type 'age-ssh', which is not allowed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_readers_that_cannot_be(tree: SecretsTree, case: str) -> None:
    organization, words = REFUSED[case]
    (tree.root / "organization.yaml").write_text(FILES["organization.yaml"] + organization)
    before = tree.read(PRODUCTION)
    result = tree.run("secrets", "rotate")
    assert (result.code, words in result.err, tree.read(PRODUCTION)) == (1, True, before)


def test_who_is_no_reader_any_more_cannot_check_it_and_so_does_not_do_it(tree: SecretsTree, tmp_path: Path) -> None:
    ana = make_person("ana", tmp_path)
    (tree.root / "organization.yaml").write_text(organization_with_people(ana))
    before = tree.read(PRODUCTION)
    result = tree.run("secrets", "rotate")
    assert (result.code, "among its declared readers" in result.err, tree.read(PRODUCTION)) == (1, True, before)


def test_no_key_is_a_failure_of_the_machine(tree: SecretsTree) -> None:
    result = tree.run("secrets", "rotate", environ={"SOPS_AGE_KEY_FILE": "/nowhere"})
    assert (result.code, "ET621" in result.err) == (3, True)
    assert result.err.endswith("rotated 0 of 1 file\n")


def test_a_file_that_is_not_there(tree: SecretsTree) -> None:
    assert tree.run("secrets", "rotate", STAGING).code == 2
