"""A tree at a commit is what a checkout of it would be."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from envtree.cli.support.session import tree_request
from envtree.output.emit import bundle_json
from envtree.sources.git_revision import RevisionTree
from envtree.sources.tree import FILE_LIMIT, DirectoryTree, EntryType, ReadProblem, Tree, TreeEntry
from envtree.system.git.objects import resolve_commit
from tests.support.command_line import TREE, write_files
from tests.support.trees import start_run
from tests.unit.system.test_git import run, write

ACME = Path(__file__).parents[3] / "examples/acme"


def asked(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path, message: str = "one") -> str:
    run(root, "add", "-A")
    run(root, "commit", "-q", "--allow-empty", "-m", message)
    return asked(root, "rev-parse", "HEAD")


def at(root: Path, revision: str = "HEAD", folder: str = "") -> RevisionTree:
    return RevisionTree(root, folder, resolve_commit(root, revision), revision)


def meaning(tree: Tree) -> tuple[list[Any], dict[str, Any]]:
    """All that a run finds in a tree, and all that it makes of it."""
    run = start_run(tree_request(tree))
    bundles = {bundle.target.id: bundle_json(bundle, "ref") for bundle in run.bundles()}
    return [finding.diagnostic for finding in run.outcome().findings], bundles


def everything(tree: Tree, folder: str = "") -> dict[TreeEntry, bytes | ReadProblem | None]:
    """Every entry but the hidden ones, with the bytes of what is no folder."""
    found: dict[TreeEntry, bytes | ReadProblem | None] = {}
    for entry in tree.entries(folder):
        if entry.name.startswith("."):
            continue
        found[entry] = None if entry.type is EntryType.FOLDER else tree.read(entry.path)
        if entry.type is EntryType.FOLDER:
            found |= everything(tree, entry.path)
    return found


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    run(tmp_path, "init", "-q", "-b", "main", "repository")
    return tmp_path / "repository"


@pytest.fixture
def tree(repository: Path) -> Path:
    """A small tree that is committed."""
    write_files(repository, TREE)
    commit(repository)
    return repository


# The same as a checkout.


@pytest.mark.parametrize("folder", ["", "config/acme", ":c/a*b"])
def test_the_example_is_what_its_checkout_is(repository: Path, folder: str) -> None:
    shutil.copytree(ACME, repository / folder, dirs_exist_ok=True)
    write(repository, "config/acme-2/organization.yaml", "name: other\n")
    commit(repository)
    revision, directory = at(repository, folder=folder), DirectoryTree(repository / folder)
    assert not revision.is_empty
    findings, bundles = meaning(directory)
    assert len(bundles) == 38
    assert meaning(revision) == (findings, bundles)
    assert everything(revision) == everything(directory)


def test_an_older_commit_is_read_and_not_what_lies_in_the_folder(tree: Path) -> None:
    before = meaning(DirectoryTree(tree))
    write_files(tree, {"environments/base.yaml": "nonsense: 1\n", "environments/more.yaml": "{}\n"})
    (tree / "projects/shop/agents/clerk.yaml").unlink()
    assert meaning(at(tree)) == before
    commit(tree, "two")
    assert meaning(at(tree)) == meaning(DirectoryTree(tree)) != before
    assert meaning(at(tree, "HEAD~1")) == before


@pytest.mark.parametrize("folder", ["nothing", "organization.yaml", "environments", "link"])
def test_a_folder_without_an_organization_is_empty(tree: Path, folder: str) -> None:
    link(tree, "link", ".")
    commit(tree, "two")
    assert at(tree, folder=folder).is_empty


LINKS = {
    "environments/inside.yaml": "base.yaml",
    "environments/chain.yaml": "inside.yaml",
    "environments/far.yaml": "../other/./file.txt",
    "environments/through.yaml": "../other/in/x.yaml",
    # The folder above what a link leads to is not that above the link.
    "environments/above.yaml": "../other/in/../file.txt",
    "environments/around.yaml": "../../tree/environments/base.yaml",
    "environments/outside.yaml": "../../outside.yaml",
    "environments/absolute.yaml": "/etc/hostname",
    "environments/out-and-in.yaml": "../../../repository/outside.yaml",
    "environments/dangling.yaml": "nothing.yaml",
    "environments/below-a-file.yaml": "base.yaml/x",
    "environments/circle.yaml": "circle.yaml",
    "environments/one.yaml": "two.yaml",
    "environments/two.yaml": "one.yaml",
    "environments/hidden.yaml": "../.hidden/x.yaml",
    "environments/git.yaml": "../../.git/config",
    "environments/dotted.yaml": "../.env",
    "environments/folder.yaml": "../teams",
    "environments/root.yaml": "..",
    "environments/parent.txt": "../..",
    "other/in": "deep/er",
    "policies": "environments",
    "skills": "../shared",
    "jobs": "nowhere",
    "teams/t/agents": "../../projects/shop/agents",
    ".linked.yaml": "organization.yaml",
}


def test_t80_links_lead_where_they_do_on_disk(repository: Path) -> None:
    root = repository / "tree"
    write_files(root, TREE)
    write_files(repository, {"outside.yaml": "{}\n", "shared/x.yaml": "{}\n"})
    write_files(
        root, {"other/file.txt": "{}\n", "other/deep/file.txt": "abstract: true\n", "other/deep/er/x.yaml": "{}\n"}
    )
    write_files(root, {".hidden/x.yaml": "{}\n", ".env": "A=1\n", "teams/t/team.yaml": "{}\n"})
    for path, target in LINKS.items():
        link(root, path, target)
    commit(repository)
    revision, directory = at(repository, folder="tree"), DirectoryTree(root)
    expected = everything(directory)
    assert everything(revision) == expected
    assert expected[TreeEntry("environments/above.yaml", EntryType.LINK)] == b"abstract: true\n"
    assert (
        expected[TreeEntry("environments/around.yaml", EntryType.LINK)]
        == (root / "environments/base.yaml").read_bytes()
    )
    assert sum(isinstance(read, bytes) for read in expected.values()) > 8
    assert meaning(revision) == meaning(directory)


def test_an_absolute_link_leads_outside_wherever_it_was_committed(tree: Path) -> None:
    link(tree, "environments/absolute.yaml", str(tree / "environments/base.yaml"))
    commit(tree, "two")
    told = at(tree).read("environments/absolute.yaml")
    assert isinstance(told, ReadProblem)
    assert told.code == "ET121"


def test_t80_more_links_in_a_row_than_a_system_follows_lead_nowhere(tree: Path) -> None:
    link(tree, "environments/0.yaml", "base.yaml")
    for n in range(1, 60):
        link(tree, f"environments/{n}.yaml", f"{n - 1}.yaml")
    commit(tree, "two")
    assert at(tree).read("environments/30.yaml") == (tree / "environments/base.yaml").read_bytes()
    told = at(tree).read("environments/50.yaml")
    assert isinstance(told, ReadProblem)
    assert told.code == "ET120"


def test_a_target_that_no_system_has_leads_nowhere(tree: Path) -> None:
    done = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], input=b"a/" * 5000, cwd=tree, check=True, capture_output=True
    )
    run(tree, "update-index", "--add", "--cacheinfo", f"120000,{done.stdout.decode().strip()},environments/x.yaml")
    run(tree, "commit", "-q", "-m", "two")
    told = at(tree).read("environments/x.yaml")
    assert isinstance(told, ReadProblem)
    assert told.code == "ET120"


def test_bytes_are_those_of_the_commit(tree: Path) -> None:
    content = {"a": b"a: 1\r\nb: |\r\n  x\r\n", "b": b"\xef\xbb\xbfa: 1\n", "c": b"\xff\xfe", "d": b"", "e": b"a: 1"}
    content |= {"limit": b"#" * FILE_LIMIT, "large": b"#" * (FILE_LIMIT + 1)}
    for name, data in content.items():
        (tree / f"environments/{name}.yaml").write_bytes(data)
    commit(tree, "two")
    revision, directory = at(tree), DirectoryTree(tree)
    assert everything(revision) == everything(directory)
    assert revision.read("environments/a.yaml") == content["a"]
    assert isinstance(revision.read("environments/large.yaml"), ReadProblem)
    assert revision.read("environments/large.yaml", limit=FILE_LIMIT + 1) == content["large"]
    assert meaning(revision) == meaning(directory)


def test_an_executable_file_is_a_file(tree: Path) -> None:
    (tree / "environments/base.yaml").chmod(0o755)
    commit(tree, "two")
    assert everything(at(tree)) == everything(DirectoryTree(tree))


def test_a_committed_file_counts_though_git_ignores_it(tree: Path) -> None:
    write(tree, ".gitignore", "*.yaml\n")
    commit(tree, "two")
    assert meaning(at(tree)) == meaning(DirectoryTree(tree))


def test_an_output_folder_is_none_at_a_commit_either(tree: Path) -> None:
    write_files(
        tree, {f"{folder}/manifest.json": '{"envtree": "1"}' for folder in ("out", "environment", "projects/shop")}
    )
    write_files(tree, {f"{folder}/a.yaml": "{}" for folder in ("out", "environment", "projects/shop/x")})
    commit(tree, "two")
    found = meaning(DirectoryTree(tree))
    assert [finding.span.path for finding in found[0]] == ["projects/shop/manifest.json", "projects/shop/x/a.yaml"]
    assert meaning(at(tree)) == found


# Odd names.

NAMES = ["a\nb", "-rf", "--output=x", "a\u202eb", 'a"b', "a'b", ":(glob)x", "a\\b", "a\tb", "w[1]*", "\udcff", "ä"]


@pytest.mark.parametrize("name", NAMES)
def test_t89_odd_names_are_names(tree: Path, name: str) -> None:
    write_files(
        tree, {f"environments/{name}.yaml": "{}\n", f"teams/{name}/team.yaml": "{}\n", f"{name}/x.yaml": "{}\n"}
    )
    link(tree, "environments/linked.yaml", f"{name}.yaml")
    link(tree, f"jobs/{name}.yaml", "x")
    commit(tree, "two")
    revision, directory = at(tree), DirectoryTree(tree)
    assert everything(revision) == everything(directory)
    assert meaning(revision) == meaning(directory)
    assert at(tree, folder=name).entries("") == (TreeEntry("x.yaml", EntryType.FILE),)


def test_t89_names_that_only_a_forged_commit_has_lead_to_no_file(tree: Path, tmp_path: Path) -> None:
    write(tmp_path, "secret.yaml", "canary: 1\n")
    blob = asked(tree, "rev-parse", "HEAD:organization.yaml")
    inner = b"".join(b"100644 %s\0%s" % (name, bytes.fromhex(blob)) for name in (b"../x.yaml", b"..", b"a//b.yaml"))
    done = subprocess.run(
        ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
        input=inner,
        cwd=tree,
        check=True,
        capture_output=True,
    )
    forged = asked(
        tree, "-c", "user.name=t", "-c", "user.email=t@t", "commit-tree", "-m", "x", done.stdout.decode()[:40]
    )
    told = everything(at(tree, forged))
    assert b"canary" not in b"".join(data for data in told.values() if isinstance(data, bytes))
    assert meaning(at(tree, forged))[1] == {}


# As many processes for many files as for few.


def processes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    started: list[tuple[str, ...]] = []
    real = subprocess.run

    def counting(command: tuple[str, ...], **named: Any) -> Any:
        started.append(command)
        return real(command, **named)

    monkeypatch.setattr(subprocess, "run", counting)
    return started


def many(count: int) -> Mapping[str, str]:
    agents = {f"projects/shop/agents/a{n}.yaml": f"name: a{n}\n" for n in range(count)}
    outputs = {f"projects/x{n}/manifest.json": f'{{"envtree": "{n}"}}' for n in range(count)}
    return agents | outputs | {f"other/{n}.txt": f"# {n}\n" for n in range(count)}


def test_however_many_files_there_are_git_is_asked_as_often(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(repository, TREE)
    counts: list[int] = []
    for number in (2, 1000):
        write_files(repository, many(number))
        for n in range(number):
            (repository / f"jobs/j{n}.yaml").unlink(missing_ok=True)
            link(repository, f"jobs/j{n}.yaml", f"../other/{n}.txt")
        commit(repository, "more")
        started = processes(monkeypatch)
        found = everything(at(repository))
        counts.append(len(started))
        monkeypatch.undo()
        assert found == everything(DirectoryTree(repository))
    assert counts[0] == counts[1] <= 6
