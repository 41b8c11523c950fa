"""On a machine with Python and git only, everything else runs, and what was left out is counted."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checks import programs
from tests.checks.environment import ROOT
from tests.support.programs import missing_program
from tests.support.waiting import LONG_PATIENCE

# Tests of which some need a shell, and one none.
TESTS = ("tests/unit/output/test_shells.py", "tests/unit/model/test_keypath.py")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A folder of programs that has Python and git only."""
    folder = tmp_path / "bare"
    folder.mkdir()
    (folder / "python3").symlink_to(sys.executable)
    (folder / "git").symlink_to(shutil.which("git") or "")
    return folder


def run_suite(bare: Path, tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `python tests suite` over some tests, with the programs of a folder only."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(("PYTEST", "CI", "GITHUB"))}
    environ = {**inherited, "PATH": str(bare), "HOME": str(tmp_path), **variables}
    command = [sys.executable, str(ROOT / "tests"), "suite", "--logs", str(tmp_path / "logs"), "--", "-n", "0", *TESTS]
    return subprocess.run(
        command, cwd=ROOT, env=environ, check=False, capture_output=True, text=True, timeout=LONG_PATIENCE
    )


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_what_needs_a_missing_program_is_left_out_and_counted(bare: Path, tmp_path: Path) -> None:
    result = run_suite(bare, tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
    (row,) = [row for row in rows(result.stdout) if len(row) == 5 and row[0] == "suite"]
    assert int(row[1]) > 10
    left_out = {row[0]: row[1:] for row in rows(result.stdout) if row[2:4] == ["apt-get", "install"]}
    assert {"bash"} <= left_out.keys() <= programs.PROGRAMS.keys()
    assert sum(int(count) for count, *_ in left_out.values()) == int(row[3]) > 10
    assert left_out["bash"][1:] == ["apt-get", "install", "bash"]


def test_as_root_missing_programs_are_installed(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A script in place of apt-get records what it is asked for, and installs nothing but `zsh`."""
    installs = f"test $1 = update || ln -s {sys.executable} {bare}/zsh"
    (bare / "apt-get").write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin\necho "$@" >> {tmp_path}/asked\n{installs}\n')
    (bare / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(bare))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("CI", raising=False)
    assert "zsh" in programs.missing(["suite"])
    assert programs.ensure_programs(["suite"]) == ""
    assert "zsh" not in programs.missing(["suite"])
    update, install = (tmp_path / "asked").read_text().splitlines()
    assert update == "update -qq"
    assert {"zsh", "ksh", "gnupg"} <= set(install.split()) - {"postgresql", "puppet-agent"} == set(install.split())
    assert f"apt-get {install.replace(' -y -qq', '')}\n" in capfd.readouterr().out
    monkeypatch.setenv("CI", "true")
    assert "'ksh' is missing: apt-get install ksh" in programs.ensure_programs(["suite"])


def test_nobody_else_installs_anything(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "apt-get").write_text("#!/bin/sh\nexit 1\n")
    (bare / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(bare))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(programs, "_apt_get", lambda *_: pytest.fail("installs"))
    monkeypatch.delenv("CI", raising=False)
    assert programs.ensure_programs(["suite"]) == ""


def test_in_ci_a_missing_program_fails_before_the_first_test(bare: Path, tmp_path: Path) -> None:
    result = run_suite(bare, tmp_path, CI="true")
    assert result.returncode == 1
    assert "'zsh' is missing: apt-get install zsh" in result.stderr
    assert not (tmp_path / "logs").exists()


def test_a_failure_of_a_program_that_is_there_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert missing_program(FileNotFoundError(2, "No such file or directory", "git")) == ""
    assert missing_program(FileNotFoundError(2, "No such file or directory", "some/file")) == ""
    assert missing_program(ValueError("zsh")) == ""
    monkeypatch.setenv("PATH", "")
    assert "'zsh'" in missing_program(FileNotFoundError(2, "No such file or directory", "zsh"))
    monkeypatch.setenv("CI", "true")
    assert missing_program(FileNotFoundError(2, "No such file or directory", "zsh")) == ""


@pytest.mark.parametrize("name", [".ci/run", ".github/CONTRIBUTING.md", ".github/workflows/ci.yml"])
def test_no_other_list_of_programs_exists(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    assert re.findall(r"docker-cli|kubernetes-client|puppet-agent|gnupg|docker-compose", text) == []
