"""Queries to the real git, which must not run anything that a repository configures."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from envtree.model.diagnostic import MachineError
from envtree.system import git


def run(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def write(root: Path, path: str, text: str = "a: 1\n") -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    run(root, "init", "-q", "-b", "main")
    return root


def test_repository_root_looks_upwards_even_from_a_missing_folder(repository: Path, tmp_path: Path) -> None:
    assert git.repository_root(repository / "a" / "missing") == repository
    assert git.repository_root(repository) == repository
    assert git.repository_root(tmp_path) is None


def test_ignored_files_and_folders(repository: Path) -> None:
    write(repository, ".gitignore", "local.yaml\nbuild/\n")
    paths = ["environments/local.yaml", "environments/dev.yaml", "projects/build", "projects/build/a/b.yaml"]
    for path in (paths[0], paths[1], paths[3]):
        write(repository, path)
    assert git.find_ignored(repository, paths) == {paths[0], paths[2], paths[3]}


def test_a_tracked_file_is_never_ignored(repository: Path) -> None:
    write(repository, ".gitignore", "*.yaml\n")
    write(repository, "kept/a.yaml")
    write(repository, "kept/b.yaml")
    run(repository, "add", "-f", "kept/a.yaml")
    assert git.find_ignored(repository, ["kept", "kept/a.yaml", "kept/b.yaml"]) == {"kept/b.yaml"}


def test_a_tree_below_the_repository_root(repository: Path) -> None:
    write(repository, ".gitignore", "/config/jobs/b.yaml\n")
    write(repository, "config/jobs/a.yaml")
    write(repository, "config/jobs/b.yaml")
    assert git.find_ignored(repository / "config", ["jobs/a.yaml", "jobs/b.yaml"]) == {"jobs/b.yaml"}


def test_the_files_of_a_submodule_are_checked_in_the_submodule(repository: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    run(inner, "init", "-q", "-b", "main")
    write(inner, ".gitignore", "draft.yaml\n")
    run(inner, "add", "-A")
    run(inner, "commit", "-q", "-m", "one")
    run(repository, "submodule", "--quiet", "add", str(inner), "projects/shop")
    write(repository, "projects/shop/draft.yaml")
    write(repository, "projects/draft.yaml")
    paths = ["projects/shop/draft.yaml", "projects/shop/project.yaml", "projects/draft.yaml"]
    assert git.find_ignored(repository, paths) == {"projects/shop/draft.yaml"}


def test_ignore_rules_of_the_user_do_not_count(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "home/ignore", "*.yaml\n")
    write(tmp_path, "home/.gitconfig", f"[core]\n\texcludesFile = {tmp_path}/home/ignore\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    run(repository, "config", "core.excludesFile", str(tmp_path / "home/ignore"))
    assert git.find_ignored(repository, ["a.yaml"]) == frozenset()


def test_outside_a_repository_nothing_is_ignored_or_tracked(tmp_path: Path) -> None:
    assert git.find_ignored(tmp_path, ["a.yaml"]) == frozenset()
    assert not git.is_git_tracked(tmp_path)


def test_a_worktree_copied_without_its_repository(tmp_path: Path) -> None:
    write(tmp_path, ".git", "gitdir: /nowhere/at/all\n")
    assert git.find_ignored(tmp_path, ["a.yaml"]) == frozenset()
    with pytest.raises(MachineError, match="ls-files"):
        git.is_git_tracked(tmp_path)


def test_without_git_a_repository_cannot_be_read_or_written(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(repository.parent))
    for query in (lambda: git.is_git_tracked(repository / "out"), lambda: git.find_ignored(repository, ["a.yaml"])):
        with pytest.raises(MachineError, match="git is needed") as caught:
            query()
        assert caught.value.code == "ET805"
        assert caught.value.hint
    assert git.find_ignored(tmp_path, ["a.yaml"]) == frozenset()
    assert not git.is_git_tracked(tmp_path)


def test_a_broken_repository_fails_closed(repository: Path) -> None:
    (repository / ".git/index").write_bytes(b"no index")
    with pytest.raises(MachineError):
        git.is_git_tracked(repository / "out")


def test_tracked(repository: Path) -> None:
    write(repository, "out/a/bundle.json")
    write(repository, "other/x")
    assert not git.is_git_tracked(repository / "out")
    run(repository, "add", "out")
    assert git.is_git_tracked(repository / "out")
    assert git.is_git_tracked(repository)
    assert not git.is_git_tracked(repository / "other")
    assert not git.is_git_tracked(repository / "out2")
    shutil.rmtree(repository / "out")
    assert git.is_git_tracked(repository / "out"), "a folder that is gone is tracked all the same"


def test_tracked_looks_through_links(repository: Path, tmp_path: Path) -> None:
    write(repository, "out/a")
    run(repository, "add", "-A")
    (tmp_path / "link").symlink_to(repository / "out")
    assert git.is_git_tracked(tmp_path / "link")


@pytest.mark.parametrize("name", ["-x", "--output=y", ":(exclude)a", "w[1]*", "a\nb", "@f", "\udcff"])
def test_t52_t89_odd_names_are_names(repository: Path, name: str) -> None:
    write(repository, f"{name}/a.yaml")
    write(repository, "z/a.yaml")
    write(repository, ".gitignore", "a.yaml\n")
    assert not git.is_git_tracked(repository / name)
    assert git.find_ignored(repository, [f"{name}/a.yaml"]) == {f"{name}/a.yaml"}
    run(repository, "add", "-f", "--", f":(literal){name}")
    assert git.is_git_tracked(repository / name)
    assert not git.is_git_tracked(repository / "z")
    assert git.find_ignored(repository, [f"{name}/a.yaml"]) == frozenset()


def test_t88_nothing_that_the_repository_configures_runs(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker, program = tmp_path / "marker", tmp_path / "program"
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{marker}'\n")
    program.chmod(0o755)
    write(repository, ".gitignore", "b.yaml\n")
    write(repository, ".gitattributes", "*.yaml filter=evil diff=evil\n")
    for key in ("core.fsmonitor", "diff.external", "core.pager", "core.sshCommand", "core.editor"):
        run(repository, "config", key, str(program))
    for key in ("filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "alias.ls-files"):
        run(repository, "config", key, f"!{program}" if key.startswith("alias") else str(program))
    run(repository, "config", "core.hooksPath", str(tmp_path / "hooks"))
    (tmp_path / "hooks").mkdir()
    for hook in ("post-index-change", "fsmonitor-watchman", "query-watchman"):
        shutil.copy(program, tmp_path / "hooks" / hook)
    for name in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "GIT_SSH_COMMAND", "GIT_EDITOR"):
        monkeypatch.setenv(name, str(program))
    write(repository, "a.yaml")
    subprocess.run(["git", "status"], cwd=repository, check=False, capture_output=True)
    assert marker.exists(), "the trap works"
    marker.unlink()
    assert git.find_ignored(repository, ["a.yaml", "b.yaml"]) == {"b.yaml"}
    assert not git.is_git_tracked(repository)
    assert not marker.exists()


def test_t88_variables_of_git_are_not_passed_on(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repository, "out/a")
    run(repository, "add", "-A")
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_CONFIG_PARAMETERS", "GIT_EXEC_PATH"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert git.is_git_tracked(repository / "out")


def test_t88_a_bare_repository_among_the_files_is_not_used(repository: Path) -> None:
    write(repository, "out/a")
    run(repository, "add", "-A")
    run(repository, "init", "-q", "--bare", "out/bare")
    assert not git.is_git_tracked(repository / "out" / "bare")
    assert git.is_git_tracked(repository / "out")


@pytest.fixture
def separate_work_tree(tmp_path: Path) -> Path:
    """Return a work tree whose repository is in another folder, as is common for dotfiles."""
    work_tree = tmp_path / "home"
    write(work_tree, "out/a/bundle.json")
    write(work_tree, "other/x")
    options = ("--git-dir", str(tmp_path / "dotfiles"), "--work-tree", str(work_tree))
    run(work_tree, "init", "-q", "--bare", str(tmp_path / "dotfiles"))
    run(work_tree, *options, "add", "out")
    return work_tree


@pytest.mark.parametrize("directory", ["home", "home/other", "."])
@pytest.mark.parametrize("spelling", ["absolute", "relative"])
def test_tracked_by_the_repository_that_variables_name(
    separate_work_tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, directory: str, spelling: str
) -> None:
    assert not git.is_git_tracked(separate_work_tree / "out")
    monkeypatch.chdir(tmp_path / directory)
    for name, path in (("GIT_DIR", tmp_path / "dotfiles"), ("GIT_WORK_TREE", separate_work_tree)):
        monkeypatch.setenv(name, str(path) if spelling == "absolute" else os.path.relpath(path))
    assert git.is_git_tracked(separate_work_tree / "out")
    assert git.is_git_tracked(separate_work_tree / "out/a")
    assert git.is_git_tracked(separate_work_tree)
    assert not git.is_git_tracked(separate_work_tree / "other")
    assert not git.is_git_tracked(separate_work_tree / "new")
    assert not git.is_git_tracked(tmp_path / "outside")


def test_variables_as_a_hook_has_them(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(repository, "out/a")
    write(repository, "other/x")
    run(repository, "add", "out")
    monkeypatch.chdir(repository)
    monkeypatch.setenv("GIT_DIR", ".git")
    monkeypatch.setenv("GIT_INDEX_FILE", ".git/index")
    assert git.is_git_tracked(repository / "out")
    assert not git.is_git_tracked(repository / "other")


def test_variables_that_lead_nowhere_fail_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(MachineError, match="GIT_DIR") as caught:
        git.is_git_tracked(tmp_path / "out")
    assert caught.value.code == "ET805"
    assert "unset" in caught.value.hint


def test_t60_git_inherits_no_key(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub = tmp_path / "bin" / "git"
    write(tmp_path, "bin/git", f"#!{sys.executable} -I\nimport os\nprint(*os.environ, sep='\\0', end='\\0')\n")
    stub.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(stub.parent), ".", "", str(repository), os.environ["PATH"]]))
    for name in ("SOPS_AGE_KEY", "SOPS_AGE_KEY_FILE", "VAULT_TOKEN", "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "ANY"):
        monkeypatch.setenv(name, "x")
    outputs: list[bytes] = []
    real = subprocess.run

    def recording_run(*arguments: Any, **keywords: Any) -> Any:
        process = real(*arguments, **keywords)
        outputs.append(process.stdout)
        assert "." not in keywords["env"]["PATH"].split(os.pathsep)
        assert str(repository) not in keywords["env"]["PATH"].split(os.pathsep)
        return process

    monkeypatch.setattr(subprocess, "run", recording_run)
    git.is_git_tracked(repository)
    inherited = {name.decode() for name in outputs[0].split(b"\0") if name} - {"LC_CTYPE"}
    allowed = {"PATH", "HOME", "TMPDIR", "DEVELOPER_DIR", "LC_ALL"}
    assert {name for name in inherited if not name.startswith("GIT_")} <= allowed


@pytest.mark.parametrize("entry", [".", "", "bin"])
def test_t53_a_git_in_the_working_directory_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    write(tmp_path, f"{entry or '.'}/git", f"#!/bin/sh\ntouch '{tmp_path}/marker'\n")
    (tmp_path / entry / "git").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{entry}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(MachineError, match="not trusted"):
        git.is_git_tracked(repository)
    assert not (tmp_path / "marker").exists()


def test_t53_a_git_of_the_repository_around_a_submodule_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repository, "bin/git", f"#!/bin/sh\ntouch '{tmp_path}/marker'\n")
    (repository / "bin/git").chmod(0o755)
    (repository / "inner/.git").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{repository / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(MachineError, match="not trusted"):
        git.find_ignored(repository, ["inner/a.yaml"])
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("location", ["inside", "linked", "writable"])
def test_t53_a_planted_git_is_refused(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str
) -> None:
    folders = {"inside": repository / "bin", "linked": tmp_path / "linked", "writable": tmp_path / "writable"}
    (repository / "bin").mkdir()
    (tmp_path / "linked").symlink_to(repository / "bin")
    (tmp_path / "writable").mkdir()
    (tmp_path / "writable").chmod(0o777)
    marker = tmp_path / "marker"
    planted = folders[location] / "git"
    planted.write_text(f"#!/bin/sh\ntouch '{marker}'\n")
    planted.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folders[location]}{os.pathsep}{os.environ['PATH']}")
    for query in (lambda: git.is_git_tracked(repository), lambda: git.find_ignored(repository, ["a.yaml"])):
        with pytest.raises(MachineError, match="not trusted"):
            query()
    assert not marker.exists()


def test_a_slow_git_times_out(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(git.process, "_TIMEOUT", 0.2)
    with pytest.raises(MachineError, match="took longer"):
        git.is_git_tracked(repository)
