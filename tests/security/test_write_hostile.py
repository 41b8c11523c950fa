"""Hostile files in an output folder: writing does not follow them, and a run does not trust them."""

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from envtree.model.artifact import Artifact, Output, SecretsMode
from envtree.model.diagnostic import RefusedError
from envtree.output.compare import compare
from envtree.output.write import write
from envtree.system import signals
from tests.unit.output.test_write import bundle, forked, fresh, nothing_left, output, run, snapshot, status

STAGING = ".envtree-staging"
EVIL = ["ref", [["0", "link/post-checkout"]], ["link/id_rsa"]]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim/id_rsa").write_text("key")
    return tmp_path / "victim"


def plant(out: Path, journal: object, link_to: Path, bits: tuple[int, int] = (0o700, 0o600)) -> None:
    """Make a staging folder as of a run that was killed in its commit; `link` leads out of the output."""
    (out / STAGING).mkdir(parents=True)
    (out / STAGING).chmod(bits[0])
    (out / "link").symlink_to(link_to)
    for name, text in (("0", "evil"), ("journal.json", json.dumps(journal))):
        (out / STAGING / name).write_text(text)
        (out / STAGING / name).chmod(bits[1])


def run_refused(artifacts: list[Artifact], destination: Output) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        run(artifacts, destination)
    assert caught.value.code == "ET806"
    return caught.value


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.invalid")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


class TestAPlantedJournal:
    @pytest.mark.parametrize("bits", [(0o700, 0o600), (0o755, 0o644), (0o700, 0o644), (0o750, 0o600)])
    @pytest.mark.parametrize("journal", [EVIL, ["ref", EVIL[1], []], ["ref", [], EVIL[2]]])
    def test_t80_nothing_is_touched_through_a_link(
        self, tree: Path, victim: Path, bits: tuple[int, int], journal: list[object]
    ) -> None:
        plant(tree / "out", journal, victim, bits)
        before = snapshot(tree)
        run_refused([bundle("api")], output(tree, mode="ref"))
        assert snapshot(victim) == {"id_rsa": b"key"}
        assert snapshot(tree) == before

    def test_t80_no_folder_is_made_through_a_link(self, tree: Path, victim: Path) -> None:
        plant(tree / "out", ["ref", [["0", "link/hooks/post-checkout"]], []], victim)
        run_refused([bundle("api")], output(tree, mode="ref"))
        assert snapshot(victim) == {"id_rsa": b"key"}

    def test_t80_no_emptied_folder_is_removed_through_a_link(self, tree: Path, victim: Path) -> None:
        (victim / "empty").mkdir()
        plant(tree / "out", ["ref", [], ["link/empty/gone"]], victim)
        run_refused([bundle("api")], output(tree, mode="ref"))
        assert (victim / "empty").exists()

    @pytest.mark.parametrize("bits", [(0o755, 0o600), (0o700, 0o644), (0o777, 0o666)])
    def test_one_that_others_can_read_is_not_ours(self, tree: Path, bits: tuple[int, int]) -> None:
        plant(tree / "out", ["ref", [["0", "prod/file"]], []], tree, bits)
        assert STAGING in run_refused([bundle("api")], output(tree, mode="ref")).message
        assert not (tree / "out/prod").exists()

    def test_one_of_another_user_is_not_ours(self, tree: Path) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        plant(tree / "out", ["ref", [["0", "prod/file"]], []], tree)
        os.chown(tree / "out" / STAGING / "journal.json", 12345, -1)
        run_refused([bundle("api")], output(tree, mode="ref"))
        assert not (tree / "out/prod").exists()

    @pytest.mark.parametrize("mode", ["plain", "ref"])
    def test_a_checkout_is_refused_whatever_its_permissions(self, tree: Path, victim: Path, mode: SecretsMode) -> None:
        plant(tree / "out", ["ref", [["0", "prod/file"]], []], victim)
        git(tree, "init", "-q")
        git(tree, "add", "-f", ".")
        for stage in (lambda to: write([bundle("api")], to, lambda: True), lambda to: compare([bundle("api")], to)):
            with pytest.raises(RefusedError) as caught:
                stage(output(tree, mode=mode))
            assert caught.value.code == ("ET801" if mode == "plain" else "ET806")
            assert "git tracks" in caught.value.message
        assert not (tree / "out/prod").exists()

    @pytest.mark.parametrize("with_journal", [True, False])
    def test_without_approval_a_leftover_stays_as_it_is(self, tree: Path, with_journal: bool) -> None:
        run([bundle("api")], output(tree, mode="ref"))
        plant(tree / "out", ["ref", [["0", "prod/file"]], ["prod/shop/api/.env"]], tree)
        (tree / "out/link").unlink()
        if not with_journal:
            (tree / "out" / STAGING / "journal.json").unlink()
        before = snapshot(tree)
        assert run([bundle("api", "new")], output(tree, mode="ref"), approve=False) is None
        assert snapshot(tree) == before
        run([bundle("api", "new")], output(tree, mode="ref"))
        expected = fresh([bundle("api", "new")], tree, "other", "ref")
        assert snapshot(tree / "out") == expected | ({"prod/file": b"evil"} if with_journal else {})
        assert nothing_left(tree)

    def test_an_exception_in_the_stream_leaves_a_leftover(self, tree: Path) -> None:
        plant(tree / "out", ["ref", [["0", "prod/file"]], []], tree)

        def stream() -> Iterator[Artifact]:
            yield bundle("api")
            raise ValueError

        before = snapshot(tree)
        with pytest.raises(ValueError):  # noqa: PT011
            write(stream(), output(tree, mode="ref"), lambda: True, is_tracked=lambda _: False)
        assert snapshot(tree) == before

    def test_a_sibling_that_others_can_read_is_closed(self, tree: Path) -> None:
        home = tree / ".out.envtree"
        home.mkdir()
        home.chmod(0o755)

        def approve() -> bool:
            assert stat.S_IMODE(home.stat().st_mode) == 0o700
            return True

        assert write([bundle("api")], output(tree), approve, is_tracked=lambda _: False)

    @pytest.mark.parametrize("mode", ["plain", "ref"])
    def test_t83_a_run_killed_before_its_output_appears(
        self, tree: Path, monkeypatch: pytest.MonkeyPatch, mode: SecretsMode
    ) -> None:
        monkeypatch.setattr(os, "rename", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
        assert status(forked(lambda: run([bundle("api")], output(tree, mode=mode)))) == -signal.SIGKILL
        monkeypatch.undo()
        assert (tree / ".out.envtree").exists()
        run([bundle("api")], output(tree, mode=mode))
        assert nothing_left(tree)


class TestAFolderOfTheUser:
    @pytest.mark.parametrize("name", ["index.html", "a/b/c", ".gitignore", ".hidden"])
    def test_plain_takes_over_no_folder(self, tree: Path, name: str) -> None:
        site = tree / "site"
        (site / name).parent.mkdir(parents=True)
        (site / name).write_text("x")
        site.chmod(0o755)
        before = snapshot(tree)
        error = run_refused([bundle("api")], output(tree, folder=site))
        assert "empty folder" in error.hint
        with pytest.raises(RefusedError):
            compare([bundle("api")], output(tree, folder=site))
        assert snapshot(tree) == before
        assert stat.S_IMODE(site.stat().st_mode) == 0o755

    def test_references_go_beside_what_is_there(self, tree: Path) -> None:
        site = tree / "site"
        site.mkdir()
        (site / "index.html").write_text("x")
        site.chmod(0o775)
        run([bundle("api")], output(tree, mode="ref", folder=site))
        assert snapshot(site) == fresh([bundle("api")], tree, "other", "ref") | {"index.html": b"x"}
        assert stat.S_IMODE(site.stat().st_mode) == 0o775

    def test_what_a_killed_run_left_is_no_file_of_the_user(self, tree: Path) -> None:
        out = tree / "out"
        (out / STAGING).mkdir(parents=True)
        (out / STAGING).chmod(0o700)
        (out / STAGING / "0").write_text("staged")
        (out / ".envtree.lock").write_text("")
        run([bundle("api")], output(tree))
        assert snapshot(out) == fresh([bundle("api")], tree, "other")

    def test_a_planted_journal_takes_over_no_folder(self, tree: Path) -> None:
        plant(tree / "out", ["ref", [["0", "prod/file"]], []], tree)
        run_refused([bundle("api")], output(tree))
        assert not (tree / "out/manifest.json").exists()
        assert not (tree / "out/.gitignore").exists()


class TestCompareLooksLikeWrite:
    def test_permissions_that_a_run_would_close(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        for path in (tree / "out", *(tree / "out").rglob("*")):
            path.chmod(stat.S_IMODE(path.stat().st_mode) | (0o077 if path.is_dir() else 0o066))
        assert compare([bundle("api")], output(tree)) == [
            "./",
            ".gitignore",
            "manifest.json",
            "prod/",
            "prod/shop/",
            "prod/shop/api/",
            "prod/shop/api/.env",
            "prod/shop/api/bundle.json",
        ]
        run([bundle("api")], output(tree))
        assert compare([bundle("api")], output(tree)) == []

    def test_permissions_of_references_are_the_users(self, tree: Path) -> None:
        run([bundle("api")], output(tree, mode="ref"))
        (tree / "out").chmod(0o775)
        (tree / "out/prod/shop/api/.env").chmod(0o664)
        assert compare([bundle("api")], output(tree, mode="ref")) == []

    def test_plain_is_refused_where_git_tracks(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        git(tree, "init", "-q")
        assert compare([bundle("api")], output(tree)) == []
        git(tree, "add", "-f", "out")
        with pytest.raises(RefusedError) as caught:
            compare([bundle("api")], output(tree))
        assert caught.value.code == "ET801"

    @pytest.mark.parametrize("link", ["out", "out/prod", "out/prod/shop/api"])
    def test_t80_it_looks_through_no_link(self, tree: Path, link: str) -> None:
        run([bundle("api")], output(tree))
        (tree / link).rename(tree / "elsewhere")
        (tree / link).symlink_to(tree / "elsewhere")
        with pytest.raises(RefusedError) as caught:
            compare([bundle("api")], output(tree))
        assert caught.value.code == "ET806"


class TestSignalsOfACommand:
    """Signals to a child that handles them like the command line."""

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    @pytest.mark.parametrize("existing", [True, False])
    def test_t99_before_the_commit_nothing_is_left(self, tree: Path, number: signal.Signals, existing: bool) -> None:
        if existing:
            run([bundle("api")], output(tree))
        before = snapshot(tree)

        def stream() -> Iterator[Artifact]:
            yield bundle("api", "new")
            signal.raise_signal(number)

        def run_in_child() -> None:
            _listen()
            with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
                write(stream(), output(tree), lambda: True, is_tracked=lambda _: False)
            assert getattr(caught.value, "code", 130) == 128 + number

        assert status(forked(run_in_child)) == 0
        assert snapshot(tree) == before

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    @pytest.mark.parametrize("existing", [True, False])
    def test_t99_in_and_after_the_commit_it_comes_too_late(
        self, tree: Path, number: signal.Signals, existing: bool
    ) -> None:
        if existing:
            run([bundle("api"), bundle("web")], output(tree))

        def run_in_child() -> None:
            _listen()
            for name in ("rename", "replace"):
                setattr(os, name, _interrupted(getattr(os, name), number))
            run([bundle("api", "new")], output(tree))
            signal.raise_signal(number)

        assert status(forked(run_in_child)) == 0
        assert snapshot(tree / "out") == fresh([bundle("api", "new")], tree, "other")

    @pytest.mark.parametrize("existing", [True, False])
    def test_t99_a_second_one_does_not_disturb_the_cleaning_up(self, tree: Path, existing: bool) -> None:
        if existing:
            run([bundle("api")], output(tree))
        before = snapshot(tree)

        def stream() -> Iterator[Artifact]:
            yield bundle("api", "new")
            for name in ("rmdir", "unlink"):
                setattr(os, name, _interrupted(getattr(os, name), signal.SIGINT))
            signal.raise_signal(signal.SIGINT)

        def run_in_child() -> None:
            _listen()
            with pytest.raises(KeyboardInterrupt):
                write(stream(), output(tree), lambda: True, is_tracked=lambda _: False)

        assert status(forked(run_in_child)) == 0
        assert snapshot(tree) == before

    def test_t99_a_commit_that_fails_gives_the_signal_back(self, tree: Path) -> None:
        run([bundle("api")], output(tree))
        before = snapshot(tree)

        def fail(*_: object) -> None:
            signal.raise_signal(signal.SIGTERM)
            raise OSError

        def run_in_child() -> None:
            _listen()
            os.rename = fail  # type: ignore[assignment]
            with pytest.raises(SystemExit) as caught:
                run([bundle("api", "new")], output(tree))
            assert caught.value.code == 143

        assert status(forked(run_in_child)) == 0
        assert snapshot(tree) == before


def _listen() -> None:
    # The test run may have been started with ignored signals.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signals.install_handlers()


def _interrupted(call: object, number: signal.Signals) -> object:
    def interrupted(*paths: str, **options: object) -> None:
        signal.raise_signal(number)
        assert callable(call)
        call(*paths, **options)
        signal.raise_signal(number)

    return interrupted
