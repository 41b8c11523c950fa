"""The hooks of .pre-commit-hooks.yaml, installed and run by the real pre-commit in separate repositories."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.command_line import ERROR, TREE, write_files

ROOT = Path(__file__).parents[2]
AGENT = "projects/shop/agents/clerk.yaml"


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


class Hooks:
    """The hooks, and a repository that uses them."""

    def __init__(self, folder: Path) -> None:
        self.source, self.repository, self.home = folder / "envtree", folder / "tree", folder / "home"
        shutil.copytree(ROOT, self.source, ignore=_ignore_uninstalled)
        for repository in (self.source, self.repository):
            repository.mkdir(exist_ok=True)
            git(repository, "init", "-q")
            git(repository, "add", "-A")
            git(repository, "commit", "-q", "--allow-empty", "-m", "all")

    def run(self, *changed: str) -> tuple[int, str]:
        """Install and run the hooks as for a commit of some files; return the exit code and the output."""
        git(self.repository, "add", "-A")
        command = [sys.executable, "-m", "pre_commit", "try-repo", str(self.source), "--files", *changed]
        environ = {name: value for name, value in os.environ.items() if name != "GITHUB_ACTIONS"}
        environ |= {"PRE_COMMIT_HOME": str(self.home), "PRE_COMMIT_COLOR": "never", "COLUMNS": "80"}
        process = subprocess.run(command, cwd=self.repository, env=environ, check=False, text=True, capture_output=True)
        return process.returncode, process.stdout


def _ignore_uninstalled(folder: str, names: list[str]) -> set[str]:
    needed = {".pre-commit-hooks.yaml", "pyproject.toml", "README.md", "LICENSE", "compiler", "schema"}
    return set(names) - needed if Path(folder) == ROOT else {name for name in names if name == "__pycache__"}


@pytest.fixture
def hooks(tmp_path: Path) -> Hooks:
    return Hooks(tmp_path)


@pytest.mark.registry
def test_the_hooks_pass_a_tree_without_errors(hooks: Hooks) -> None:
    write_files(hooks.repository, TREE)
    code, shown = hooks.run(AGENT, "README.md")
    assert code == 0, shown
    assert re.search(r"^envtree check\.+Passed$", shown, re.MULTILINE)
    assert re.search(r"^envtree secrets\.+\(no files to check\)Skipped$", shown, re.MULTILINE)


@pytest.mark.registry
def test_the_hooks_refuse_errors_and_readable_secrets(hooks: Hooks) -> None:
    secrets = "environments/production.secrets.yaml"
    write_files(hooks.repository, TREE | {AGENT: ERROR, secrets: "PASSWORD: hunter2\n"})
    code, shown = hooks.run(AGENT, secrets)
    assert code == 1
    assert len(re.findall(r"^envtree (check|secrets)\.+Failed$", shown, re.MULTILINE)) == 2
    assert shown.count(f"{AGENT}:2:3: error ET201") == 2
    assert shown.count(f"{secrets}:1:1: error ET603") == 2
    assert "hunter2" not in shown


def test_files_of_no_tree_start_no_hook() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    patterns = {hook["id"]: re.compile(hook["files"]) for hook in hooks}
    assert set(patterns) == {"envtree-check", "envtree-secrets"}
    for path, starts in {
        "organization.yaml": ["envtree-check"],
        "infra/projects/a/teams/t/agents/b.yml": ["envtree-check"],
        "environments/x.secrets.json": ["envtree-check", "envtree-secrets"],
        "organization.secrets.env": ["envtree-check", "envtree-secrets"],
        "config/.sops.yaml": ["envtree-check", "envtree-secrets"],
        "README.md": [],
        "src/agents.yaml": [],
    }.items():
        assert [id for id, pattern in patterns.items() if pattern.search(path)] == starts, path
