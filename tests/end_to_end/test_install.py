"""The README's first command on a machine with Python and git only, with an empty home, by pip and by uv."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.test_readme import COMPILE, commands
from tests.support.waiting import LONG_PATIENCE

pytestmark = pytest.mark.registry

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
COMMAND = next(command for command in commands("README.md") if command.text.startswith(COMPILE))


def pythons() -> dict[str, str]:
    """Return the interpreters of this machine by version; a script on PATH that only finds one is none."""
    found = {}
    for version in VERSIONS:
        for folder in os.environ["PATH"].split(os.pathsep):
            path = Path(folder, f"python{version}").resolve()
            if version not in found and path.is_file() and path.read_bytes()[:2] != b"#!":
                found[version] = str(path)
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the files that git tracks."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    for name in map(os.fsdecode, listed.split(b"\0")[:-1]):
        target = tmp_path / "checkout" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    return tmp_path / "checkout"


def run(script: str, folder: Path, programs: dict[str, str]) -> str:
    """Run a script with some programs on PATH, and the settings of registries that this machine has."""
    bare = folder.parent / "bare"
    bare.mkdir()
    for name, path in programs.items():
        (bare / name).symlink_to(path)
    home = folder.parent / "home"
    home.mkdir()
    private = ("VIRTUAL_ENV", "PYTHON", "SOPS", "ENVTREE", "XDG_")
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(private)}
    environ = {**inherited, "PATH": str(bare), "HOME": str(home)}
    result = subprocess.run(
        ["/bin/sh", "-ec", script],
        cwd=folder,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG_PATIENCE,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout + result.stderr


def assert_bundles(folder: Path, shown: str) -> None:
    """Check that the command ends with what the README shows, and that the bundles are where it says."""
    assert shown.rstrip("\n").splitlines()[-1] == COMMAND.shown
    assert len(list((folder / "out").rglob("bundle.json"))) == 38


@pytest.mark.parametrize("python", pythons().values(), ids=pythons().keys())
def test_the_first_command_of_the_readme(python: str, checkout: Path) -> None:
    shown = run(COMMAND.text, checkout, {"python3": python, "git": shutil.which("git") or ""})
    assert_bundles(checkout, shown)


def test_the_same_with_uv(checkout: Path) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent))
    assert uv, "the extra test brings uv"
    compile_ = COMMAND.text.removeprefix(COMPILE)
    install = f"uv tool install --quiet --python '{sys.executable}' '.[sops]'"
    shown = run(f'{install} && export PATH="$HOME/.local/bin" && {compile_}', checkout, {"uv": uv})
    assert_bundles(checkout, shown)
