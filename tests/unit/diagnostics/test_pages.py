"""Every code has a page, and both of its examples are true: the wrong one gives that code alone, the right one nothing.

The files of an example lie over those below. A `*.secrets.yaml` is shown as it was before sops encrypted it, unless it
shows `sops` itself. Without commands an example is checked; commands run in its folder, the last one is what counts.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pyrage
import pytest
import yaml

from envtree.diagnostics.codes import CODES
from envtree.diagnostics.pages import read_page
from tests.properties.writing import flow_text, seal
from tests.support.trees import check

PAGES = Path(__file__).parents[3] / "compiler/envtree/diagnostics/pages"
HEAD = {"name": "acme", "edition": 2026, "default_model": "anthropic/claude-sonnet-4-5"}
BASE = {
    "organization.yaml": "",
    "environments/production.yaml": "description: For everybody.\n",
}
# Agents at the root do not go with projects, so there it is in the first project that an example shows.
AGENT = {"agents/helper.yaml": "description: Answers questions.\n"}
PROJECT = re.compile(r"projects/[^/]+/")
# That nobody says where a file belongs, or reads it, would be noise on every other page with a secret.
QUIET = ("ET650", "ET651")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PATH = re.compile(r"# (\S+)\n")
TOLD = re.compile(r"\b(?:error|warning|info) (ET\d{3})\b")
# These need a control plane, and are tried in tests/end_to_end/control_plane.
ELSEWHERE = {code for code in CODES if code.startswith("ET9")}
# What a page waits for in vain need not take half a minute here.
HURRY = """
from envtree.secrets import sops
from envtree.output import write
sops.SopsDecrypter.__init__.__kwdefaults__["timeout"] = 1.0
write.write.__kwdefaults__["wait"] = 1.0
"""
SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


class Example(NamedTuple):
    """Files by path, and commands."""

    files: dict[str, str]
    commands: str


def split(text: str) -> tuple[str, str, Example, Example]:
    """The title line, what is said, and both examples."""
    head, wrong, right = re.split(r"^## (?:Wrong|Right)\n", text, flags=re.MULTILINE)
    title, _, prose = head.partition("\n")
    return title, prose, _example(wrong), _example(right)


def _example(section: str) -> Example:
    files: dict[str, str] = {}
    commands: list[str] = []
    for language, content in FENCE.findall(section):
        if language == "console":
            commands += [line.removeprefix("$ ") for line in content.splitlines() if line.startswith("$ ")]
            continue
        path = PATH.match(content)
        assert path, f"the first line names the file: {content}"
        files[path[1]] = content[path.end() :]
    return Example(files, "\n".join(commands))


def tree(code: str, files: dict[str, str]) -> dict[str, str]:
    """The files of an example over what a tree needs besides."""
    home = next((project[0] for project in map(PROJECT.match, sorted(files)) if project), "")
    found = {**BASE, **{home + path: text for path, text in AGENT.items()}, **files}
    quiet = {each: "off" for each in QUIET if each != code and any(".secrets." in path for path in files)}
    found["organization.yaml"] = _with_head(found["organization.yaml"], HEAD | ({"lint": quiet} if quiet else {}))
    return found


def _with_head(text: str, head: dict[str, Any]) -> str:
    """What organization.yaml must have and a page does not repeat, behind what it shows."""
    missing = [f"{key}: {flow_text(value)}\n" for key, value in head.items() if not re.search(rf"^{key}\b", text, re.M)]
    return text + ("" if text.endswith("\n") or not text else "\n") + "".join(missing)


def _sealed(path: str, text: str) -> str:
    if ".secrets." not in path or re.search(r"^sops:|ENC\[", text, re.M):
        return text
    return flow_text(seal(yaml.safe_load(text))) + "\n"


def codes(code: str, example: Example, folder: Path, **surroundings: str) -> set[str]:
    """The codes that an example gives."""
    files = tree(code, example.files)
    if not example.commands:
        return set(check({path: _sealed(path, text) for path, text in files.items()}).codes)
    _write(files, folder)
    *before, last = example.commands.splitlines()
    environ = {"PATH": SEARCH_PATH, "HOME": str(folder.parent), "LC_ALL": "C.UTF-8", **surroundings}
    if "sleep" in example.commands:
        (folder.parent / "sitecustomize.py").write_text(HURRY)
        environ["PYTHONPATH"] = str(folder.parent)
    for command in before:
        subprocess.run(["bash", "-c", command], cwd=folder, env=environ, check=True, capture_output=True, timeout=60)
    done = subprocess.run(
        ["bash", "-c", last], cwd=folder, env=environ, check=False, capture_output=True, text=True, timeout=120
    )
    return set(TOLD.findall(done.stdout + done.stderr)) or ({f"exit {done.returncode}"} if done.returncode else set())


def _write(files: dict[str, str], folder: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    (folder / "age.key").write_text(f"{identity}\n")
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
        if ".secrets." in path and not re.search(r"^sops:|ENC\[", text, re.M):
            command = ["sops", "encrypt", "--age", str(identity.to_public()), "-i", str(folder / path)]
            subprocess.run(command, check=True, env={"PATH": SEARCH_PATH, "HOME": str(folder)})


def test_every_code_has_a_page_and_every_page_a_code() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} == CODES.keys()


@pytest.mark.parametrize("code", sorted(CODES))
def test_page_says_what_its_code_means(code: str) -> None:
    title, prose, *_ = split(read_page(code))
    assert title == f"# {code}: {CODES[code].title}"
    assert len(prose.split()) > 15, "say what it means, and why it matters"


@pytest.mark.parametrize("code", sorted(CODES.keys() - ELSEWHERE))
def test_page(code: str, tmp_path: Path) -> None:
    *_, wrong, right = split(read_page(code))
    for name in ("wrong", "right"):
        (tmp_path / name).mkdir()
    assert codes(code, wrong, tmp_path / "wrong") == {code}
    assert codes(code, right, tmp_path / "right") == set()
