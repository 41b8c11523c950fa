"""`check --fix` on disk: files are replaced atomically, permissions stay, no link is followed, nothing overwritten."""

import shutil
import stat
from pathlib import Path
from unittest import mock

import pytest

from envtree.cli.support.session import tree_request
from envtree.model.diagnostic import MachineError
from envtree.refactor.fix import FileEdit, FileRename, fix, write_changes
from envtree.sources.tree import DirectoryTree
from tests.support.command_line import ORGANIZATION, write_files

AGENT = "agents/a.yaml"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"environments/production.yaml": "{}\n", "agents/b.yml": "{}\n", AGENT: "description: no\n"}
    write_files(tmp_path, {"organization.yaml": ORGANIZATION, **files})
    return tmp_path


def planned_changes(root: Path) -> tuple[FileEdit | FileRename, ...]:
    return fix(tree_request(DirectoryTree(root))).changes


def files_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_changes_are_made_on_disk(root: Path) -> None:
    (root / AGENT).chmod(0o754)
    (root / "agents/b.yml").chmod(0o640)
    expected = {**files_of(root), AGENT: b'description: "no"\n', "agents/b.yaml": b"{}\n"}
    del expected["agents/b.yml"]
    write_changes(planned_changes(root), root)
    assert files_of(root) == expected
    assert stat.S_IMODE((root / AGENT).stat().st_mode) == 0o754
    assert stat.S_IMODE((root / "agents/b.yaml").stat().st_mode) == 0o640
    assert planned_changes(root) == ()


def test_a_file_that_has_changed_stops_everything(root: Path) -> None:
    planned = planned_changes(root)
    (root / AGENT).write_bytes(b"description: on\n")
    before = files_of(root)
    with pytest.raises(MachineError, match="is not as it was checked"):
        write_changes(planned[::-1], root)
    assert files_of(root) == before


@pytest.mark.parametrize("no_hard_links", [False, True])
def test_a_rename_never_overwrites(no_hard_links: bool, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if no_hard_links:
        monkeypatch.setattr("os.link", mock.Mock(side_effect=PermissionError(1, "no")))
    planned = [change for change in planned_changes(root) if isinstance(change, FileRename)]
    (root / "agents/b.yaml").write_bytes(b"mine\n")
    with pytest.raises(MachineError, match="exists, and nothing is overwritten"):
        write_changes(planned, root)
    assert (root / "agents/b.yaml").read_bytes() == b"mine\n"
    (root / "agents/b.yaml").unlink()
    write_changes(planned, root)
    assert (root / "agents/b.yaml").read_bytes() == b"{}\n"
    assert not (root / "agents/b.yml").exists()


def test_links_are_neither_followed_nor_broken(root: Path) -> None:
    (root / "agents/c.yaml").symlink_to("a.yaml")
    (root / "agents/d.yaml").symlink_to("b.yml")
    (root / "agents/e.yml").symlink_to("a.yaml")
    assert planned_changes(root) == ()


@pytest.mark.parametrize("path", ["agents", AGENT])
def test_a_link_that_came_later_is_not_followed(
    path: str, root: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    planned = planned_changes(root)
    moved = tmp_path_factory.mktemp("away") / "moved"
    shutil.move(root / path, moved)
    (root / path).symlink_to(moved)
    before = files_of(moved.parent)
    with pytest.raises(MachineError, match="cannot write"):
        write_changes(planned, root)
    assert files_of(moved.parent) == before


def test_a_disk_that_is_full_leaves_the_file(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planned, before = planned_changes(root), files_of(root)
    monkeypatch.setattr("os.fsync", mock.Mock(side_effect=OSError(28, "No space left on device")))
    with pytest.raises(MachineError, match=r"cannot write 'agents/a\.yaml': no space left on device"):
        write_changes(planned, root)
    assert files_of(root) == before


@pytest.mark.parametrize("path", ["../a.yaml", "/a.yaml", "a//b.yaml", "./a.yaml", "agents/", "a.secrets.yaml"])
def test_a_path_that_leads_elsewhere_is_a_bug(path: str, root: Path) -> None:
    with pytest.raises(ValueError, match="leads out of the tree"):
        write_changes([FileEdit(path, b"", b"x")], root)
