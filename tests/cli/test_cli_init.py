"""`envtree init`: it writes all files or none, and prints commands that can be pasted."""

import re
import resource
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from envtree.cli import invoke
from tests.support.command_line import RunCommand, write_files

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_init_writes_a_tree_that_compiles_without_findings(envtree: RunCommand, tmp_path: Path) -> None:
    demo = tmp_path / "new" / "Demo 1"
    ran = envtree("init", str(demo))
    assert ran.code == 0
    assert all(Path(line).exists() for line in ran.out.splitlines())
    checked = envtree("-C", str(demo), "check", "--strict")
    assert checked == (0, "", "checked 2 bundles of 1 agent: no errors\n")
    for file in demo.rglob("*.yaml"):
        schema = re.match(r"# yaml-language-server: \$schema=(\S+)\n", file.read_text())
        assert schema
        assert (file.parent / schema[1]).is_file()


def test_a_project_changes_the_defaults_of_init(envtree: RunCommand, tmp_path: Path) -> None:
    assert envtree("init", str(tmp_path)).code == 0
    (tmp_path / "agents/assistant.yaml").unlink()
    project = "key: SHOP\nexecution_environment: {env_vars: {LOG_LEVEL: warning}}\n"
    write_files(tmp_path, {"projects/shop/project.yaml": project, "projects/shop/agents/clerk.yaml": ""})
    assert envtree("-C", str(tmp_path), "get", "shop/clerk@production", "LOG_LEVEL").out == "warning\n"


@pytest.mark.parametrize("example", sorted(path.parent for path in EXAMPLES.glob("*/organization.yaml")))
def test_no_environment_of_an_example_has_defaults(example: Path) -> None:
    """A value that every environment inherits hides those of projects, unless it differs by environment."""
    for path in example.glob("environments/*.yaml"):
        data = {} if path.name.endswith(".secrets.yaml") else yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if data.get("abstract") and not data.get("inherits"):
            computed = [value for section in data["execution_environment"].values() for value in section.values()]
            assert all("${{" in str(value) for value in computed), path


def test_init_says_what_to_do_next(envtree: RunCommand, tmp_path: Path) -> None:
    demo = tmp_path / "Demo Dir$(x)"
    words = envtree("init", str(demo)).err
    show = "show default/assistant@production"
    assert words == f"next: envtree -C '{demo}' check\nthen: envtree -C '{demo}' {show}\n"
    for line in words.splitlines():
        assert invoke(shlex.split(line.partition(": envtree ")[2])) == 0


def test_init_overwrites_nothing(envtree: RunCommand, tmp_path: Path) -> None:
    (tmp_path / "agents").mkdir()
    (tmp_path / "agents/assistant.yaml").write_text("mine\n")
    ran = envtree("init", str(tmp_path))
    assert ran.code == 1
    assert ran.err.startswith("error ET807: '" + str(tmp_path / "agents/assistant.yaml") + "' exists")
    assert not (tmp_path / "organization.yaml").exists()


@pytest.mark.parametrize("existing", [False, True])
def test_init_that_fails_leaves_nothing(existing: bool, envtree: RunCommand, tmp_path: Path) -> None:
    demo = tmp_path / "deep/demo"
    if existing:
        write_files(demo, {"README.md": "mine\n", "environments/mine.txt": "mine\n"})
    before = sorted(tmp_path.rglob("*"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))
    try:
        ran = envtree("init", str(demo))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (ran.code, ran.out) == (3, "")
    assert "file too large" in ran.err
    assert sorted(tmp_path.rglob("*")) == before
    assert envtree("init", str(demo)).code == 0


def test_init_that_is_interrupted_leaves_nothing(
    envtree: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.mkdir

    def mkdir(path: Path, *arguments: Any, **options: Any) -> None:
        if path.name == "agents":
            raise KeyboardInterrupt
        real(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", mkdir)
    assert envtree("init", str(tmp_path / "demo")).code == 130
    assert not (tmp_path / "demo").exists()
