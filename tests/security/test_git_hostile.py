"""Submodules, worktrees, alternates and replacements that are made to run programs or to show another tree."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import write_files
from tests.support.secrets_tree import SecretsTree, make_secrets_tree

COMMANDS = [
    ("check",),
    ("diff", "HEAD~1", "HEAD"),
    ("check", "--changed-since", "HEAD~1"),
    ("compile", "--secrets", "ref", "-o", "out"),
    ("secrets", "audit"),
]


@pytest.fixture
def tree(tmp_path: Path) -> SecretsTree:
    tree = make_secrets_tree(tmp_path)
    tree.git("init", "-q", "-b", "main")
    tree.commit()
    write_files(tree.root, {"agents/more.yaml": "description: d\n"})
    tree.commit()
    return tree


def hostile_settings(marker: Path) -> str:
    run = f"touch {marker}"
    return f"""
[core]
    fsmonitor = {run}
    sshCommand = {run}
    pager = {run}
    editor = {run}
    hooksPath = {marker.parent}
[filter "x"]
    clean = {run}
    smudge = {run}
    process = {run}
    required = true
[diff "x"]
    textconv = {run}
    command = {run}
[diff]
    external = {run}
[credential]
    helper = !{run}
[submodule "inner"]
    update = !{run}
    url = ext::sh -c {run}
    active = true
[submodule]
    recurse = true
[remote "origin"]
    url = ext::sh -c {run}
    promisor = true
    uploadpack = {run}
[alias]
    rev-parse = !{run}
    cat-file = !{run}
"""


def run_all(tree: SecretsTree, marker: Path) -> None:
    for command in COMMANDS:
        result = tree.run(*command)
        assert result.code in (0, 1, 2, 3), (command, result)
        assert (result.code == 2) <= ("--changed-since" in command or "diff" in command)
        assert "Traceback" not in result.err
        assert not marker.exists(), command


def test_t106_no_submodule_runs_a_program(tree: SecretsTree, tmp_path: Path) -> None:
    marker, inner = tmp_path / "ran", tmp_path / "inner"
    write_files(inner, {"project.yaml": "key: INNER\n"})
    for arguments in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "x")):
        tree.git("-C", str(inner), *arguments)
    tree.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "docs/inner")
    write_files(tree.root, {".gitattributes": "* filter=x diff=x\n"})
    tree.commit()
    settings = hostile_settings(marker)
    for folder in (tree.root / ".git", tree.root / ".git/modules/docs/inner"):
        (folder / "config").write_text((folder / "config").read_text() + settings)
    (tree.root / ".gitmodules").write_text(settings)
    run_all(tree, marker)
    # Without its repository, a submodule may be a file that leads anywhere.
    (tree.root / "docs/inner/.git").write_text(f"gitdir: {tmp_path}/none\n")
    run_all(tree, marker)


def test_t106_no_worktree_runs_a_program(tree: SecretsTree, tmp_path: Path) -> None:
    marker, other = tmp_path / "ran", tmp_path / "other"
    tree.git("worktree", "add", "-q", str(other))
    (tree.root / ".git/config").write_text((tree.root / ".git/config").read_text() + hostile_settings(marker))
    run_all(tree._replace(root=other), marker)
    # A worktree that leads to a folder with a configuration of its own.
    fake = tmp_path / "fake"
    write_files(fake, {"HEAD": "ref: refs/heads/main\n", "config": hostile_settings(marker)})
    for folder in ("objects", "refs"):
        (fake / folder).mkdir()
    (other / ".git").write_text(f"gitdir: {fake}\n")
    run_all(tree._replace(root=other), marker)


def test_t106_a_replacement_shows_no_other_tree(tree: SecretsTree) -> None:
    honest = tree.run("diff", "HEAD~1", "HEAD", "--output-format", "json")
    old = tree.git("rev-parse", "HEAD:agents/more.yaml").strip()
    write_files(tree.root, {"new.yaml": "description: e\n"})
    new = tree.git("hash-object", "-w", "new.yaml").strip()
    (tree.root / "new.yaml").unlink()
    tree.git("replace", old, new)
    tree.git("replace", tree.git("rev-parse", "HEAD").strip(), tree.git("rev-parse", "HEAD~1").strip())
    shown = tree.run("diff", "HEAD~1", "HEAD", "--output-format", "json", "--no-cache")
    assert json.loads(shown.out) == json.loads(honest.out)


def test_t106_alternates_give_objects_by_their_names_only(tree: SecretsTree, tmp_path: Path) -> None:
    """Objects of another repository can be read, as the repository says, but are those with the requested hashes."""
    honest = tree.run("diff", "HEAD~1", "HEAD", "--output-format", "json")
    objects = tree.root / ".git/objects"
    elsewhere = tmp_path / "elsewhere"
    objects.rename(elsewhere)
    (objects / "info").mkdir(parents=True)
    (objects / "info/alternates").write_text(f"{elsewhere}\n")
    shown = tree.run("diff", "HEAD~1", "HEAD", "--output-format", "json", "--no-cache")
    assert json.loads(shown.out) == json.loads(honest.out)
    for text in (f"{objects}\n", "../../../../../../etc\n", "\0\n"):
        (objects / "info/alternates").write_text(text)
        assert tree.run("diff", "HEAD~1", "HEAD", "--no-cache").code in (2, 3)
