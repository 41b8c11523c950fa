"""A tree at a commit gives the same result as a checkout of the commit."""

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


def revision_tree(root: Path, revision: str = "HEAD", folder: str = "") -> RevisionTree:
    return RevisionTree(root, folder, resolve_commit(root, revision), revision)


def run_results(tree: Tree) -> tuple[list[Any], dict[str, Any]]:
    """Return the findings and the bundles of a run over a tree."""
    run = start_run(tree_request(tree))
    bundles = {bundle.target.id: bundle_json(bundle, "ref") for bundle in run.bundles()}
    return [finding.diagnostic for finding in run.outcome().findings], bundles


def read_all(tree: Tree, folder: str = "") -> dict[TreeEntry, bytes | ReadProblem | None]:
    """Return every entry except hidden ones, with the result of reading it unless it is a folder."""
    contents: dict[TreeEntry, bytes | ReadProblem | None] = {}
    for entry in tree.entries(folder):
        if entry.name.startswith("."):
            continue
        contents[entry] = None if entry.type is EntryType.FOLDER else tree.read(entry.path)
        if entry.type is EntryType.FOLDER:
            contents |= read_all(tree, entry.path)
    return contents


def link(root: Path, path: str, target: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).symlink_to(target)


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


# Equivalence to a checkout.


@pytest.mark.parametrize("folder", ["", "config/acme", ":c/a*b"])
def test_the_example_equals_its_checkout(repository: Path, folder: str) -> None:
    shutil.copytree(ACME, repository / folder, dirs_exist_ok=True)
    write(repository, "config/acme-2/organization.yaml", "name: other\n")
    commit(repository)
    revision, directory = revision_tree(repository, folder=folder), DirectoryTree(repository / folder)
    assert not revision.is_empty
    findings, bundles = run_results(directory)
    assert len(bundles) == 38
    assert run_results(revision) == (findings, bundles)
    assert read_all(revision) == read_all(directory)


def test_an_older_commit_is_read_instead_of_the_folder(tree: Path) -> None:
    committed = run_results(DirectoryTree(tree))
    write_files(tree, {"environments/base.yaml": "nonsense: 1\n", "environments/more.yaml": "{}\n"})
    (tree / "projects/shop/agents/clerk.yaml").unlink()
    assert run_results(revision_tree(tree)) == committed
    commit(tree, "two")
    assert run_results(revision_tree(tree)) == run_results(DirectoryTree(tree)) != committed
    assert run_results(revision_tree(tree, "HEAD~1")) == committed


@pytest.mark.parametrize("folder", ["nothing", "organization.yaml", "environments", "link"])
def test_a_folder_without_an_organization_is_empty(tree: Path, folder: str) -> None:
    link(tree, "link", ".")
    commit(tree, "two")
    assert revision_tree(tree, folder=folder).is_empty


LINKS = {
    "environments/inside.yaml": "base.yaml",
    "environments/chain.yaml": "inside.yaml",
    "environments/far.yaml": "../other/./file.txt",
    "environments/through.yaml": "../other/in/x.yaml",
    # `..` behind a link is the parent of the link's target, not of the link.
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
    revision, directory = revision_tree(repository, folder="tree"), DirectoryTree(root)
    expected = read_all(directory)
    assert read_all(revision) == expected
    assert expected[TreeEntry("environments/above.yaml", EntryType.LINK)] == b"abstract: true\n"
    assert (
        expected[TreeEntry("environments/around.yaml", EntryType.LINK)]
        == (root / "environments/base.yaml").read_bytes()
    )
    assert sum(isinstance(content, bytes) for content in expected.values()) > 8
    assert run_results(revision) == run_results(directory)


def test_an_absolute_link_leads_outside_wherever_it_was_committed(tree: Path) -> None:
    link(tree, "environments/absolute.yaml", str(tree / "environments/base.yaml"))
    commit(tree, "two")
    problem = revision_tree(tree).read("environments/absolute.yaml")
    assert isinstance(problem, ReadProblem)
    assert problem.code == "ET121"


def test_t80_more_links_in_a_row_than_a_system_follows_lead_nowhere(tree: Path) -> None:
    link(tree, "environments/0.yaml", "base.yaml")
    for n in range(1, 60):
        link(tree, f"environments/{n}.yaml", f"{n - 1}.yaml")
    commit(tree, "two")
    assert revision_tree(tree).read("environments/30.yaml") == (tree / "environments/base.yaml").read_bytes()
    problem = revision_tree(tree).read("environments/50.yaml")
    assert isinstance(problem, ReadProblem)
    assert problem.code == "ET120"


def test_a_target_that_no_system_has_leads_nowhere(tree: Path) -> None:
    process = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], input=b"a/" * 5000, cwd=tree, check=True, capture_output=True
    )
    run(tree, "update-index", "--add", "--cacheinfo", f"120000,{process.stdout.decode().strip()},environments/x.yaml")
    run(tree, "commit", "-q", "-m", "two")
    problem = revision_tree(tree).read("environments/x.yaml")
    assert isinstance(problem, ReadProblem)
    assert problem.code == "ET120"


def test_bytes_are_those_of_the_commit(tree: Path) -> None:
    content = {"a": b"a: 1\r\nb: |\r\n  x\r\n", "b": b"\xef\xbb\xbfa: 1\n", "c": b"\xff\xfe", "d": b"", "e": b"a: 1"}
    content |= {"limit": b"#" * FILE_LIMIT, "large": b"#" * (FILE_LIMIT + 1)}
    for name, data in content.items():
        (tree / f"environments/{name}.yaml").write_bytes(data)
    commit(tree, "two")
    revision, directory = revision_tree(tree), DirectoryTree(tree)
    assert read_all(revision) == read_all(directory)
    assert revision.read("environments/a.yaml") == content["a"]
    assert isinstance(revision.read("environments/large.yaml"), ReadProblem)
    assert revision.read("environments/large.yaml", limit=FILE_LIMIT + 1) == content["large"]
    assert run_results(revision) == run_results(directory)


def test_an_executable_file_is_a_file(tree: Path) -> None:
    (tree / "environments/base.yaml").chmod(0o755)
    commit(tree, "two")
    assert read_all(revision_tree(tree)) == read_all(DirectoryTree(tree))


def test_a_committed_file_counts_though_git_ignores_it(tree: Path) -> None:
    write(tree, ".gitignore", "*.yaml\n")
    commit(tree, "two")
    assert run_results(revision_tree(tree)) == run_results(DirectoryTree(tree))


def test_an_output_folder_is_none_at_a_commit_either(tree: Path) -> None:
    write_files(
        tree, {f"{folder}/manifest.json": '{"envtree": "1"}' for folder in ("out", "environment", "projects/shop")}
    )
    write_files(tree, {f"{folder}/a.yaml": "{}" for folder in ("out", "environment", "projects/shop/x")})
    commit(tree, "two")
    expected = run_results(DirectoryTree(tree))
    assert [finding.span.path for finding in expected[0]] == ["projects/shop/manifest.json", "projects/shop/x/a.yaml"]
    assert run_results(revision_tree(tree)) == expected


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
    revision, directory = revision_tree(tree), DirectoryTree(tree)
    assert read_all(revision) == read_all(directory)
    assert run_results(revision) == run_results(directory)
    assert revision_tree(tree, folder=name).entries("") == (TreeEntry("x.yaml", EntryType.FILE),)


def test_t89_names_that_only_a_forged_commit_has_lead_to_no_file(tree: Path, tmp_path: Path) -> None:
    write(tmp_path, "secret.yaml", "canary: 1\n")
    blob = asked(tree, "rev-parse", "HEAD:organization.yaml")
    names = (b"../x.yaml", b"..", b"a//b.yaml")
    tree_object = b"".join(b"100644 %s\0%s" % (name, bytes.fromhex(blob)) for name in names)
    process = subprocess.run(
        ["git", "hash-object", "-w", "-t", "tree", "--literally", "--stdin"],
        input=tree_object,
        cwd=tree,
        check=True,
        capture_output=True,
    )
    forged = asked(
        tree, "-c", "user.name=t", "-c", "user.email=t@t", "commit-tree", "-m", "x", process.stdout.decode()[:40]
    )
    contents = read_all(revision_tree(tree, forged))
    assert b"canary" not in b"".join(data for data in contents.values() if isinstance(data, bytes))
    assert run_results(revision_tree(tree, forged))[1] == {}


# The number of git processes does not depend on the number of files.


def record_processes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Record the command lines of all processes that are started."""
    started: list[tuple[str, ...]] = []
    real = subprocess.run

    def recording_run(command: tuple[str, ...], **keywords: Any) -> Any:
        started.append(command)
        return real(command, **keywords)

    monkeypatch.setattr(subprocess, "run", recording_run)
    return started


def many_files(count: int) -> Mapping[str, str]:
    agents = {f"projects/shop/agents/a{n}.yaml": f"name: a{n}\n" for n in range(count)}
    outputs = {f"projects/x{n}/manifest.json": f'{{"envtree": "{n}"}}' for n in range(count)}
    return agents | outputs | {f"other/{n}.txt": f"# {n}\n" for n in range(count)}


def test_the_number_of_git_processes_is_constant(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_files(repository, TREE)
    counts: list[int] = []
    for number in (2, 1000):
        write_files(repository, many_files(number))
        for n in range(number):
            (repository / f"jobs/j{n}.yaml").unlink(missing_ok=True)
            link(repository, f"jobs/j{n}.yaml", f"../other/{n}.txt")
        commit(repository, "more")
        started = record_processes(monkeypatch)
        contents = read_all(revision_tree(repository))
        counts.append(len(started))
        monkeypatch.undo()
        assert contents == read_all(DirectoryTree(repository))
    assert counts[0] == counts[1] <= 6
