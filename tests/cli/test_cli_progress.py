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
LINE = re.compile(r"\r\x1b\[K(?:reading|computing) [━─]{20} (\d+) of (\d+) (files|bundles)(?:, \d+ s left)?")


class Stream:
    """A fake terminal that records the output."""

    encoding = "utf-8"

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
    assert [line for line in output.split("\r\x1b[K") if line] == [
        "reading ━━━━━━────────────── 2 of 6 files",
        "reading ━━━━━━━━━━━━━━━━──── 5 of 6 files",
        "reading ━━━━━━━━━━━━━━━━━━━━ 6 of 6 files",
    ]
    assert output.endswith("\r\x1b[K")


def test_the_time_left_is_estimated_after_two_seconds(now: list[float]) -> None:
    stream = Stream()
    with show_progress(stream, TERMINAL) as progress:  # type: ignore[arg-type]
        for moment, done in ((0, 1), (1, 1000), (3, 3001), (4, 11001)):
            now[0] = 100 + moment
            progress("bundles", done, 15001)
    endings = [line.partition("─ ")[2] for line in stream.output.split("\r\x1b[K") if line]
    assert endings == [
        "1,000 of 15,001 bundles",
        "3,001 of 15,001 bundles, 12 s left",
        "11,001 of 15,001 bundles, 1 s left",
    ]


def test_a_terminal_without_unicode_has_a_bar_in_ascii(now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stream, "encoding", "ascii")
    assert "computing ##########---------- 1 of 2 bundles" in (
        report_progress(Stream(), now, [1.0, 2.0]).replace("reading", "computing").replace("files", "bundles")
    )


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


@pytest.mark.parametrize(
    "words", [("check", "--output-format", "json"), ("compile", "--secrets", "ref", "-o", "{tmp}/out")]
)
def test_a_real_terminal_is_clean_at_the_end(words: tuple[str, ...], tmp_path: Path) -> None:
    out, terminal_output = run(tmp_path, *(word.format(tmp=tmp_path) for word in words))
    counts = LINE.findall(terminal_output)
    assert {noun for _, _, noun in counts} == {"files", "bundles"}
    assert counts[-1] == ("38", "38", "bundles")
    rest = LINE.sub("", terminal_output)
    assert rest.startswith("\r\x1b[K")
    assert "\x1b[K" not in rest.removeprefix("\r\x1b[K")
    assert "of 38 bundles" not in out


def test_a_terminal_sees_a_tick_and_the_time_when_all_is_well(tmp_path: Path) -> None:
    words = ("-C", str(tmp_path / "demo"), "check", "--no-cache")
    run(tmp_path, "init", str(tmp_path / "demo"))
    _, terminal_output = run(tmp_path, *words, environ=TERMINAL | {"CI": "1"})
    assert re.fullmatch(
        r"\x1b\[32m✔\x1b\[0m checked 2 bundles of 1 agent: no errors \(\d+\.\d\d s\)\r\n", terminal_output
    )
    _, terminal_output = run(
        tmp_path,
        *words,
        environ=TERMINAL | {"CI": "1", "NO_COLOR": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    )
    assert re.fullmatch(r"checked 2 bundles of 1 agent: no errors \(\d+\.\d\d s\)\r\n", terminal_output)
    (tmp_path / "demo/environments/qa.yaml").write_text("inherits: base\ntype: test\n")
    _, terminal_output = run(tmp_path, *words, environ=TERMINAL | {"CI": "1"})
    assert "✔" not in terminal_output


def test_a_replay_has_a_time_of_its_own(tmp_path: Path) -> None:
    run(tmp_path, "init", str(tmp_path / "demo"))
    environ = TERMINAL | {"CI": "1", "NO_COLOR": "1", "XDG_CACHE_HOME": str(tmp_path / "cache")}
    outputs = [run(tmp_path, "-C", str(tmp_path / "demo"), "check", environ=environ)[1] for _ in range(2)]
    pattern = r"✔ checked 2 bundles of 1 agent: no errors \(\d+\.\d\d s\)\r\n"
    assert all(re.fullmatch(pattern, output) for output in outputs), outputs


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
