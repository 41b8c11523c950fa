"""`envtree watch` as a process, while the tree is edited, broken, corrected, moved and removed."""

import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from envtree.cli.commands.watch import _is_any_relevant
from envtree.sources.tree import DirectoryTree
from tests.support.command_line import BOT, ERROR, INPUT, ORGANIZATION, TREE, WARNING, RunCommand, write_files
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
ACME = ROOT / "examples/acme"
ROUND = re.compile(r"\d\d:\d\d:\d\d (.*) \(\d+\.\d\d s\)")
CLERK = "projects/shop/agents/clerk.yaml"
FINE = "execution_environment:\n  env_vars: {NAME: other}\n"
# The signals may be ignored if the test run was started with `nohup`, or in the background.
CODE = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
import envtree.engine.publish, envtree.frontend.read_files
def record(kind, call):
    def wrapped(first, *rest, **named):
        with open(os.environ["NOTES"], "a") as notes:
            print(kind, getattr(first, "path", ""), file=notes)
        return call(first, *rest, **named)
    return wrapped
envtree.frontend.read_files.parse = record("parse", envtree.frontend.read_files.parse)
envtree.engine.publish.publish = record("publish", envtree.engine.publish.publish)
"""


class Watch:
    """A watching process and its output."""

    def __init__(self, tmp_path: Path, tree: Path, words: tuple[str, ...], environ: dict[str, str]) -> None:
        (tmp_path / "code").mkdir(exist_ok=True)
        (tmp_path / "code/sitecustomize.py").write_text(CODE)
        self.notes = tmp_path / "notes"
        inherited = {"PATH": os.environ["PATH"], "NOTES": str(self.notes), "LC_ALL": "C.UTF-8"}
        inherited["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "code"), str(ROOT / "compiler")])
        self.process = subprocess.Popen(
            [sys.executable, "-m", "envtree", "-C", str(tree), "watch", *words],
            env=inherited | environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put("")

    def line(self) -> str:
        """Return the next line."""
        line = self._lines.get(timeout=PATIENCE)
        assert line, "it has ended"
        return line

    def until(self, text: str) -> list[str]:
        """Return the lines up to one that contains a text."""
        lines = [self.line()]
        while text not in lines[-1]:
            lines.append(self.line())
        return lines

    def round(self) -> str:
        """Return the summary of a change, which must be the next line."""
        line = self.line()
        match = ROUND.fullmatch(line)
        assert match, line
        return match[1]

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and stderr."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        assert self.process.stderr
        return code, self.process.stderr.read()

    def events(self, kind: str) -> list[str]:
        """Return the paths of all events of a kind so far."""
        lines = [line.partition(" ") for line in self.notes.read_text().splitlines()]
        return [path for event, _, path in lines if event == kind]


Start = Callable[..., Watch]


@pytest.fixture
def start(tmp_path: Path, tree: Path) -> Iterator[Start]:
    started: list[Watch] = []

    def start(*words: str, over: Path = tree, **environ: str) -> Watch:
        started.append(Watch(tmp_path, over, words, environ))
        return started[-1]

    yield start
    for watch in started:
        watch.process.kill()
        watch.process.wait()
        watch._thread.join()
        for stream in (watch.process.stdout, watch.process.stderr):
            assert stream
            stream.close()


def save(tree: Path, path: str, text: str) -> None:
    """Write a file atomically."""
    draft = tree.parent / "draft"
    draft.write_text(text)
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    draft.replace(tree / path)


def test_findings_come_and_go(start: Start, tree: Path) -> None:
    watch = start()
    assert watch.round() == f"watching '{tree}': checked 3 bundles, no errors"
    save(tree, BOT, FINE)
    assert watch.round() == f"{BOT} changed: 2 bundles differ, no errors"
    save(tree, CLERK, ERROR)
    assert watch.round() == f"{CLERK} changed: no bundle differs, 1 error"
    lines = watch.until("hint:")
    assert lines[0] == f"{CLERK}:2:3: error ET201: 'env_var' is unknown"
    save(tree, BOT, WARNING)
    assert watch.round() == f"{BOT} changed: 2 bundles differ, 1 error, 1 warning"
    assert watch.line().startswith(f"{BOT}:2:")
    watch.until("hint:")
    save(tree, CLERK, TREE[CLERK])
    assert watch.round() == f"{CLERK} changed: no bundle differs, 1 warning"
    assert watch.line() == f"gone: {lines[0]}"
    save(tree, CLERK, "# above\n" + TREE[CLERK])
    assert watch.round() == f"{CLERK} changed: no bundle differs, 1 warning"
    assert watch.end() == (143, "")


def test_a_finding_whose_line_moves_stays_the_same_one(start: Start, tree: Path) -> None:
    write_files(tree, {BOT: ERROR})
    watch = start()
    watch.until("hint:")
    save(tree, BOT, f"# above\n\n{ERROR}")
    assert watch.round() == f"{BOT} changed: no bundle differs, 1 error"
    save(tree, BOT, FINE)
    assert watch.round().endswith("no errors")
    assert watch.line().startswith(f"gone: {BOT}:4:3: error ET201")


def test_files_come_go_and_are_renamed(start: Start, tree: Path) -> None:
    watch = start()
    watch.round()
    (tree / CLERK).rename(tree / "projects/shop/agents/waiter.yaml")
    assert watch.round() == (f"projects/shop/agents/waiter.yaml new; {CLERK} gone: 2 bundles differ, no errors")
    (tree / BOT).unlink()
    assert watch.round() == f"{BOT} gone: 2 bundles differ, no errors"
    # A folder that appears with its content, as git creates it.
    write_files(tree.parent / "ready", {"team.yaml": "{}\n", "agents/a.yaml": "{}\n"})
    (tree.parent / "ready").rename(tree / "projects/shop/teams/new")
    new = "projects/shop/teams/new"
    assert watch.round() == f"{new}/agents/a.yaml, {new}/team.yaml new: 2 bundles differ, no errors"
    save(tree, f"{new}/agents/b.yaml", "{}\n")
    assert watch.round() == f"{new}/agents/b.yaml new: 2 bundles differ, no errors"
    shutil.rmtree(tree / new)
    assert watch.until("teams/new/team.yaml gone")
    # A file that the run does not read is reported if it makes a difference.
    (tree / "projects/shop/agents/clark.yml").write_text("{}\n")
    assert watch.until("clark.yml changed: no bundle differs, 1 error")
    assert watch.line().startswith("projects/shop/agents/clark.yml:1:1: error ET122")


def test_a_broken_organization_and_one_that_is_gone(start: Start, tree: Path) -> None:
    watch = start()
    watch.round()
    save(tree, "organization.yaml", f"{ORGANIZATION}{{\n")
    assert watch.round() == "organization.yaml changed: no bundle differs, 1 error"
    assert watch.line().startswith("organization.yaml:4:1: error ET101")
    watch.until("hint:")
    save(tree, "organization.yaml", ORGANIZATION)
    assert watch.round() == "organization.yaml changed: no bundle differs, no errors"
    assert watch.line().startswith("gone: organization.yaml:4:1: error ET101")
    (tree / "organization.yaml").unlink()
    assert watch.round() == "organization.yaml changed: stopped, 1 error"
    assert watch.line() == "error ET805: 'organization.yaml' is gone"
    watch.until("hint:")
    save(tree, "organization.yaml", f"{ORGANIZATION}execution_environment:\n  env_vars: {{A: x}}\n")
    assert watch.round() == "organization.yaml changed: 3 bundles differ, no errors"
    assert watch.line() == "gone: error ET805: 'organization.yaml' is gone"


@pytest.mark.parametrize("again", ["moved back", "made anew"])
def test_a_tree_that_vanishes_and_comes_back(again: str, start: Start, tree: Path) -> None:
    watch = start()
    watch.round()
    tree.rename(tree.parent / "away")
    assert watch.round() == "the tree changed: stopped, 1 error"
    watch.until("hint:")
    if again == "moved back":
        (tree.parent / "away").rename(tree)
    else:
        shutil.copytree(tree.parent / "away", tree.parent / "copy")
        (tree.parent / "copy").rename(tree)
    assert watch.round() == "the tree changed: no bundle differs, no errors"
    assert watch.line() == "gone: error ET805: 'organization.yaml' is gone"
    save(tree, BOT, FINE)
    assert watch.round() == f"{BOT} changed: 2 bundles differ, no errors"
    assert watch.end(signal.SIGINT) == (130, "")


def test_bundles_are_written_and_their_folder_is_not_watched(start: Start, tree: Path) -> None:
    bundle = tree / "out/production/shop/cart/bot/bundle.json"
    watch = start("-o", str(tree / "out"), "--secrets", "ref", "--format", "yaml")
    assert watch.round() == f"watching '{tree}': wrote 3 bundles to '{tree}/out', no errors"
    assert (bundle.parent / "env.yaml").exists()
    save(tree, BOT, FINE)
    assert watch.round() == f"{BOT} changed: 2 bundles differ in '{tree}/out', no errors"
    before = bundle.read_bytes()
    assert b'"other"' in before
    save(tree, BOT, ERROR)
    assert watch.round() == f"{BOT} changed: wrote nothing, 1 error"
    watch.until("hint:")
    assert bundle.read_bytes() == before
    save(tree, BOT, TREE[BOT])
    assert watch.round() == f"{BOT} changed: 2 bundles differ in '{tree}/out', no errors"
    watch.line()
    assert watch.end() == (143, "")
    # One for each line: if it reacted to its own output, it would never stop.
    assert len(watch.events("publish")) == 4


def test_only_what_was_saved_is_read_again(start: Start, tree: Path) -> None:
    watch = start()
    watch.round()
    assert sorted(watch.events("parse")) == sorted(TREE)
    save(tree, BOT, FINE)
    watch.round()
    save(tree, BOT, TREE[BOT])
    watch.round()
    assert watch.events("parse")[len(TREE) :] == [BOT, BOT]


def test_selectors_inputs_and_warnings_that_count(start: Start, tree: Path) -> None:
    write_files(tree, {"organization.yaml": INPUT})
    watch = start("shop/clerk", "--strict", "--input", "SHA=1", "-o", str(tree / "out"), "--secrets", "ref")
    assert watch.round() == f"watching '{tree}': wrote 1 bundle to '{tree}/out', no errors"
    save(tree, CLERK, WARNING)
    assert watch.round() == f"{CLERK} changed: wrote nothing, 1 warning"
    watch.until("hint:")
    # If the declaration of an input is removed, the error is reported where it is used, and watching continues.
    save(tree, CLERK, TREE[CLERK])
    watch.until("gone:")
    save(tree, "organization.yaml", INPUT.replace("inputs: {SHA: {}}\n", ""))
    assert watch.round() == "organization.yaml changed: wrote nothing, 1 error"
    assert "inputs.SHA" in watch.line()


def test_a_value_that_cannot_be_computed_is_a_finding_like_any_other(start: Start, tree: Path) -> None:
    watch = start()
    watch.round()
    save(tree, BOT, FINE.replace("other", "'${{ nothing }}'"))
    assert watch.round() == f"{BOT} changed: 2 bundles differ, 1 error"
    assert watch.line().startswith(f"{BOT}:2:")
    watch.until("in 2 bundles")
    save(tree, BOT, FINE)
    assert watch.until(f"{BOT} changed: 2 bundles differ, no errors")


def test_an_input_need_not_be_set_where_nothing_is_written(start: Start, tree: Path) -> None:
    write_files(tree, {"organization.yaml": INPUT})
    watch = start()
    assert watch.round() == f"watching '{tree}': checked 3 bundles, no errors"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("writes", [False, True])
def test_a_signal_ends_it_calmly(number: signal.Signals, writes: bool, start: Start, tree: Path) -> None:
    """Also after a commit, after which other commands ignore signals."""
    watch = start(*(("-o", str(tree / "out"), "--secrets", "ref") if writes else ()))
    watch.round()
    assert watch.end(number) == (128 + number, "")
    assert not list(tree.rglob(".*envtree*"))


def test_it_ends_when_nobody_reads_any_more(tree: Path) -> None:
    command = [sys.executable, "-m", "envtree", "-C", str(tree), "watch"]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "compiler")}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        try:
            assert (process.wait(PATIENCE), process.stderr.read()) == (141, b"")
        finally:
            process.kill()


def test_sops_is_started_to_write_and_not_to_check(start: Start, tmp_path: Path) -> None:
    acme, bin, trace = tmp_path / "acme", tmp_path / "bin", tmp_path / "trace"
    shutil.copytree(ACME, acme)
    bin.mkdir()
    (bin / "sops").write_text(f"#!/bin/sh\ntouch {trace}\nexit 1\n")
    (bin / "sops").chmod(0o700)
    environ = {"PATH": f"{bin}:{os.environ['PATH']}", "ENVTREE_SOPS": "path", "SOPS_AGE_KEY_FILE": "/dev/null"}
    watch = start(over=acme, **environ)
    assert watch.round().endswith("checked 38 bundles, no errors")
    with (acme / "organization.secrets.yaml").open("a") as file:
        file.write("# a comment\n")
    assert watch.round() == "organization.secrets.yaml changed: no bundle differs, no errors"
    assert not trace.exists()
    start("-o", str(tmp_path / "out"), over=acme, **environ).process.wait(PATIENCE)
    assert trace.exists()


def test_what_stops_the_first_look_ends_it(start: Start, tree: Path) -> None:
    watch = start("-o", str(tree / "projects/x"), "--secrets", "ref")
    assert watch.process.wait(PATIENCE) == 1
    assert watch.process.stderr
    assert "error ET806" in watch.process.stderr.read()


def test_without_the_library_it_says_what_to_install(start: Start, tmp_path: Path, tree: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/watchfiles.py").write_text("raise ImportError\n")
    watch = start()
    assert watch.process.wait(PATIENCE) == 3
    assert watch.process.stderr
    shown = watch.process.stderr.read()
    assert shown.startswith("error ET812: the library that watches files is not installed\n  hint: run: "), shown
    assert start("--once").process.wait(PATIENCE) == 0


@pytest.mark.parametrize("reason", ["OSError(28, 'limit reached')", "RuntimeError('limit reached')"])
def test_a_system_that_refuses_to_watch_is_the_machine(reason: str, start: Start, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    stub = f"def watch(*paths, **settings):\n    yield set()\n    raise {reason}\n"
    (tmp_path / "code/watchfiles.py").write_text(stub)
    watch = start()
    assert watch.process.wait(PATIENCE) == 3
    assert watch.process.stderr
    assert "error ET812: the files in " in watch.process.stderr.read()


@pytest.mark.parametrize(
    ("files", "words", "code", "summary"),
    [
        ({}, (), 0, "checked 3 bundles, no errors"),
        ({BOT: WARNING}, (), 0, "checked 3 bundles, 1 warning"),
        ({BOT: WARNING}, ("--strict",), 1, "checked 3 bundles, 1 warning"),
        ({BOT: ERROR}, (), 1, "checked 1 bundle, 1 error"),
        ({BOT: ERROR}, ("-o", "{out}", "--secrets", "ref"), 1, "wrote nothing, 1 error"),
        ({}, ("-o", "{out}", "--secrets", "ref"), 0, "wrote 3 bundles to '{out}', no errors"),
    ],
)
def test_once_ends_with_how_it_stands(
    files: dict[str, str], words: tuple[str, ...], code: int, summary: str, tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, files)
    out = str(tree.parent / "out")
    ran = envtree("watch", "--once", *(word.format(out=out) for word in words))
    match = ROUND.fullmatch(ran.out.splitlines()[0])
    assert match
    assert (ran.code, match[1], ran.err) == (code, summary.format(out=out), "")


@pytest.mark.parametrize("words", [("--secrets", "ref"), ("--format", "k8s")])
def test_what_is_written_needs_a_place(words: tuple[str, ...], envtree: RunCommand) -> None:
    ran = envtree("watch", "--once", *words)
    assert (ran.code, "name a folder with -o" in ran.err) == (2, True)


def test_an_input_that_is_not_declared_is_a_mistake(envtree: RunCommand) -> None:
    ran = envtree("watch", "--once", "--input", "SHA=1")
    assert (ran.code, "declares no input 'SHA'" in ran.err) == (2, True)


def test_what_git_ignores_or_nobody_sees_does_not_matter(tree: Path) -> None:
    subprocess.run(["git", "init", "-q", tree], check=True)
    write_files(tree, {".gitignore": "*.log\nbuild/\n"})
    directory_tree = DirectoryTree(tree)
    for path in (BOT, "gone.yaml", "agents", ".sops.yaml", "projects/.gitignore", "."):
        assert _is_any_relevant(directory_tree, [path]), path
    for path in (".git/index", ".git", "a.log", "build/x.yaml", "projects/.a.yaml.swp", ".venv/lib/x.yaml", ".env"):
        assert not _is_any_relevant(directory_tree, [path]), path
    assert _is_any_relevant(directory_tree, ["a.log", BOT])
    # A tree in an ignored folder was named on purpose.
    write_files(tree, {".gitignore": "*\n"})
    assert _is_any_relevant(directory_tree, [BOT])


def test_the_readme_shows_what_it_says(start: Start, tmp_path: Path, envtree: RunCommand) -> None:
    assert envtree("init", str(tmp_path / "demo")).code == 0
    sound = (tmp_path / "demo/organization.yaml").read_text()
    watch = start(over=tmp_path / "demo")
    lines = [watch.line()]
    save(tmp_path / "demo", "organization.yaml", sound.replace("LOG_LEVEL: info", "LOG_LEVEL: inof"))
    lines += watch.until("hint:")
    save(tmp_path / "demo", "organization.yaml", sound)
    lines += watch.until("gone:")
    readme = (ROOT / "README.md").read_text("utf-8")
    documented = re.findall(r"^```text\n\$ envtree -C demo watch\n(.*?)```$", readme, re.MULTILINE | re.DOTALL)[
        0
    ].splitlines()
    assert [ROUND.sub(r"\1", line) for line in documented] == [
        ROUND.sub(r"\1", line).replace(f"'{tmp_path}/demo'", "'demo'") for line in lines
    ]


def test_a_tree_that_was_broken_at_first_is_compared_with_what_lies_there(
    start: Start, tree: Path, envtree: RunCommand
) -> None:
    out = str(tree.parent / "out")
    assert envtree("compile", "-o", out, "--secrets", "ref").code == 0
    write_files(tree, {BOT: ERROR})
    watch = start("-o", out, "--secrets", "ref")
    assert watch.round() == f"watching '{tree}': wrote nothing, 1 error"
    watch.until("hint:")
    save(tree, BOT, FINE)
    assert watch.round() == f"{BOT} changed: 2 bundles differ in '{out}', no errors"


def test_what_an_error_hides_is_neither_gone_nor_new(start: Start, tree: Path) -> None:
    """Unused declarations are reported for a whole tree only, and findings of a file as long as it can be read."""
    write_files(tree, {"organization.yaml": f"{ORGANIZATION}variables: {{NEVER: {{}}}}\n", CLERK: WARNING})
    watch = start()
    assert watch.round().endswith("checked 4 bundles, 2 warnings")
    watch.until("hint:")
    watch.until("hint:")
    save(tree, CLERK, f"{WARNING}{{\n")
    assert watch.round() == f"{CLERK} changed: no bundle differs, 1 error, 2 warnings"
    assert "error ET101" in watch.line()
    watch.until("hint:")
    save(tree, CLERK, WARNING)
    assert watch.round() == f"{CLERK} changed: no bundle differs, 2 warnings"
    assert "error ET101" in watch.line()
    save(tree, CLERK, TREE[CLERK])
    assert watch.round() == f"{CLERK} changed: 2 bundles differ, 1 warning"
    assert watch.line().startswith(f"gone: {CLERK}:2:")
