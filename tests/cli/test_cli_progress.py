"""The progress line: shown on a terminal only, and erased before any other output."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from envtree.cli.support.progress import show_progress
from tests.cli.test_cli_process import ACME, ROOT
from tests.support.trees import layers, make_request, start_run

TERMINAL = {"TERM": "xterm"}
# Show the progress without delay.
AT_ONCE = "import envtree.cli.support.progress as module\nmodule._SHOW_AFTER_SECONDS = module._REFRESH_SECONDS = 0.0\n"
LINE = re.compile(r"\r\x1b\[K(\d+) of (\d+) (files|bundles)")


class Stream:
    """A fake terminal that records the output."""

    def __init__(self, *, terminal: bool = True) -> None:
        self.output = ""
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def write(self, text: str) -> None:
        self.output += text

    def flush(self) -> None:
        pass


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The current time, as a list of one element that tests can set."""
    time = [100.0]
    monkeypatch.setattr("envtree.cli.support.progress.time.monotonic", lambda: time[0])
    return time


def report_progress(
    stream: Stream, now: list[float], moments: list[float], environ: Mapping[str, str] = TERMINAL
) -> str:
    """Return the output of a run that reports its progress at these moments."""
    with show_progress(stream, environ) as progress:  # type: ignore[arg-type]
        for number, moment in enumerate(moments, start=1):
            now[0] = 100 + moment
            progress("files", number, len(moments))
    return stream.output


def test_a_short_run_shows_nothing(now: list[float]) -> None:
    assert report_progress(Stream(), now, [0.0, 0.2, 0.49]) == ""


def test_a_long_run_shows_a_line_now_and_then_and_takes_it_away(now: list[float]) -> None:
    output = report_progress(Stream(), now, [0.2, 0.5, 0.55, 0.59, 0.61, 2.0])
    assert output == "\r\x1b[K2 of 6 files\r\x1b[K5 of 6 files\r\x1b[K6 of 6 files\r\x1b[K"


@pytest.mark.parametrize(
    ("terminal", "environ", "is_shown"),
    [
        (True, TERMINAL, True),
        (True, TERMINAL | {"CI": ""}, True),
        (True, TERMINAL | {"CI": "false"}, True),
        (True, TERMINAL | {"NO_COLOR": "1"}, True),
        (True, TERMINAL | {"CI": "true"}, False),
        (True, TERMINAL | {"CI": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {}, False),
        (False, TERMINAL, False),
        (False, TERMINAL | {"FORCE_COLOR": "1"}, False),
    ],
)
def test_only_a_terminal_that_somebody_watches_shows_it(
    terminal: bool, environ: dict[str, str], is_shown: bool, now: list[float]
) -> None:
    assert bool(report_progress(Stream(terminal=terminal), now, [1.0], environ)) is is_shown


def test_it_is_gone_when_a_run_is_stopped(now: list[float]) -> None:
    stream = Stream()
    with suppress(KeyboardInterrupt), show_progress(stream, TERMINAL) as progress:  # type: ignore[arg-type]
        now[0] += 1
        progress("bundles", 1, 2)
        raise KeyboardInterrupt
    assert stream.output.endswith("1 of 2 bundles\r\x1b[K")


def test_every_file_and_every_selected_bundle_is_told() -> None:
    reports: list[tuple[str, int, int]] = []
    files = layers() | {"environments/staging.yaml": "{}"}

    def record(noun: str, done: int, total: int) -> None:
        reports.append((noun, done, total))

    run = start_run(make_request(files, selectors=("**@staging",), progress=record))
    assert reports == [("files", n, len(files)) for n in range(1, len(files) + 1)]
    reports.clear()
    assert len(list(run.bundles())) == 1
    assert reports == [("bundles", 1, 1)]


def run(tmp_path: Path, *words: str, environ: Mapping[str, str] = TERMINAL) -> tuple[str, str]:
    """Run a process; return its stdout, and its output to the terminal at stderr."""
    (tmp_path / "sitecustomize.py").write_text(AT_ONCE)
    path = os.pathsep.join([str(tmp_path), str(ROOT / "compiler")])
    inherited = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "LC_ALL": "C.UTF-8"}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "envtree", "-C", str(ACME), *words]
    done = subprocess.run(command, env={**inherited, **environ}, stdout=subprocess.PIPE, stderr=theirs, check=False)
    os.close(theirs)
    terminal_output = b""
    try:
        while chunk := os.read(ours, 65536):
            terminal_output += chunk
    except OSError:
        pass  # Linux reports the end of a terminal as an error.
    os.close(ours)
    return done.stdout.decode(), terminal_output.decode()


@pytest.mark.parametrize("words", [("check", "--format", "json"), ("compile", "--secrets", "ref", "-o", "{tmp}/out")])
def test_a_real_terminal_is_clean_at_the_end(words: tuple[str, ...], tmp_path: Path) -> None:
    out, terminal_output = run(tmp_path, *(word.format(tmp=tmp_path) for word in words))
    counts = LINE.findall(terminal_output)
    assert {noun for _, _, noun in counts} == {"files", "bundles"}
    assert counts[-1] == ("38", "38", "bundles")
    rest = LINE.sub("", terminal_output)
    assert rest.startswith("\r\x1b[K")
    assert "\x1b[K" not in rest.removeprefix("\r\x1b[K")
    assert "of 38 bundles" not in out


def test_ci_with_a_terminal_sees_only_words(tmp_path: Path) -> None:
    _, terminal_output = run(tmp_path, "check", environ=TERMINAL | {"CI": "true", "NO_COLOR": "1"})
    assert "\x1b" not in terminal_output
    assert "\r\n" in terminal_output
    assert not LINE.search(terminal_output)


@pytest.mark.parametrize(
    ("environ", "colored"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, False),
    ],
)
def test_a_real_terminal_gets_colours_unless_it_must_not(
    environ: dict[str, str], colored: bool, tmp_path: Path
) -> None:
    _, terminal_output = run(tmp_path, "show", "no/such@bundle", environ=TERMINAL | environ | {"CI": "1"})
    assert "there is no bundle" in terminal_output
    _, terminal_output = run(
        tmp_path,
        "compile",
        "--secrets",
        "ref",
        "-o",
        str(tmp_path / "out"),
        "x",
        environ=TERMINAL | environ | {"CI": "1"},
    )
    assert "error ET309" in terminal_output
    assert ("\x1b[1;31merror ET309\x1b[0m" in terminal_output) is colored
    assert colored or "\x1b" not in terminal_output
