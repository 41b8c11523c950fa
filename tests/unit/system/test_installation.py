"""Hints that name an extra fit the way in which envtree was installed."""

import json
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from envtree.system.installation import extra_hint

COMMIT = "4f2a9c1" + 33 * "0"
CHECKOUT = {"url": "file:///home/me/my%20tree", "dir_info": {"editable": True}}
FOLDER = {"url": "file:///src/envtree", "dir_info": {}}
REVISION = {"url": "https://example.com/envtree", "vcs_info": {"vcs": "git", "commit_id": COMMIT}}

# Files of the environment, the installer, its record of the origin, and the hint.
HINTS: dict[str, tuple[str, str, Mapping[str, object], str]] = {
    "pip": ("", "pip", {}, "run: pip install 'envtree[sops]'"),
    "pip-of-a-checkout": ("", "pip", CHECKOUT, "run: pip install -e '/home/me/my tree[sops]'"),
    "pip-of-a-folder": ("", "pip", FOLDER, "run: pip install '/src/envtree[sops]'"),
    "pip-of-a-commit": (
        "",
        "pip",
        REVISION,
        f"run: pip install 'envtree[sops] @ git+https://example.com/envtree@{COMMIT}'",
    ),
    "uv": ("", "uv", {}, "run: uv pip install 'envtree[sops]'"),
    "uv-tool": ("uv-receipt.toml", "uv", FOLDER, "run: uv tool install --force '/src/envtree[sops]'"),
    "pipx": ("pipx_metadata.json", "pip", {}, "run: pipx install --force 'envtree[sops]'"),
}


def record(prefix: Path, files: Mapping[str, str]) -> None:
    """Write the records of an installer."""
    folder = prefix / "lib/envtree-0.1.0.dist-info"
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An activated environment."""
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin/python"
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path / "lib"))
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path


@pytest.mark.parametrize("name", HINTS)
def test_the_hint_fits_the_installation(name: str, prefix: Path) -> None:
    file, installer, origin, hint = HINTS[name]
    if file:
        (prefix / file).touch()
    files = {"INSTALLER": f"{installer}\n"} | ({"direct_url.json": json.dumps(origin)} if origin else {})
    record(prefix, files)
    assert extra_hint("sops") == hint


def test_without_activation_the_hint_names_the_interpreter(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record(prefix, {"INSTALLER": "pip\n"})
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert shutil.which("python") != sys.executable
    assert extra_hint("kubiya") == f"run: {prefix}/bin/python -m pip install 'envtree[kubiya]'"
    assert extra_hint("") == f"run: {prefix}/bin/python -m pip install envtree"


def test_a_program_that_no_installer_knows(prefix: Path) -> None:
    assert extra_hint("sops") == "run: pip install 'envtree[sops]'"


def test_records_in_the_current_folder_are_not_read(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = prefix / "here/envtree-9.dist-info"
    planted.mkdir(parents=True)
    (planted / "INSTALLER").write_text("pip\n")
    (planted / "direct_url.json").write_text(json.dumps(REVISION))
    monkeypatch.chdir(planted.parent)
    monkeypatch.syspath_prepend(str(planted.parent))
    assert extra_hint("sops") == "run: pip install 'envtree[sops]'"
