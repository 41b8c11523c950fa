"""Every code has a page with two examples: the wrong one reports that code alone, the right one reports nothing.

The files of an example are added to those below. A `*.secrets.yaml` is shown in plain text and encrypted for the test,
unless it contains `sops` itself. Without commands, the example is checked; commands run in its folder, and the output
of the last one counts.
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
from tests.support.envtree_program import write_envtree_program
from tests.support.trees import check
from tests.support.waiting import LONG_PATIENCE, PATIENCE

PAGES = Path(__file__).parents[3] / "compiler/envtree/diagnostics/pages"
HEAD = {"name": "acme", "edition": 2026, "default_model": "anthropic/claude-sonnet-4-5"}
BASE = {
    "organization.yaml": "",
    "environments/production.yaml": "description: For everybody.\n",
}
# An agent at the root excludes projects, so it is moved to the first project of an example that has one.
AGENT = {"agents/helper.yaml": "description: Answers questions.\n"}
PROJECT = re.compile(r"projects/[^/]+/")
# Disabled except on their own pages: every example with a secrets file would report them.
DISABLED = ("ET650", "ET651")
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PATH = re.compile(r"# (\S+)\n")
REPORTED = re.compile(r"\b(?:error|warning|info) (ET\d{3})\b")
# These need a control plane, and are tested in tests/end_to_end/control_plane.
ELSEWHERE = {code for code in CODES if code.startswith("ET9")}
# Shortens the timeouts for pages whose example waits for one.
SHORT_TIMEOUTS = """
from envtree.secrets import sops
from envtree.output import write
sops.SopsDecrypter.__init__.__kwdefaults__["timeout"] = 1.0
write.write.__kwdefaults__["wait"] = 1.0
"""
SEARCH_PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


class Example(NamedTuple):
    """One example: files by path, and commands."""

    files: dict[str, str]
    commands: str


def split(text: str) -> tuple[str, str, Example, Example]:
    """Split a page into title line, prose, and both examples."""
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
    """Return the files of an example together with the files that every tree needs."""
    project_folder = next((match[0] for match in map(PROJECT.match, sorted(files)) if match), "")
    complete = {**BASE, **{project_folder + path: text for path, text in AGENT.items()}, **files}
    has_secrets = any(".secrets." in path for path in files)
    disabled = {other: "off" for other in DISABLED if other != code and has_secrets}
    head = HEAD | ({"lint": disabled} if disabled else {})
    complete["organization.yaml"] = _with_head(complete["organization.yaml"], head)
    return complete


def _with_head(text: str, head: dict[str, Any]) -> str:
    """Append the required keys of organization.yaml that a page does not show."""
    missing = [f"{key}: {flow_text(value)}\n" for key, value in head.items() if not re.search(rf"^{key}\b", text, re.M)]
    return text + ("" if text.endswith("\n") or not text else "\n") + "".join(missing)


def _sealed(path: str, text: str) -> str:
    if ".secrets." not in path or re.search(r"^sops:|ENC\[", text, re.M):
        return text
    return flow_text(seal(yaml.safe_load(text))) + "\n"


def codes(code: str, example: Example, folder: Path, search_path: str = SEARCH_PATH, **variables: str) -> set[str]:
    """Return the codes that an example reports."""
    files = tree(code, example.files)
    if not example.commands:
        return set(check({path: _sealed(path, text) for path, text in files.items()}).codes)
    _write(files, folder)
    *setup, last = example.commands.splitlines()
    environ = {"PATH": search_path, "HOME": str(folder.parent), "LC_ALL": "C.UTF-8", **variables}
    if "sleep" in example.commands:
        (folder.parent / "sitecustomize.py").write_text(SHORT_TIMEOUTS)
        environ["PYTHONPATH"] = str(folder.parent)
    for command in setup:
        subprocess.run(
            ["bash", "-c", command], cwd=folder, env=environ, check=True, capture_output=True, timeout=PATIENCE
        )
    process = subprocess.run(
        ["bash", "-c", last],
        cwd=folder,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=LONG_PATIENCE,
    )
    reported = set(REPORTED.findall(process.stdout + process.stderr))
    return reported or ({f"exit {process.returncode}"} if process.returncode else set())


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
def test_page_explains_its_code(code: str) -> None:
    title, prose, *_ = split(read_page(code))
    assert title == f"# {code}: {CODES[code].title}"
    assert len(prose.split()) > 15, "say what it means, and why it matters"


@pytest.fixture(scope="module")
def search_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The path of the programs, with an `envtree` that starts faster than Python."""
    program = write_envtree_program(tmp_path_factory.mktemp("programs"))
    return os.pathsep.join([str(program.parent), SEARCH_PATH])


@pytest.mark.parametrize("code", sorted(CODES.keys() - ELSEWHERE))
def test_page(code: str, tmp_path: Path, search_path: str) -> None:
    *_, wrong, right = split(read_page(code))
    for name in ("wrong", "right"):
        (tmp_path / name).mkdir()
    assert codes(code, wrong, tmp_path / "wrong", search_path) == {code}
    assert codes(code, right, tmp_path / "right", search_path) == set()
