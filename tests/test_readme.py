"""README.md is true: its commands are run, in order, and print what it shows."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SET_UP = re.compile(r"python3 -m venv \.venv && \. \.venv/bin/activate && pip install (-e )?'\.\[(\w+)\]' && (.+)")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


class Command(NamedTuple):
    """A command, and the lines that it prints; `…` stands for any lines."""

    text: str
    shown: str

    @property
    def code(self) -> int:
        """The exit code that the shown lines stand for."""
        return 1 if " error ET" in self.shown else 0


def commands() -> list[Command]:
    """The commands of all console fences, in order."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    parts = (part for fence in CONSOLE.findall(page) for part in fence.removeprefix("$ ").split("\n$ "))
    return [Command(text, shown.rstrip("\n")) for text, _, shown in (part.partition("\n") for part in parts)]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of what a clone holds of the examples, as the folder to stand in."""
    shutil.copytree(ROOT / "examples", tmp_path / "copy/examples")
    return tmp_path / "copy"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """The environment with this `envtree` and the `sops` beside this Python; unbuffered, as a terminal shows it."""
    program = tmp_path / "bin/envtree"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m envtree "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    path = os.pathsep.join([str(program.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1"}


def test_commands_print_what_is_shown(copy: Path, environ: dict[str, str]) -> None:
    for command in commands():
        set_up = SET_UP.fullmatch(command.text)
        text = set_up[3] if set_up else command.text
        if text.startswith("pytest"):
            continue
        done = _run(text, copy, environ)
        assert done.returncode == command.code, f"{text}: {done.stdout}"
        assert _pattern(command.shown).fullmatch(done.stdout), f"{text} prints:\n{done.stdout}"


def _run(text: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = ["bash", "-c", f"exec 2>&1; {text}"]
    return subprocess.run(command, check=False, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)


def _pattern(shown: str) -> re.Pattern[str]:
    return re.compile("".join(r"(?:.*\n)*" if line == "…" else re.escape(f"{line}\n") for line in shown.splitlines()))


def test_both_set_up_commands_are_one_line_each() -> None:
    found = [match for match in (SET_UP.fullmatch(command.text) for command in commands()) if match]
    assert [(match[1], match[2]) for match in found] == [(None, "sops"), ("-e ", "test")]
    assert found[1][3] == "pytest -n auto"


@pytest.mark.parametrize("page", ["README.md", "schema/README.md", ".github/CONTRIBUTING.md", ".github/SECURITY.md"])
def test_links_lead_somewhere(page: str) -> None:
    file = ROOT / page
    for target in LINK.findall(file.read_text(encoding="utf-8")):
        assert (file.parent / target).exists(), target
