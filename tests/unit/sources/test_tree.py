"""Trees on disk: only regular files in the root are read, each once, and reading never blocks."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from envtree.model.diagnostic import Diagnostics, MachineError
from envtree.sources import tree as tree_module
from envtree.sources.tree import (
    FILE_LIMIT,
    DirectoryTree,
    EntryType,
    ReadProblem,
    RootNotFoundError,
    TreeEntry,
    find_root,
)
from tests.support.trees import load_sources


@pytest.fixture(autouse=True)
def _no_test_may_block() -> Iterator[None]:
    signal.alarm(20)
    yield
    signal.alarm(0)


def write(root: Path, path: str, text: str = "a: 1\n") -> Path:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)
    return root / path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "root/organization.yaml", "name: acme\n")
    return tmp_path / "root"


def codes(root: Path) -> list[tuple[str, str]]:
    diags = Diagnostics()
    load_sources(DirectoryTree(root), diags)
    return sorted((finding.span.path, finding.code) for finding in diags)


def test_entries_are_sorted_and_typed(root: Path) -> None:
    write(root, "b/x.yaml")
    os.mkfifo(root / "fifo")
    (root / "link").symlink_to("organization.yaml")
    (root / "folder-link").symlink_to("b")
    (root / "dangling").symlink_to("nothing")
    assert DirectoryTree(root).entries("") == (
        TreeEntry("b", EntryType.FOLDER),
        TreeEntry("dangling", EntryType.LINK),
        TreeEntry("fifo", EntryType.SPECIAL),
        TreeEntry("folder-link", EntryType.FOLDER_LINK),
        TreeEntry("link", EntryType.LINK),
        TreeEntry("organization.yaml", EntryType.FILE),
    )
    assert DirectoryTree(root).entries("b") == (TreeEntry("b/x.yaml", EntryType.FILE),)


def test_read_gives_the_bytes(root: Path) -> None:
    data = os.urandom(FILE_LIMIT)
    (root / "large").write_bytes(data)
    (root / "empty").write_bytes(b"")
    tree = DirectoryTree(root)
    assert tree.read("large") == data
    assert tree.read("empty") == b""


def test_a_link_inside_the_tree_is_read(root: Path) -> None:
    write(root, "environments/base.yaml", "b: 2\n")
    (root / "environments/dev.yaml").symlink_to("base.yaml")
    assert DirectoryTree(root).read("environments/dev.yaml") == b"b: 2\n"
    assert codes(root) == []


@pytest.mark.parametrize(
    ("target", "code"),
    [
        ("../../outside.yaml", "ET121"),
        ("/etc/passwd", "ET121"),
        ("hop.yaml", "ET121"),
        ("../../root-sibling/x.yaml", "ET121"),
        ("../.git/config", "ET121"),
        ("../.env", "ET121"),
        ("missing.yaml", "ET120"),
        ("dev.yaml", "ET120"),
        ("../environments", "ET120"),
        ("../fifo", "ET120"),
        ("/dev/zero", "ET121"),
    ],
)
def test_t80_links(root: Path, target: str, code: str) -> None:
    write(root.parent, "outside.yaml", "canary: 1\n")
    write(root.parent, "root-sibling/x.yaml")
    write(root, ".git/config", "[core]\n")
    write(root, ".env")
    os.mkfifo(root / "fifo")
    (root / "environments").mkdir()
    (root / "environments/hop.yaml").symlink_to("../../outside.yaml")
    (root / "environments/dev.yaml").symlink_to(target)
    problem = DirectoryTree(root).read("environments/dev.yaml")
    assert isinstance(problem, ReadProblem)
    assert problem.code == code


def test_t80_a_refused_link_is_a_finding_without_content(root: Path) -> None:
    write(root.parent, "outside.yaml", "canary: 1\n")
    (root / "environments").mkdir()
    (root / "environments/dev.yaml").symlink_to("../../outside.yaml")
    diags = Diagnostics()
    sources = load_sources(DirectoryTree(root), diags)
    assert [source.path for source in sources] == ["organization.yaml"]
    assert [finding.message for finding in diags] == ["'environments/dev.yaml' is a link that leads out of the tree"]


def test_t80_links_to_folders_are_findings_where_a_folder_counts(root: Path) -> None:
    write(root.parent, "outside/dev.yaml")
    (root / "projects").mkdir()
    (root / "environments").symlink_to("../outside")
    (root / "projects/shop").symlink_to("../../outside")
    (root / "docs").symlink_to("../outside")
    assert codes(root) == [("environments", "ET120"), ("projects/shop", "ET120")]


def test_t80_a_link_from_git(root: Path) -> None:
    """Mode 120000, as in a commit of a pull request."""
    write(root.parent, "outside.yaml")
    git = ["git", "-C", str(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    blob = [*git, "hash-object", "-w", "--stdin"]
    name = subprocess.run(blob, input=b"../../outside.yaml", capture_output=True, check=True).stdout.decode().strip()
    entry = f"120000,{name},environments/dev.yaml"
    subprocess.run([*git, "update-index", "--add", "--cacheinfo", entry], check=True)
    subprocess.run([*git, "checkout-index", "-a"], check=True)
    assert codes(root) == [("environments/dev.yaml", "ET121")]


def test_t81_special_files_never_block(root: Path) -> None:
    (root / "environments/folder.yaml").mkdir(parents=True)
    os.mkfifo(root / "environments/fifo.yaml")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "environments/socket.yaml"))
    assert codes(root) == [(f"environments/{name}.yaml", "ET120") for name in ("fifo", "folder", "socket")]
    tree = DirectoryTree(root)
    for name in ("fifo", "folder", "socket"):
        problem = tree.read(f"environments/{name}.yaml")
        assert isinstance(problem, ReadProblem)
        assert problem.code == "ET120"


def test_t81_a_device_is_not_read() -> None:
    problem = DirectoryTree(Path("/dev")).read("zero")
    assert isinstance(problem, ReadProblem)
    assert problem.code == "ET120"


def test_t81_the_root_file_may_be_special_too(root: Path) -> None:
    (root / "organization.yaml").unlink()
    os.mkfifo(root / "organization.yaml")
    assert find_root(root) == root
    assert codes(root) == [("organization.yaml", "ET120")]


def test_t81_a_huge_sparse_file_is_not_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(root, "jobs/huge.yaml")
    os.truncate(path, 1 << 40)
    monkeypatch.setattr(tree_module, "_read_up_to", lambda *_: pytest.fail("read"))
    problem = DirectoryTree(root).read("jobs/huge.yaml")
    assert problem == ReadProblem("ET109", "'jobs/huge.yaml' is larger than 1024 KiB", "split it")


def test_t81_a_file_that_reports_no_size(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files such as those of /proc, or growing files, are read only up to the limit."""
    path = write(root, "jobs/growing.yaml")
    read, total = os.read, 0

    def growing(descriptor: int, size: int) -> bytes:
        nonlocal total
        with path.open("ab") as file:
            file.write(b"#" * size)
        data = read(descriptor, size)
        total += len(data)
        return data

    monkeypatch.setattr(os, "read", growing)
    problem = DirectoryTree(root).read("jobs/growing.yaml")
    assert isinstance(problem, ReadProblem)
    assert problem.code == "ET109"
    assert total == FILE_LIMIT + 1


def test_t86_a_file_is_opened_once_and_hashed_as_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    real = os.open

    def recording_open(path: str, flags: int) -> int:
        opened.append(os.path.basename(path))
        return real(path, flags)

    monkeypatch.setattr(os, "open", recording_open)
    write(root, "jobs/a.yaml")
    job, organization = load_sources(DirectoryTree(root), Diagnostics())
    assert opened == ["a.yaml", "organization.yaml"]
    assert job.digest == sha256(b"a: 1\n").hexdigest()
    assert organization.data == b"name: acme\n"


def test_t80_a_file_that_turns_into_a_link_after_the_listing(root: Path) -> None:
    path = write(root, "jobs/a.yaml")

    class RacingTree(DirectoryTree):
        def read(self, path: str, *, limit: int = FILE_LIMIT) -> bytes | ReadProblem:
            if path == "jobs/a.yaml":
                (self.root / path).unlink()
                (self.root / path).symlink_to("/etc/passwd")
            return super().read(path, limit=limit)

    diags = Diagnostics()
    assert [source.path for source in load_sources(RacingTree(root), diags)] == ["organization.yaml"]
    assert [finding.code for finding in diags] == ["ET121"]
    assert path.is_symlink()


def test_a_vanished_file_is_a_failure(root: Path) -> None:
    with pytest.raises(MachineError) as caught:
        DirectoryTree(root).read("jobs/a.yaml")
    assert (caught.value.code, caught.value.message) == (
        "ET805",
        "cannot read 'jobs/a.yaml': no such file or directory",
    )
    with pytest.raises(MachineError, match="cannot read 'jobs'"):
        DirectoryTree(root).entries("jobs")


def test_an_unreadable_file_is_a_failure(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", denied)
    with pytest.raises(MachineError, match="permission denied") as caught:
        DirectoryTree(root).read("organization.yaml")
    assert (caught.value.code, caught.value.hint) == ("ET805", "check its permissions")


def test_find_root_from_inside(root: Path) -> None:
    write(root, "projects/shop/project.yaml")
    assert find_root(root) == root
    assert find_root(root / "projects" / "shop") == root


def test_find_root_through_a_link_is_the_physical_one(root: Path, tmp_path: Path) -> None:
    write(root, "jobs/a.yaml")
    (tmp_path / "link").symlink_to(root / "jobs")
    assert find_root(tmp_path / "link") == root


def test_t91_never_above_the_repository(root: Path) -> None:
    (root / "app/.git").mkdir(parents=True)
    (root / "app/src").mkdir()
    with pytest.raises(RootNotFoundError) as caught:
        find_root(root / "app/src")
    assert caught.value.searched == (root / "app/src", root / "app")
    assert caught.value.message == f"no 'organization.yaml' in '{root}/app/src' or above it up to '{root}/app'"


def test_t91_never_above_a_ceiling(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (root / "a/b").mkdir(parents=True)
    monkeypatch.setenv("ENVTREE_CEILING_DIRECTORIES", f"relative{os.pathsep}{root}/a")
    with pytest.raises(RootNotFoundError) as caught:
        find_root(root / "a/b")
    assert caught.value.searched == (root / "a/b", root / "a")
    monkeypatch.setenv("ENVTREE_CEILING_DIRECTORIES", str(root))
    assert find_root(root / "a/b") == root


@pytest.mark.parametrize("own", ["root", "organization.yaml"])
def test_t91_a_root_of_another_user_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch, own: str) -> None:
    real = Path.lstat
    owner = os.stat(root).st_uid

    def lstat(self: Path) -> os.stat_result:
        status = list(real(self))
        status[4] = 4321 if self.name == own else 1234
        return os.stat_result(status)

    monkeypatch.setattr(Path, "lstat", lstat)
    monkeypatch.setattr(os, "geteuid", lambda: 4321)
    with pytest.raises(MachineError, match="belongs to another user"):
        find_root(root)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert find_root(root) == root
    assert owner == os.stat(root).st_uid


class ReversedTree(DirectoryTree):
    """The same tree on a file system with another order."""

    def entries(self, folder: str) -> tuple[TreeEntry, ...]:
        return tuple(reversed(super().entries(folder)))


def test_the_order_of_a_directory_does_not_matter(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in ("jobs/a.yaml", "jobs/b.yml", "teams/t/agents/x.yaml", "projects/p/project.yaml", "projects/Q/a.yaml"):
        write(root, path)
    for suffix in ("yaml", "json"):
        write(root, f"projects/p/project.secrets.{suffix}")
    forward, backward = Diagnostics(), Diagnostics()
    sources = load_sources(DirectoryTree(root), forward)
    assert load_sources(ReversedTree(root), backward) == sources
    assert set(backward) == set(forward)
    assert [source.path for source in sources] == sorted(source.path for source in sources)


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse such names")
def test_t89_a_name_that_is_not_utf_8(root: Path) -> None:
    (root / "jobs").mkdir()
    with open(os.fsencode(root) + b"/jobs/\xff\n.yaml", "w"):
        pass
    assert codes(root) == [("jobs/\\udcff\\n.yaml", "ET124")]
