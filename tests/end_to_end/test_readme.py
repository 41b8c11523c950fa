"""The commands on the pages for users are run in order, and print the output shown there."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from envtree import __version__
from tests.checks.sessions import GATE, SESSIONS
from tests.support.envtree_program import write_envtree_program

ROOT = Path(__file__).parents[2]
COMPILE = "python3 -m venv .venv && . .venv/bin/activate && pip install -q '.[sops]' && "
TEST = "python3 tests"
EXAMPLES = ["acme", "broken", "kubiya-api", "minimal"]
# Their commands are run in `test_uses.py`, together with the programs that read the outputs.
USES = ["docker-compose", "kubernetes", "systemd", "direnv"]
# Its commands are run in tests/end_to_end/control_plane, where a control plane is running.
LIVE = "kubiya-live"
PAGES = [
    "README.md",
    "CHANGELOG.md",
    "schema/README.md",
    *(f".github/{name}.md" for name in ("CONTRIBUTING", "PULL_REQUEST_TEMPLATE", "SECURITY")),
    *(f"examples/{name}/README.md" for name in (*EXAMPLES, *USES, LIVE)),
]

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:]*)(?:#([^)]*))?\)")
DIFFERS = re.compile(r"^\d+ files?(?: in .*)? would change$", re.MULTILINE)
FAILED = re.compile(r" error ET\d+:| would change|^--- a/", re.MULTILINE)


class Command(NamedTuple):
    """A command, and the lines that it prints; `…` stands for any lines."""

    text: str
    shown: str

    @property
    def code(self) -> int:
        """The exit code that the shown lines imply."""
        if DIFFERS.search(self.shown):
            return 4
        return 1 if FAILED.search(self.shown) else 0


def read(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def fences(page: str, language: str) -> list[str]:
    """Return the fences of a page in a language, in order."""
    return [content for fence_language, content in FENCE.findall(read(page)) if fence_language == language]


def commands(page: str) -> Iterator[Command]:
    """Yield the commands of all console fences, in order."""
    for fence in fences(page, "console"):
        for part in fence.removeprefix("$ ").split("\n$ "):
            text, _, shown = part.partition("\n")
            yield Command(text, shown.rstrip("\n"))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the examples."""
    shutil.copytree(ROOT / "examples", tmp_path / "copy/examples")
    return tmp_path / "copy"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """Return the environment with this `envtree`, the `sops` beside this Python, and unbuffered output."""
    (tmp_path / "bin").mkdir()
    program = write_envtree_program(tmp_path / "bin")
    path = os.pathsep.join([str(program.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
    # On GitHub findings are printed in another format; the pages show the terminal's.
    inherited = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
    return {**inherited, "PATH": path, "PYTHONUNBUFFERED": "1", "LC_ALL": "C.UTF-8"}


def play(page: str, folder: Path, environ: dict[str, str]) -> None:
    """Run the commands of a page; each must end and print as shown."""
    for command in commands(page):
        if command.text != TEST:
            process = _run(command.text.removeprefix(COMPILE), folder, environ)
            assert process.returncode == command.code, f"{command.text}: {process.stdout}"
            assert _pattern(command.shown).fullmatch(process.stdout), f"{command.text} prints:\n{process.stdout}"


def _run(text: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    # The last line of some programs has no newline.
    command = ["bash", "-c", f"exec 2>&1; {text}"]
    process = subprocess.run(command, check=False, cwd=folder, env=environ, stdout=subprocess.PIPE, text=True)
    process.stdout += "\n" if process.stdout and not process.stdout.endswith("\n") else ""
    return process


def _pattern(shown: str) -> re.Pattern[str]:
    return re.compile("".join(map(_line, shown.splitlines())))


def _line(shown: str) -> str:
    """Return a pattern for a shown line; an ellipsis matches any lines, or any text within a line."""
    return r"(?:.*\n)*" if shown == "…" else re.escape(f"{shown}\n").replace("…", ".+")


def test_the_commands_of_the_readme_print_what_is_shown(copy: Path, environ: dict[str, str]) -> None:
    shutil.copy(ROOT / ".gitignore", copy)
    identity = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *command], cwd=copy, check=True)
    play("README.md", copy, environ)
    status = subprocess.run(["git", "status", "--porcelain"], cwd=copy, check=True, capture_output=True, text=True)
    assert not status.stdout, "the commands leave files in the checkout"


def test_the_readme_names_every_extra_that_its_commands_need() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"].keys()
    described = set(re.findall(r"extra `(\w+)`", read("README.md")))
    assert described == extras - {"test"}


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_commands_of_an_example_print_what_is_shown(example: str, copy: Path, environ: dict[str, str]) -> None:
    play(f"examples/{example}/README.md", copy / "examples" / example, environ)


def test_the_readme_has_one_line_to_compile_and_one_to_test() -> None:
    lines = [command.text for command in commands("README.md") if command.text.startswith("python3")]
    assert [line.startswith(COMPILE) for line in lines] == [True, False]
    assert lines[1] == TEST
    assert TEST in read(".ci/run")


def test_the_bundles_hold_what_sops_decrypts(copy: Path, environ: dict[str, str]) -> None:
    line = next(command.text for command in commands("README.md") if command.text.startswith(COMPILE))
    assert _run(line.removeprefix(COMPILE), copy, environ).returncode == 0
    tree, bundles = copy / "examples/acme", [json.loads(file.read_bytes()) for file in copy.rglob("bundle.json")]
    decrypted: dict[str, Any] = {}
    compared = 0
    for bundle in bundles:
        for name, secret in bundle["secrets"].items():
            source = secret["source"]
            decrypted[source] = decrypted.get(source) or _decrypted(tree, source, environ)
            value = decrypted[source]
            for key in secret["path"].split("."):
                value = value[key]
            assert bundle["env_vars"][name] == value, f"{name} of {bundle['id']}"
            compared += 1
    assert len(bundles) == 38
    assert compared > 38


def _decrypted(tree: Path, path: str, environ: dict[str, str]) -> Any:
    command = ["sops", "decrypt", "--output-type", "json", path]
    environ = {**environ, "SOPS_AGE_KEY_FILE": "age.key"}
    return json.loads(subprocess.run(command, check=True, cwd=tree, env=environ, stdout=subprocess.PIPE).stdout)


def test_the_steps_for_ci_pass(copy: Path, environ: dict[str, str]) -> None:
    key = (copy / "examples/acme/age.key").read_text(encoding="utf-8")
    shown = [yaml.safe_load(fence) for fence in fences("README.md", "yaml")]
    steps = [step for data in shown if isinstance(data, list) for step in data]
    assert len(steps) == 2
    for step in steps:
        process = _run(step["run"], copy / "examples/acme", environ | dict.fromkeys(step.get("env", ()), key))
        assert process.returncode == 0, process.stdout


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    file = ROOT / page
    for target, anchor in LINK.findall(read(page)):
        linked = file.parent / target if target else file
        assert linked.exists(), target
        assert not anchor or anchor in _anchors(linked), f"{target}#{anchor}"


def _anchors(page: Path) -> set[str]:
    """Return the anchors of the headings, as GitHub derives them."""
    titles = HEADING.findall(FENCE.sub("", page.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_contributing_names_every_session() -> None:
    page = read(".github/CONTRIBUTING.md")
    rows = re.findall(r"^\| `python tests ([\w-]+)` \| (yes)? ?\| (yes)? ?\|", page, re.MULTILINE)
    assert rows == [(name, "yes" * session.in_gate, "yes" * session.in_full) for name, session in SESSIONS.items()]


def test_ci_runs_every_session_of_the_gate() -> None:
    matrix = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]["gate"]["strategy"]["matrix"]
    assert sorted(" ".join(matrix["sessions"]).split()) == sorted(GATE)


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[?([\d.]+)", read("CHANGELOG.md"), re.MULTILINE)
    assert versions[0] == __version__
