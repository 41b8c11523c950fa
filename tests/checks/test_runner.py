"""Every session runs, whatever failed before it, and the summary names all that failed and how to repeat it."""

import shlex
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.checks import installation, runner
from tests.checks.installation import Part
from tests.checks.runner import Runner
from tests.checks.sessions import Session

BROKEN = """
import pytest

class TestGroup:
    @pytest.mark.parametrize("name", ["a b", "[x]::y"])
    def test_in_a_class(self, name):
        assert name == "a b", "the group is wrong"

def test_passes(): pass

def test_fails():
    print("printed before")
    raise ValueError("the reason")

@pytest.fixture
def broken(): raise OSError("no fixture")

def test_has_no_fixture(broken): pass

def test_needs_something():
    pytest.skip("needs the program 'zsh' (apt-get install zsh)")
"""

IN_ONE_PROCESS = ("-n", "0")


@pytest.fixture
def sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Session]:
    """Sessions of which four fail, each in its own way."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_broken.py").write_text(BROKEN)
    (tmp_path / "tests/test_right.py").write_text("def test_right(): pass\n")
    (tmp_path / "tests/test_unreadable.py").write_text("import what_is_not_there\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    known = {
        "lint": Session("a command that fails", (("calendar", "-x"),)),
        "broken": Session("failed tests", folder="tests/test_broken.py", options=IN_ONE_PROCESS),
        "unreadable": Session(
            "a test that cannot be imported", folder="tests/test_unreadable.py", options=IN_ONE_PROCESS
        ),
        "right": Session("tests that pass", folder="tests/test_right.py", options=IN_ONE_PROCESS),
        "command": Session("another command that fails", (("calendar", "2026"), ("calendar", "-y"), ("calendar",))),
    }
    monkeypatch.setattr(runner, "SESSIONS", known)
    monkeypatch.setattr(runner, "ROOT", tmp_path)
    monkeypatch.setattr("tests.checks.sessions.ISOLATION", [])
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST", "CI"):
        monkeypatch.delenv(name, raising=False)
    return known


def test_every_session_runs_and_every_failure_is_named(
    sessions: dict[str, Session], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert Runner(7, logs=tmp_path / "logs").run(list(sessions)) == 1
    out = capfd.readouterr().out
    table = [line.split() for line in out.splitlines()]
    for name, passed, failed, left_out in (
        *(("lint", "0", "1", "0"), ("broken", "2", "3", "1"), ("unreadable", "0", "1", "0")),
        *(("right", "1", "0", "0"), ("command", "0", "1", "0")),
    ):
        assert [row[:4] for row in table if len(row) == 5 and row[0] == name] == [[name, passed, failed, left_out]]
    assert ["zsh", "1", "apt-get", "install", "zsh"] in table
    assert "6 failed" in out
    failed_names = [line.removeprefix("FAILED ") for line in out.splitlines() if line.startswith("FAILED ")]
    assert "tests/test_broken.py::TestGroup::test_in_a_class[[x]::y]" in failed_names
    assert "ValueError: the reason" in out
    assert "no fixture" in out
    assert "what_is_not_there" in out
    assert (tmp_path / "summary.md").read_text().count("| broken | 2 | 3 | 1 |") == 1
    for name in sessions:
        assert (tmp_path / "logs" / f"{name}.log").stat().st_size > 0
        assert ElementTree.parse(tmp_path / "logs" / f"{name}.xml").getroot() is not None


def test_the_printed_command_repeats_a_failure(
    sessions: dict[str, Session], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Runner(7, logs=tmp_path / "logs").run(["broken"])
    out = capfd.readouterr().out
    repeats = [line.partition("repeat it: ")[2] for line in out.splitlines() if "repeat it: " in line]
    assert len(repeats) == 3
    for command in repeats:
        result = subprocess.run(shlex.split(command), cwd=tmp_path, capture_output=True, text=True, check=False)
        assert result.returncode == 1, result.stdout
        assert "1 failed" in result.stdout or "1 error" in result.stdout


def test_everything_passes(sessions: dict[str, Session], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert Runner(7, logs=tmp_path / "logs").run(["right"]) == 0
    assert capfd.readouterr().out.rstrip().endswith("all passed")


def test_a_failed_installation_is_named_and_ends_the_run(
    sessions: dict[str, Session],
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(installation.PARTS, "npm", Part("no_such_module", "programs of npm"))
    monkeypatch.setitem(sessions, "right", sessions["right"]._replace(parts=("npm",)))
    assert Runner(7, logs=tmp_path / "logs").run(["right"]) == 1
    out = capfd.readouterr().out
    assert "programs of npm could not be installed" in out
    assert "No module named no_such_module" in out
    assert not (tmp_path / "logs/right.log").exists()


def test_arguments_reach_pytest(
    sessions: dict[str, Session], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = ["tests/test_broken.py", "-k", "passes"]
    assert Runner(7, arguments, logs=tmp_path / "logs").run(["broken"]) == 0
