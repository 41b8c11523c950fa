"""Revisions and repositories of all kinds: reading them runs nothing, writes nothing and fetches nothing."""

import shutil
import subprocess
from pathlib import Path

import pytest

from envtree.model.diagnostic import MachineError
from envtree.sources.tree import DirectoryTree, EntryType, TreeEntry
from envtree.system.git import process
from envtree.system.git.objects import UnknownRevisionError, find_merge_base, resolve_commit
from tests.support.command_line import TREE, write_files
from tests.unit.sources.test_git_revision import asked, commit, link, revision_tree, run_results
from tests.unit.system.test_git import run, write


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run(tmp_path, "init", "-q", "-b", "main", "repository")
    return tmp_path / "repository"


@pytest.fixture
def tree(repository: Path) -> Path:
    """Return a small committed tree."""
    write_files(repository, TREE)
    commit(repository)
    return repository


# Revisions.

UNKNOWN_REVISIONS = [
    "--output=x",
    "-x",
    "--all",
    "--branches",
    "--",
    "-",
    "",
    " ",
    "HEAD:",
    "HEAD:environments",
    "HEAD:organization.yaml",
]
UNKNOWN_REVISIONS += [
    "HEAD..HEAD",
    "HEAD...HEAD",
    "^HEAD",
    "HEAD^!",
    "HEAD^@",
    ":/nothing",
    ":/[",
    "@{-1}",
    "HEAD@{99999}",
    "@{u}",
]
UNKNOWN_REVISIONS += [
    "HEAD^{tree}",
    "HEAD^{blob}",
    "HEAD^{commit",
    "HEAD:../x",
    "@{upstream}@{1}",
    "blob",
    "tree",
    "a\nb",
    "\udcff",
]
UNKNOWN_REVISIONS += [
    "0" * 40,
    "f" * 40,
    "refs/heads/*",
    "HEAD~99999999999999999999",
    "$(touch x)",
    ":organization.yaml",
    "main.lock",
]
KNOWN_REVISIONS = [
    "HEAD",
    "main",
    "@",
    "HEAD^0",
    "HEAD^{}",
    "HEAD^{commit}",
    ":/one",
    "annotated",
    "refs/heads/main",
    "HEAD^{/one}",
]


def modification_times(root: Path) -> dict[str, int]:
    return {str(path): path.lstat().st_mtime_ns for path in root.rglob("*")}


@pytest.fixture
def tagged(tree: Path) -> Path:
    for name, target in (("blob", "HEAD:organization.yaml"), ("tree", "HEAD^{tree}"), ("annotated", "HEAD")):
        run(tree, "tag", "-a", "-m", "x", name, target)
    return tree


@pytest.mark.parametrize("revision", UNKNOWN_REVISIONS)
def test_t90_a_name_of_no_commit_is_unknown(tagged: Path, revision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tagged)
    before = modification_times(tagged)
    with pytest.raises(UnknownRevisionError) as caught:
        resolve_commit(tagged, revision)
    assert (caught.value.revision, caught.value.is_shallow) == (revision, False)
    assert modification_times(tagged) == before


@pytest.mark.parametrize("revision", KNOWN_REVISIONS)
def test_t90_a_name_of_a_commit_is_resolved(tagged: Path, revision: str) -> None:
    before = modification_times(tagged)
    assert resolve_commit(tagged, revision) == asked(tagged, "rev-parse", "HEAD")
    assert modification_times(tagged) == before


def test_the_merge_base_of_two_revisions(tree: Path) -> None:
    base = asked(tree, "rev-parse", "HEAD")
    main = commit(tree, "two")
    run(tree, "checkout", "-q", "-b", "side", base)
    side = commit(tree, "three")
    run(tree, "checkout", "-q", "--orphan", "alone")
    alone = commit(tree, "four")
    assert find_merge_base(tree, main, side) == base
    assert find_merge_base(tree, main, alone) is None


# Kinds of repositories.


def test_a_worktree(tree: Path, tmp_path: Path) -> None:
    run(tree, "worktree", "add", "-q", "-b", "side", str(tmp_path / "work"))
    write_files(tmp_path / "work", {"environments/more.yaml": "{}\n"})
    commit(tmp_path / "work", "two")
    assert run_results(revision_tree(tmp_path / "work")) == run_results(DirectoryTree(tmp_path / "work"))
    assert run_results(revision_tree(tmp_path / "work", "main")) == run_results(DirectoryTree(tree))


def test_a_repository_with_sha256(tmp_path: Path) -> None:
    root = tmp_path / "modern"
    write_files(root, TREE)
    run(root, "init", "-q", "-b", "main", "--object-format=sha256")
    assert len(commit(root)) == 64
    assert run_results(revision_tree(root)) == run_results(DirectoryTree(root))


def test_t88_a_bare_repository_is_refused(tree: Path, tmp_path: Path) -> None:
    run(tmp_path, "clone", "-q", "--bare", str(tree), "bare.git")
    with pytest.raises(MachineError, match="rev-parse"):
        resolve_commit(tmp_path / "bare.git", "HEAD")


def test_a_broken_repository_is_no_unknown_revision(tree: Path, tmp_path: Path) -> None:
    (tree / ".git/HEAD").write_text("nonsense")
    with pytest.raises(MachineError, match="rev-parse") as caught:
        resolve_commit(tree, "main")
    assert caught.value.code == "ET805"
    with pytest.raises(MachineError, match="rev-parse"):
        resolve_commit(tmp_path, "main")


def test_a_repository_without_a_commit(repository: Path) -> None:
    with pytest.raises(UnknownRevisionError):
        resolve_commit(repository, "HEAD")


def test_a_shallow_clone_says_so(tree: Path, tmp_path: Path) -> None:
    first = asked(tree, "rev-parse", "HEAD")
    commit(tree, "two")
    run(tmp_path, "clone", "-q", "--depth=1", tree.as_uri(), "shallow")
    assert run_results(revision_tree(tmp_path / "shallow")) == run_results(DirectoryTree(tree))
    for revision in ("HEAD~1", first, "nothing"):
        with pytest.raises(UnknownRevisionError) as caught:
            resolve_commit(tmp_path / "shallow", revision)
        assert caught.value.is_shallow


@pytest.mark.parametrize("filter", ["blob:none", "tree:0"])
def test_t88_what_a_partial_clone_lacks_is_not_fetched(tree: Path, tmp_path: Path, filter: str) -> None:
    run(tree, "config", "uploadpack.allowFilter", "true")
    run(tmp_path, "clone", "-q", "--no-checkout", f"--filter={filter}", tree.as_uri(), "partial")
    marker = make_trap(tmp_path)
    run(tmp_path / "partial", "config", "remote.origin.uploadpack", str(tmp_path / "program"))
    # A git that does not fetch on demand reports the object as missing.
    subprocess.run(
        ["git", "show", "HEAD:organization.yaml"], cwd=tmp_path / "partial", check=False, capture_output=True
    )
    assert marker.exists(), "the trap works"
    marker.unlink()
    with pytest.raises(MachineError, match=r"lacks the object|ls-tree") as caught:
        run_results(revision_tree(tmp_path / "partial"))
    assert caught.value.code == "ET805"
    assert caught.value.hint
    assert not marker.exists()


def test_t88_a_git_that_fetches_by_itself_is_allowed_no_protocol(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """git before 2.45 ignores GIT_NO_LAZY_FETCH, and a repository can allow protocols that are denied in general."""
    run(tree, "config", "uploadpack.allowFilter", "true")
    run(tmp_path, "clone", "-q", "--no-checkout", "--filter=blob:none", tree.as_uri(), "partial")
    marker = make_trap(tmp_path)
    run(tmp_path / "partial", "config", "remote.origin.uploadpack", str(tmp_path / "program"))
    run(tmp_path / "partial", "config", "protocol.file.allow", "always")
    monkeypatch.delitem(process._ENVIRONMENT, "GIT_NO_LAZY_FETCH")
    with pytest.raises(MachineError, match=r"lacks the object|ls-tree"):
        run_results(revision_tree(tmp_path / "partial"))
    assert not marker.exists()


def test_files_that_are_not_read_may_be_missing(tree: Path) -> None:
    write_files(tree, {"docs/large.bin": "x", "projects/shop/notes.txt": "x"})
    link(tree, "docs/link", "large.bin")
    commit(tree, "two")
    for path in ("docs/large.bin", "projects/shop/notes.txt", "docs/link"):
        id = asked(tree, "rev-parse", f"HEAD:{path}")
        (tree / ".git/objects" / id[:2] / id[2:]).unlink(missing_ok=True)
    assert run_results(revision_tree(tree)) == run_results(DirectoryTree(tree))
    with pytest.raises(MachineError, match="lacks the object"):
        revision_tree(tree).read("docs/large.bin")


def test_replacements_do_not_count(tree: Path) -> None:
    expected = run_results(DirectoryTree(tree))
    write_files(tree, {"environments/more.yaml": "{}\n", "organization.yaml": "name: evil\nedition: 2026\n"})
    first, second = asked(tree, "rev-parse", "HEAD"), commit(tree, "two")
    old, new = (asked(tree, "rev-parse", f"{id}:organization.yaml") for id in (first, second))
    run(tree, "replace", first, second)
    run(tree, "replace", old, new)
    assert asked(tree, "show", f"{first}:organization.yaml").startswith("name: evil"), "the replacement works"
    assert run_results(revision_tree(tree, first)) == expected


def test_a_submodule_among_the_sources_is_reported(tree: Path, tmp_path: Path) -> None:
    inner = tmp_path / "inner"
    write_files(inner, {"project.yaml": "key: x\n"})
    run(inner, "init", "-q", "-b", "main")
    commit(inner)
    run(tree, "submodule", "--quiet", "add", str(inner), "docs/inner")
    link(tree, "environments/folder.txt", "../docs/inner")
    commit(tree, "two")
    assert run_results(revision_tree(tree)) == run_results(DirectoryTree(tree))
    assert revision_tree(tree).entries("docs") == (TreeEntry("docs/inner", EntryType.FOLDER),)
    assert revision_tree(tree).entries("environments")[1] == TreeEntry("environments/folder.txt", EntryType.FOLDER_LINK)
    link(tree, "environments/linked.yaml", "../docs/inner/project.yaml")
    commit(tree, "three")
    run(tree, "submodule", "--quiet", "add", str(inner), "projects/inner")
    commit(tree, "four")
    for revision, path in (("HEAD~1", "docs/inner"), ("HEAD", "projects/inner")):
        with pytest.raises(MachineError, match=f"'{path}' is a submodule at '{revision}'") as caught:
            run_results(revision_tree(tree, revision))
        assert caught.value.hint


# Nothing that the repository configures runs.


def make_trap(folder: Path) -> Path:
    """Create a program that leaves a marker when it runs; return the path of the marker."""
    (folder / "program").write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{folder}/marker'\n")
    (folder / "program").chmod(0o755)
    return folder / "marker"


def test_t88_nothing_that_the_repository_configures_runs(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker, program = make_trap(tmp_path), str(tmp_path / "program")
    first = asked(tree, "rev-parse", "HEAD")
    expected = run_results(DirectoryTree(tree))
    write(tree, ".gitattributes", "*.yaml filter=evil diff=evil merge=evil text eol=crlf\n")
    commit(tree, "two")
    keys = (
        "core.fsmonitor diff.external core.pager core.sshCommand core.editor core.askPass gpg.program pager.rev-parse"
    )
    keys += " filter.evil.clean filter.evil.smudge filter.evil.process diff.evil.textconv diff.evil.command"
    keys += " merge.evil.driver credential.helper core.gitProxy core.alternateRefsCommand"
    for key in keys.split():
        run(tree, "config", key, program)
    for name in ("rev-parse", "ls-tree", "cat-file", "merge-base"):
        run(tree, "config", f"alias.{name}", f"!{program}")
    write(tree, ".git/info/attributes", "*.yaml filter=evil diff=evil\n")
    shutil.copytree(tree / ".git/hooks", tmp_path / "hooks", dirs_exist_ok=True)
    for hook in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman", "pre-auto-gc"):
        shutil.copy(program, tmp_path / "hooks" / hook)
        shutil.copy(program, tree / ".git/hooks" / hook)
    run(tree, "config", "core.hooksPath", str(tmp_path / "hooks"))
    for name in ("GIT_EXTERNAL_DIFF", "GIT_PAGER", "PAGER", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_EDITOR"):
        monkeypatch.setenv(name, program)
    subprocess.run(["git", "status"], cwd=tree, check=False, capture_output=True)
    assert marker.exists(), "the trap works"
    marker.unlink()
    before = modification_times(tree)
    for revision in ("HEAD", first, "HEAD~1", "main"):
        assert run_results(revision_tree(tree, revision)) == expected
    assert find_merge_base(tree, first, resolve_commit(tree, "HEAD")) == first
    assert not marker.exists()
    assert modification_times(tree) == before


def test_t88_variables_of_git_are_not_passed_on(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run_results(DirectoryTree(tree))
    names = ("GIT_DIR", "GIT_WORK_TREE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_NAMESPACE")
    for name in (*names, "GIT_CONFIG_PARAMETERS", "GIT_EXEC_PATH", "GIT_REPLACE_REF_BASE", "GIT_TRACE2"):
        monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    assert run_results(revision_tree(tree)) == expected
    assert not (tmp_path / "elsewhere").exists()
