"""The write stage and the comparison for `--check`: atomic, and only for files of envtree."""

import errno
import fcntl
import hashlib
import json
import os
import random
import resource
import signal
import stat
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from envtree.model.artifact import Artifact, Manifest, Output, SecretsMode
from envtree.model.diagnostic import MachineError, RefusedError
from envtree.output.compare import compare
from envtree.output.write import output_lock, write
from envtree.output.write.output_lock import lock_output
from envtree.system import disk
from envtree.system.disk import LOCK_FILE, STAGING_FOLDER
from tests.support.fake_clock import SleepClock
from tests.support.moments import act_at_call, count_calls
from tests.support.waiting import wait_until

Files = dict[str, bytes]

# Children are forked so that they can be killed at a chosen call; they do nothing but write.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")


def bundle(name: str, salt: str = "", env: str = "prod", files: tuple[str, ...] = ("bundle.json", ".env")) -> Artifact:
    """Return a bundle whose bytes depend on its name and the salt."""
    content = tuple((file, f"{name} {env} {file} {salt}\n".encode() * 40) for file in files)
    return Artifact(f"shop/{name}@{env}", f"{env}/shop/{name}", hashlib.sha256(content[0][1]).hexdigest(), content)


def version_a(count: int) -> list[Artifact]:
    """Return a version of an output."""
    return [bundle(f"a{i}", "a" if i % 3 == 0 else "") for i in range(count)]


def version_b(count: int) -> list[Artifact]:
    """Return another version: a third changed, every seventh gone, every fifth without `.env`, a few new."""
    old = [bundle(f"a{i}", "b" if i % 3 == 0 else "", files=_files(i)) for i in range(count) if i % 7]
    return old + [bundle(f"b{i}", "b", env="dev") for i in range(count // 6 + 1)]


def _files(index: int) -> tuple[str, ...]:
    return ("bundle.json", ".env") if index % 5 else ("bundle.json",)


@pytest.fixture(name="tree")
def fixture_tree(tmp_path: Path) -> Path:
    """The root of a tree."""
    (tmp_path / "tree" / "projects" / "shop").mkdir(parents=True)
    return tmp_path / "tree"


def output(tree: Path, selector: str = "*", mode: SecretsMode = "plain", folder: Path | None = None) -> Output:
    """Return the output `out` in the tree, or `folder`."""
    return Output(folder or tree / "out", tree, mode, 2026, {"SHA": "1"}, lambda id: fnmatchcase(id, selector))


def run(artifacts: list[Artifact], to: Output, *, approve: bool = True, wait: float = 10.0) -> Manifest | None:
    """Write without asking git."""
    return write(iter(artifacts), to, lambda: approve, is_tracked=lambda _: False, wait=wait)


def snapshot(folder: Path) -> Files:
    """Return every file below a folder; an empty folder is an entry with a slash."""
    files: Files = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_dir() and not any(path.iterdir()):
            files[name + "/"] = b""
        elif not path.is_dir():
            files[name] = path.read_bytes()
    return files


def fresh(artifacts: list[Artifact], tree: Path, name: str, mode: SecretsMode = "plain") -> Files:
    """Return the files that a first run writes."""
    run(artifacts, output(tree, mode=mode, folder=tree / name))
    return snapshot(tree / name)


def stat_keys(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """Return the parts of the status that change when a file is written, but not when it is read."""
    statuses = {path: path.stat() for path in folder.rglob("*")}
    return {
        path: (file_status.st_ino, file_status.st_mtime_ns, file_status.st_mode)
        for path, file_status in statuses.items()
    }


def nothing_left(tree: Path) -> bool:
    """Return whether no lock, staging folder or sibling is left."""
    return not list(tree.rglob("*envtree*"))


def forked(work: Callable[[], object]) -> int:
    """Run a function in a child process, and return its process id."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def status(pid: int) -> int:
    """Wait for a child; return its exit code, or minus the signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


class TestWrite:
    def test_fresh(self, tree: Path) -> None:
        artifacts = [bundle("api"), bundle("web")]
        manifest = run(artifacts, output(tree))
        assert manifest is not None
        expected = {f"{artifact.folder}/{name}": data for artifact in artifacts for name, data in artifact.files}
        expected |= {disk.MANIFEST_FILE: b"".join(manifest.pieces()), disk.IGNORE_FILE: disk.IGNORE_TEXT}
        assert snapshot(tree / "out") == expected
        assert nothing_left(tree)

    def test_manifest_describes_the_files_on_disk(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        data = json.loads((tree / "out" / "manifest.json").read_bytes())
        assert (data["envtree"], data["edition"], data["mode"], data["inputs"]) == ("1", 2026, "plain", {"SHA": "1"})
        entry = data["bundles"]["shop/api@prod"]
        content = (tree / "out" / entry["path"] / ".env").read_bytes()
        assert entry["files"][".env"] == {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}

    def test_unchanged_files_are_not_touched(self, tree: Path) -> None:
        run([bundle("api"), bundle("web")], output(tree))
        before = stat_keys(tree / "out")
        run([bundle("web"), bundle("api")], output(tree))
        assert stat_keys(tree / "out") == before

    def test_only_the_changed_file_is_replaced(self, tree: Path) -> None:
        run([bundle("api"), bundle("web")], output(tree))
        untouched = stat_keys(tree / "out/prod/shop/web")
        run([bundle("api", "new"), bundle("web")], output(tree))
        assert stat_keys(tree / "out/prod/shop/web") == untouched
        assert snapshot(tree / "out") == fresh([bundle("api", "new"), bundle("web")], tree, "other")

    def test_a_deleted_file_comes_back(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        (tree / "out/prod/shop/api/.env").unlink()
        run([bundle("api")], output(tree))
        assert snapshot(tree / "out") == fresh([bundle("api")], tree, "other")

    def test_a_bundle_loses_a_file(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        run([bundle("api", files=("bundle.json",))], output(tree))
        assert not (tree / "out/prod/shop/api/.env").exists()

    def test_parents_are_made(self, tree: Path) -> None:
        run([bundle("api")], output(tree, folder=tree / "build" / "x" / "out"))
        assert (tree / "build/x/out/prod/shop/api/.env").exists()

    def test_an_empty_folder_is_fine(self, tree: Path) -> None:
        (tree / "out").mkdir()
        run([bundle("api")], output(tree))
        assert snapshot(tree / "out") == fresh([bundle("api")], tree, "other")

    def test_from_plain_to_ref_and_back(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        run([bundle("api")], output(tree, mode="ref"))
        assert snapshot(tree / "out") == fresh([bundle("api")], tree, "other", "ref")
        run([bundle("api")], output(tree))
        assert snapshot(tree / "out") == fresh([bundle("api")], tree, "third")

    def test_t87_order_does_not_matter(self, tree: Path) -> None:
        assert fresh(version_b(20), tree, "one") == fresh(version_b(20)[::-1], tree, "two")

    def test_the_artifacts_are_a_stream(self, tree: Path) -> None:
        written: list[int] = []

        def stream() -> Iterator[Artifact]:
            for i in range(5):
                written.append(len(list(tree.rglob("bundle.json"))))
                yield bundle(f"a{i}")

        write(stream(), output(tree), lambda: True, is_tracked=lambda _: False)
        assert written == [0, 1, 2, 3, 4]


class TestPruning:
    def test_t85_a_deleted_agent_goes_and_foreign_files_stay(self, tree: Path) -> None:
        run([bundle("api"), bundle("web")], output(tree))
        (tree / "out/notes.txt").write_text("mine")
        (tree / "out/prod/shop/web/notes.txt").write_text("mine")
        run([bundle("api")], output(tree))
        expected = fresh([bundle("api")], tree, "other")
        assert snapshot(tree / "out") == expected | {"notes.txt": b"mine", "prod/shop/web/notes.txt": b"mine"}

    def test_t85_emptied_folders_go(self, tree: Path) -> None:
        run([bundle("api"), bundle("web", env="dev")], output(tree))
        (tree / "out/empty").mkdir()
        run([bundle("api")], output(tree))
        assert not (tree / "out/dev").exists()
        assert (tree / "out/empty").exists()

    def test_a_selection_replaces_and_prunes_only_its_ids(self, tree: Path) -> None:
        run([bundle("api"), bundle("web"), bundle("api", env="dev"), bundle("web", env="dev")], output(tree))
        run([bundle("api", "new", env="dev")], output(tree, "*@dev"))
        expected = [bundle("api"), bundle("web"), bundle("api", "new", env="dev")]
        assert snapshot(tree / "out") == fresh(expected, tree, "other")

    def test_a_selection_keeps_the_inputs_of_the_rest(self, tree: Path) -> None:
        run([bundle("api"), bundle("web")], output(tree)._replace(inputs={"OLD": "1", "SHA": "1"}))
        manifest = run([bundle("api")], output(tree, "shop/api@*")._replace(inputs={"SHA": "2"}))
        assert manifest is not None
        assert manifest.inputs == {"OLD": "1", "SHA": "2"}

    def test_a_selection_cannot_mix_modes(self, tree: Path) -> None:
        run([bundle("api"), bundle("web")], output(tree, mode="ref"))
        before = snapshot(tree / "out")
        with pytest.raises(RefusedError) as caught:
            run([bundle("api")], output(tree, "shop/api@*"))
        assert caught.value.code == "ET806"
        assert snapshot(tree / "out") == before

    def test_a_manifest_cannot_make_us_delete_elsewhere(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        (tree / "victim").mkdir()
        (tree / "victim/.env").write_text("mine")
        path = tree / "out/manifest.json"
        path.write_bytes(path.read_bytes().replace(b'"prod/shop/api"', b'"prod/../../victim"'))
        with pytest.raises(RefusedError):
            run([], output(tree))
        assert (tree / "victim/.env").read_text() == "mine"

    @pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": "other"}', b'{"envtree": "2"}'])
    def test_a_foreign_manifest_is_refused(self, tree: Path, content: bytes) -> None:
        (tree / "out").mkdir()
        (tree / "out/manifest.json").write_bytes(content)
        with pytest.raises(RefusedError) as caught:
            run([bundle("api")], output(tree))
        assert caught.value.code == "ET806"
        assert snapshot(tree / "out") == {"manifest.json": content}


class TestNothingChanges:
    @pytest.mark.parametrize("existing", [True, False])
    def test_without_approval(self, tree: Path, existing: bool) -> None:
        if existing:
            run(version_a(9), output(tree))
        before = snapshot(tree)
        assert run(version_b(9), output(tree), approve=False) is None
        assert snapshot(tree) == before

    def test_without_approval_made_parents_go(self, tree: Path) -> None:
        before = snapshot(tree)
        run([bundle("api")], output(tree, folder=tree / "build" / "x" / "out"), approve=False)
        assert snapshot(tree) == before

    @pytest.mark.parametrize("existing", [True, False])
    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, OSError])
    def test_t99_an_exception_in_the_stream_passes(
        self, tree: Path, existing: bool, error: type[BaseException]
    ) -> None:
        if existing:
            run(version_a(9), output(tree))
        before = snapshot(tree)

        def stream() -> Iterator[Artifact]:
            yield from version_b(9)
            raise error

        with pytest.raises(error):
            write(stream(), output(tree), lambda: True, is_tracked=lambda _: False)
        assert snapshot(tree) == before

    def test_t99_a_signal_in_the_commit_waits(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run(version_a(9), output(tree))
        replace = os.replace

        def interrupt(*paths: str) -> None:
            signal.raise_signal(signal.SIGINT)
            replace(*paths)

        monkeypatch.setattr(os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run(version_b(9), output(tree))
        assert nothing_left(tree)
        monkeypatch.undo()
        assert snapshot(tree / "out") == fresh(version_b(9), tree, "other")


class TestRefusals:
    @pytest.mark.parametrize("folder", [".", "..", "projects", "projects/shop", "environments", ".git/out"])
    def test_the_tree_is_no_output(self, tree: Path, folder: str) -> None:
        before = snapshot(tree.parent)
        with pytest.raises(RefusedError) as caught:
            run([bundle("api")], output(tree, folder=tree / folder))
        assert caught.value.code == "ET806"
        assert snapshot(tree.parent) == before

    def test_t80_the_output_is_a_link(self, tree: Path) -> None:
        (tree / "elsewhere").mkdir()
        (tree / "out").symlink_to(tree / "elsewhere")
        with pytest.raises(RefusedError) as caught:
            run([bundle("api")], output(tree))
        assert caught.value.code == "ET806"
        assert not list((tree / "elsewhere").iterdir())

    @pytest.mark.parametrize("link", ["prod", "prod/shop", "prod/shop/api", STAGING_FOLDER])
    def test_t80_a_folder_inside_is_a_link(self, tree: Path, link: str) -> None:
        (tree / "elsewhere").mkdir()
        (tree / "out" / link).parent.mkdir(parents=True)
        (tree / "out" / link).symlink_to(tree / "elsewhere")
        with pytest.raises(RefusedError):
            run([bundle("api")], output(tree))
        assert not list((tree / "elsewhere").iterdir())

    def test_t80_pruning_follows_no_link(self, tree: Path) -> None:
        run([bundle("api"), bundle("web", env="dev")], output(tree))
        (tree / "out/dev").rename(tree / "elsewhere")
        (tree / "out/dev").symlink_to(tree / "elsewhere")
        with pytest.raises(RefusedError):
            run([bundle("api")], output(tree))
        assert (tree / "elsewhere/shop/web/.env").exists()

    def test_t80_the_sibling_is_a_link(self, tree: Path) -> None:
        (tree / "elsewhere").mkdir()
        (tree / "elsewhere/file").write_text("mine")
        (tree / ".out.envtree").symlink_to(tree / "elsewhere")
        with pytest.raises(RefusedError):
            run([bundle("api")], output(tree))
        assert snapshot(tree / "elsewhere") == {"file": b"mine"}

    def test_t80_the_lock_is_a_link(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        (tree / "out" / LOCK_FILE).symlink_to(tree / "elsewhere")
        with pytest.raises(MachineError):
            run([bundle("api")], output(tree))
        assert not (tree / "elsewhere").exists()

    def test_t80_our_file_became_a_link(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        (tree / "elsewhere").write_text("mine")
        (tree / "out/prod/shop/api/.env").unlink()
        (tree / "out/prod/shop/api/.env").symlink_to(tree / "elsewhere")
        run([bundle("api")], output(tree))
        assert (tree / "elsewhere").read_text() == "mine"
        assert not (tree / "out/prod/shop/api/.env").is_symlink()

    def test_another_users_folder(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tree / "out").mkdir()
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
        with pytest.raises(RefusedError) as caught:
            run([bundle("api")], output(tree))
        assert "another user" in caught.value.message

    @pytest.mark.parametrize("path", ["prod/shop/api/.env", "prod", ".gitignore"])
    def test_a_foreign_file_is_in_the_way(self, tree: Path, path: str) -> None:
        (tree / "out" / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / "out" / path).write_text("mine")
        before = snapshot(tree)
        with pytest.raises(RefusedError) as caught:
            run([bundle("api")], output(tree))
        assert caught.value.code == "ET806"
        assert snapshot(tree) == before

    def test_a_folder_is_in_the_way(self, tree: Path) -> None:
        (tree / "out/prod/shop/api/.env").mkdir(parents=True)
        with pytest.raises(RefusedError):
            run([bundle("api")], output(tree))

    def test_t81_a_fifo_does_not_hang(self, tree: Path) -> None:
        (tree / "out/prod/shop/api").mkdir(parents=True)
        os.mkfifo(tree / "out/prod/shop/api/.env")
        with pytest.raises(RefusedError):
            run([bundle("api")], output(tree))

    def test_a_foreign_file_with_our_bytes_becomes_ours(self, tree: Path) -> None:
        folder = tree / "out/prod/shop/api"
        folder.mkdir(parents=True)
        (folder / ".env").write_bytes(dict(bundle("api").files)[".env"])
        run([bundle("api")], output(tree, mode="ref"))
        run([], output(tree, mode="ref"))
        assert not folder.exists()

    @pytest.mark.parametrize("folder", ["../x", "a/../../x", "/x", "a//b", "", ".", "a/.", "a\0b", ".git/x", "a/"])
    @pytest.mark.parametrize("existing", [True, False])
    def test_t78_a_folder_leads_out(self, tree: Path, folder: str, existing: bool) -> None:
        if existing:
            run([bundle("api")], output(tree))
        before = snapshot(tree.parent)
        with pytest.raises(ValueError, match="leads out"):
            run([bundle("api"), bundle("web")._replace(folder=folder)], output(tree))
        assert snapshot(tree.parent) == before

    @pytest.mark.parametrize("name", ["../x", "/x", "a/b", "", ".", "..", "a\0b"])
    def test_t78_a_file_leads_out(self, tree: Path, name: str) -> None:
        with pytest.raises(ValueError, match="leads out"):
            run([bundle("api")._replace(files=((name, b""),))], output(tree))

    def test_plain_is_refused_where_git_tracks(self, tree: Path) -> None:
        for command in (["init", "-q"], ["add", "-f", "out/prod"]):
            (tree / "out/prod").mkdir(parents=True, exist_ok=True)
            (tree / "out/prod/file").write_text("x")
            subprocess.run(["git", "-C", str(tree), *command], check=True)
        with pytest.raises(RefusedError) as caught:
            write([bundle("api")], output(tree), lambda: True)
        assert caught.value.code == "ET801"
        assert not (tree / "out/manifest.json").exists()
        assert write([bundle("api")], output(tree, mode="ref"), lambda: True) is not None

    def test_git_ignores_plain_output(self, tree: Path) -> None:
        subprocess.run(["git", "-C", str(tree), "init", "-q"], check=True)
        write([bundle("api")], output(tree), lambda: True)
        result = subprocess.run(
            ["git", "-C", str(tree), "status", "--porcelain", "-uall"], check=True, capture_output=True
        )
        assert result.stdout == b""


def _modes(out: Path) -> tuple[set[int], set[int]]:
    """Return the permissions of all folders, and those of all files."""
    modes = [(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in (out, *out.rglob("*"))]
    return {mode for is_dir, mode in modes if is_dir}, {mode for is_dir, mode in modes if not is_dir}


class TestPermissions:
    @pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
    @pytest.mark.parametrize("mode", ["plain", "ref"])
    @pytest.mark.parametrize("existing", [True, False])
    def test_t82_whatever_the_umask(self, tree: Path, umask: int, mode: SecretsMode, existing: bool) -> None:
        old = os.umask(umask)
        try:
            if existing:
                run(version_a(9), output(tree, mode=mode))
            run(version_b(9), output(tree, mode=mode))
        finally:
            os.umask(old)
        expected = ({0o700}, {0o600}) if mode == "plain" else ({0o755}, {0o644})
        assert _modes(tree / "out") == expected

    @pytest.mark.skipif(sys.platform != "linux", reason="other systems set default ACLs in other ways")
    @pytest.mark.parametrize("mode", ["plain", "ref"])
    def test_t82_whatever_folders_pass_on(self, tree: Path, mode: SecretsMode) -> None:
        """A default ACL of a folder replaces the umask for everything created in it."""
        permissions = ((0x01, 7), (0x04, 0), (0x20, 0))  # of the owner, the group, and all others
        entries = b"".join(struct.pack("<HHI", tag, bits, 0xFFFFFFFF) for tag, bits in permissions)
        os.setxattr(tree, "system.posix_acl_default", struct.pack("<I", 2) + entries)
        run(version_a(9), output(tree, mode=mode))
        assert _modes(tree / "out") == (({0o700}, {0o600}) if mode == "plain" else ({0o755}, {0o644}))

    def test_t82_plain_closes_what_was_open(self, tree: Path) -> None:
        run(version_a(3), output(tree, mode="ref"))
        run(version_a(3), output(tree))
        assert _modes(tree / "out") == ({0o700}, {0o600})

    @pytest.mark.parametrize("existing", [True, False])
    def test_t82_nothing_is_open_while_writing(self, tree: Path, existing: bool) -> None:
        if existing:
            run(version_a(9), output(tree))

        def approve() -> bool:
            folders = [tree / "out", tree / ".out.envtree"]
            paths = [path for folder in folders for path in [folder, *folder.rglob("*")] if path.exists()]
            assert len(paths) > 9
            assert not [path for path in paths if stat.S_IMODE(path.stat().st_mode) & 0o077]
            return True

        write(version_b(9), output(tree), approve, is_tracked=lambda _: False)


def _consistent(out: Path) -> bool:
    data = json.loads((out / "manifest.json").read_bytes())
    recorded = {
        f"{entry['path']}/{name}": file["sha256"]
        for entry in data["bundles"].values()
        for name, file in entry["files"].items()
    }
    actual = {name: hashlib.sha256(content).hexdigest() for name, content in snapshot(out).items()}
    return actual == recorded | {name: actual[name] for name in (disk.MANIFEST_FILE, disk.IGNORE_FILE)}


def _before_first_flock(monkeypatch: pytest.MonkeyPatch, action: Callable[[], None]) -> None:
    """Let another run act after the lock file is opened and before it is locked."""
    flock, actions = fcntl.flock, iter([action])

    def late(fd: int, operation: int) -> None:
        next(actions, lambda: None)()
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", late)


class TestLock:
    def test_t84_eight_writers(self, tree: Path) -> None:
        def write_repeatedly(number: int) -> None:
            for turn in range(4):
                # Half of the runs are not approved, so that a new output is created and removed.
                run([bundle(f"a{i}", f"{number} {turn}") for i in range(5 + number)], output(tree), approve=turn > 1)

        children = [forked(partial(write_repeatedly, number)) for number in range(8)]
        assert [status(pid) for pid in children] == [0] * 8
        assert _consistent(tree / "out")
        assert nothing_left(tree)

    @pytest.mark.parametrize("existing", [True, False])
    def test_t84_the_wait_is_bounded(self, tree: Path, existing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        clock = SleepClock()
        monkeypatch.setattr(output_lock, "time", clock)
        if existing:
            run([bundle("api")], output(tree))
        with lock_output(str(tree / "out"), 0):
            before = snapshot(tree)
            with pytest.raises(MachineError) as caught:
                run([bundle("api", "new")], output(tree), wait=20)
            assert snapshot(tree) == before
        assert caught.value.code == "ET804"
        assert clock.monotonic() == pytest.approx(20, abs=1)

    @pytest.mark.parametrize("existing", [True, False])
    def test_t84_a_lock_that_was_removed_meanwhile_is_taken_again(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch, existing: bool
    ) -> None:
        out, folder = tree / "out", tree / ("out" if existing else ".out.envtree")
        if existing:
            out.mkdir()
        _before_first_flock(monkeypatch, (folder / LOCK_FILE).unlink)
        with lock_output(str(out), 5) as locked_folder:
            assert locked_folder == str(folder)
            assert (folder / LOCK_FILE).exists()

    def test_t84_another_run_made_the_output_meanwhile(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        _before_first_flock(monkeypatch, (tree / "out").mkdir)
        with lock_output(str(tree / "out"), 5) as locked_folder:
            assert locked_folder == str(tree / "out")
        assert nothing_left(tree)

    def test_t84_another_run_took_the_sibling_meanwhile(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        out, sibling, lstat = tree / "out", tree / ".out.envtree", os.lstat

        def late(path: str) -> os.stat_result:
            if path == str(sibling) and not out.exists():
                sibling.rename(out)
            return lstat(path)

        monkeypatch.setattr("envtree.output.write.output_lock.os.lstat", late)
        with lock_output(str(out), 5) as locked_folder:
            assert locked_folder == str(out)

    def test_t84_a_killed_writer_leaves_no_lock(self, tree: Path) -> None:
        def die() -> bool:
            os.kill(os.getpid(), signal.SIGKILL)
            return True

        pid = forked(lambda: write([bundle("api")], output(tree), die, is_tracked=lambda _: False))
        assert status(pid) == -signal.SIGKILL
        assert not (tree / "out").exists()
        (tree / "out").mkdir()
        run([bundle("api")], output(tree), wait=0)
        assert nothing_left(tree)


@contextmanager
def full_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of 256 KiB at the folder if possible, else limit the size of files."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode == 0:
        try:
            yield
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


class TestFullDisk:
    @pytest.mark.parametrize("existing", [True, False])
    def test_t83_no_space(self, tree: Path, existing: bool) -> None:
        disk_folder = tree / "disk"
        with full_disk(disk_folder):
            to = output(tree, folder=disk_folder / "out")
            if existing:
                run([bundle("api")], to)
            before = snapshot(disk_folder)
            big = Artifact("shop/big@prod", "prod/shop/big", "", (("bundle.json", b"x" * 400_000),))
            with pytest.raises(MachineError) as caught:
                run([bundle("api", "new"), big], to)
            assert caught.value.code == "ET805"
            assert snapshot(disk_folder) == before
            run([bundle("web")], to)

    def test_t83_a_file_size_limit(self, tree: Path) -> None:
        def write_limited() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
            with pytest.raises(MachineError):
                run([bundle("api", "new")], output(tree))

        run([bundle("api")], output(tree))
        before = snapshot(tree)
        assert status(forked(write_limited)) == 0
        assert snapshot(tree) == before

    def test_t83_no_space_for_a_folder(self, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        run([bundle("api")], output(tree))
        before = snapshot(tree)
        mkdir = os.mkdir

        def full(path: str, bits: int = 0o777) -> None:
            if path.endswith("dev/shop/web"):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            mkdir(path, bits)

        monkeypatch.setattr(os, "mkdir", full)
        with pytest.raises(MachineError):
            run([bundle("api", "new"), bundle("web", env="dev")], output(tree))
        assert snapshot(tree) == before

    @pytest.mark.parametrize("step", range(6))
    def test_t83_an_error_during_the_commit_is_repaired(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch, step: int
    ) -> None:
        run(version_a(9), output(tree))
        replace, calls = os.replace, iter(range(1000))

        def broken(*paths: str) -> None:
            if next(calls) == step:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            replace(*paths)

        monkeypatch.setattr(os, "replace", broken)
        with pytest.raises(MachineError) as caught:
            run(version_b(9), output(tree))
        assert caught.value.code == "ET805"
        monkeypatch.undo()
        run(version_a(9), output(tree))
        assert snapshot(tree / "out") == fresh(version_a(9), tree, "other")


def _assert_no_partial_file(out: Path, *versions: Files) -> None:
    """Assert that every file of an output is as in one of the versions."""
    for name, content in snapshot(out).items():
        if not name.endswith("/") and not name.startswith(STAGING_FOLDER) and name != LOCK_FILE:
            assert content in [version.get(name) for version in versions], name


_STEPS = ("open", "write", "mkdir", "chmod", "fchmod", "rename", "replace", "unlink", "rmdir", "close")


def _killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run in a child that is killed before its n-th call that changes the disk; return whether it was killed."""

    def work_until_killed() -> None:
        calls = iter(range(10**6))

        def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
            def counted(*args: Any, **kwargs: Any) -> Any:
                if next(calls) == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*args, **kwargs)

            return counted

        for name in _STEPS:
            setattr(os, name, wrap(getattr(os, name)))
        work()

    code = status(forked(work_until_killed))
    assert code in (0, -signal.SIGKILL)
    return code != 0


def _killed_at_call(number: int, work: Callable[[], object]) -> bool:
    """Run in a child that is killed before its n-th call of any function; return whether it was killed."""

    def work_until_killed() -> None:
        act_at_call(number, lambda: os.kill(os.getpid(), signal.SIGKILL))
        work()

    code = status(forked(work_until_killed))
    assert code in (0, -signal.SIGKILL)
    return code != 0


class TestKill:
    @pytest.mark.parametrize("existing", [True, False])
    def test_t83_killed_at_each_step_and_again_during_recovery(self, tree: Path, existing: bool) -> None:
        old, new = [bundle("api"), bundle("web")], [bundle("api", "new"), bundle("job", env="dev")]
        old_files, new_files = fresh(old, tree, "old"), fresh(new, tree, "new")
        rng = random.Random(83)
        step = 0
        while True:
            out = tree / f"out{step}"
            to = output(tree, folder=out)
            if existing:
                run(old, to)
            if not _killed_at(step, partial(run, new, to)):
                break
            _assert_no_partial_file(out, old_files, new_files)
            _killed_at(rng.randrange(60), partial(run, old, to))
            _assert_no_partial_file(out, old_files, new_files)
            last, expected = rng.choice([(old, old_files), (new, new_files)])
            run(last, to)
            assert snapshot(out) == expected, step
            step += 1
        assert step > 20
        assert nothing_left(tree)

    @pytest.mark.parametrize("turns", [15, pytest.param(500, marks=pytest.mark.full)])
    def test_t83_sigkill_at_random_moments(self, tree: Path, turns: int) -> None:
        count = 200
        versions = [version_a(count), version_b(count)]
        files = [fresh(version, tree, f"fresh{i}") for i, version in enumerate(versions)]
        rng = random.Random(50)
        run(versions[0], output(tree))
        kills, calls = 0, min(count_calls(partial(run, versions[turn], output(tree))) for turn in (1, 0))
        for turn in range(turns):
            new = versions[(turn + 1) % 2]
            kills += _killed_at_call(rng.randrange(calls), partial(run, new, output(tree)))
            _assert_no_partial_file(tree / "out", *files)
            # A later run of the same tree or another one recovers; then restore the version that the next turn changes.
            last = rng.choice([(turn + 1) % 2, turn % 2])
            run(versions[last], output(tree))
            assert snapshot(tree / "out") == files[last]
            run(versions[(turn + 1) % 2], output(tree))
        # A run that has to create less than the counted one may end before.
        assert kills > turns // 2
        assert nothing_left(tree)

    def test_no_reader_sees_half_a_file(self, tree: Path) -> None:
        versions = [version_a(30), version_b(30)]
        files = [fresh(version, tree, f"fresh{i}") for i, version in enumerate(versions)]
        run(versions[0], output(tree))
        torn: list[str] = []
        reads = 0
        is_finished = threading.Event()

        def read_files() -> None:
            nonlocal reads
            while not is_finished.is_set():
                for name in files[0] | files[1]:
                    with suppress(FileNotFoundError):
                        content = (tree / "out" / name).read_bytes()
                        reads += 1
                        torn.extend([] if content in [version.get(name) for version in files] else [name])

        reader = threading.Thread(target=read_files)
        reader.start()
        turns = iter(range(10**6))

        def has_been_read_often() -> bool:
            turn = next(turns)
            run(versions[turn % 2], output(tree))
            return turn >= 20 and reads > 200

        try:
            wait_until(has_been_read_often, "more than 200 reads")
        finally:
            is_finished.set()
            reader.join()
        assert torn == []


class TestCompare:
    def test_equal(self, tree: Path) -> None:
        run(version_a(9), output(tree))
        before = stat_keys(tree)
        assert compare(version_a(9)[::-1], output(tree)) == []
        assert stat_keys(tree) == before

    def test_everything_is_missing(self, tree: Path) -> None:
        expected = [".gitignore", "manifest.json", "prod/shop/api/.env", "prod/shop/api/bundle.json"]
        assert compare([bundle("api")], output(tree)) == expected
        assert compare([bundle("api")], output(tree, mode="ref")) == expected[1:]
        assert not (tree / "out").exists()

    def test_changed_missing_stale_and_foreign(self, tree: Path) -> None:
        run([bundle("api"), bundle("web"), bundle("job")], output(tree))
        (tree / "out/notes.txt").write_text("mine")
        (tree / "out/prod/shop/web/.env").unlink()
        (tree / "out/prod/shop/api/.env").write_text("edited")
        assert compare([bundle("api"), bundle("web")], output(tree)) == [
            "manifest.json",
            "prod/shop/api/.env",
            "prod/shop/job/.env",
            "prod/shop/job/bundle.json",
            "prod/shop/web/.env",
        ]

    def test_only_the_selection_counts(self, tree: Path) -> None:
        run([bundle("api"), bundle("web")], output(tree))
        (tree / "out/prod/shop/web/.env").unlink()
        assert compare([bundle("api")], output(tree, "shop/api@*")) == []

    def test_a_lost_file_of_a_bundle(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        differing = compare([bundle("api", files=("bundle.json",))], output(tree))
        assert differing == ["manifest.json", "prod/shop/api/.env"]

    def test_another_mode(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        assert compare([bundle("api")], output(tree, mode="ref")) == [".gitignore", "manifest.json"]
        # Plain mode also restricts the permissions that `ref` leaves open.
        references = tree / "references"
        run([bundle("api")], output(tree, mode="ref", folder=references))
        files = [".gitignore", "manifest.json", "prod/shop/api/.env", "prod/shop/api/bundle.json"]
        folders = ["./", "prod/", "prod/shop/", "prod/shop/api/"]
        assert compare([bundle("api")], output(tree, folder=references)) == sorted(files + folders)

    def test_it_agrees_with_write(self, tree: Path) -> None:
        run(version_a(20), output(tree))
        before = snapshot(tree / "out")
        differing = compare(version_b(20), output(tree))
        run(version_b(20), output(tree))
        after = snapshot(tree / "out")
        assert differing == sorted(name for name in before | after if before.get(name) != after.get(name))
