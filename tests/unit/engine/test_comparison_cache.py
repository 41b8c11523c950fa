"""The cache of comparisons never changes the result of `diff`."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envtree.engine import run
from envtree.model.source import Source
from tests.support.command_line import BOT, ERROR, WARNING, CommandResult, RunCommand, write_files
from tests.support.divided import read_folder
from tests.support.rounds import rounds
from tests.unit.engine.test_cache import EVENTS, TREE
from tests.unit.system.test_git import run as git


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a committed tree."""
    root = tmp_path / "compared"
    write_files(root, TREE)
    git(root, "init", "-q")
    commit(root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return root


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "x")


def diff_with_and_without_cache(envtree: RunCommand, root: Path, *arguments: str) -> CommandResult:
    """Return the result of `diff` with the cache, and assert that it is the same without."""
    result = envtree("-C", str(root), "diff", *arguments, "--output-format", "json")
    assert result == envtree("-C", str(root), "diff", *arguments, "--output-format", "json", "--no-cache")
    return result


def compare_rounds(root: Path, envtree: RunCommand, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHA", "a")
    write_files(root.parent / "other", TREE)
    compared, code = 0, 0
    for number in range(count):
        rng = random.Random(number)
        if code:
            # Errors would never be corrected by random edits.
            for folder in ("projects", "environments"):
                shutil.rmtree(root / folder)
            write_files(root, TREE)
        for event in rng.choices(EVENTS, k=rng.choice([1, 1, 2, 5])):
            event(root, rng)
        if rng.random() < 0.2:
            commit(root)
        sides = rng.choice([("HEAD",), ("HEAD",), ("HEAD",), ("HEAD", "HEAD^"), (str(root.parent / "other"),)])
        selected = ("--select", "shop/**") if rng.random() < 0.2 else ()
        try:
            code = diff_with_and_without_cache(envtree, root, *sides, *selected).code
        except AssertionError:
            pytest.fail(f"round {number} differs")
        compared += code == 0
    assert compared >= count // 4


def test_random_edits(root: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(root)
    compare_rounds(root, envtree, rounds(gate=6, full=12), monkeypatch)


@pytest.mark.full
def test_many_random_edits(root: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(root)
    compare_rounds(root, envtree, 400, monkeypatch)


def test_only_bundles_that_a_difference_can_reach_are_computed(
    root: Path, envtree: RunCommand, computed: list[str]
) -> None:
    def reached(path: str, text: str) -> list[str]:
        write_files(root, {path: text})
        computed.clear()
        envtree("-C", str(root), "diff", "HEAD")
        ids = sorted(computed)
        diff_with_and_without_cache(envtree, root, "HEAD")
        return ids

    everything = reached("environments/staging.yaml", TREE["environments/staging.yaml"])
    assert len(everything) == len(set(everything)) > 0
    assert reached("environments/staging.yaml", TREE["environments/staging.yaml"]) == []
    shop = [id for id in everything if id.startswith("shop/")]
    # The findings of the base are cached, and only its bundles that may differ are computed again.
    bot = [id for id in shop if "bot" in id]
    assert bot
    assert reached(BOT, "execution_environment: {env_vars: {A: b}}\n") == sorted([*shop, *bot])
    assert reached(BOT, TREE[BOT]) == []
    staging = [id for id in everything if id.endswith("@staging")]
    changed = "execution_environment: {env_vars: {A: a}}\n"
    assert reached("environments/staging.yaml", changed) == sorted([*everything, *staging])
    # Also with an error. Results that were not used are dropped.
    assert reached(BOT, ERROR)
    others = [id for id in staging if not id.startswith("shop/")]
    assert reached(BOT, TREE[BOT]) == sorted([*shop, *staging, *others])


def test_a_file_that_changes_while_it_is_read_is_not_cached(
    root: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = run.read_sources  # type: ignore[attr-defined]

    def late(*arguments: Any) -> Iterator[Source]:
        # The digests have been computed by now.
        sources = list(read(*arguments))
        if any(source.path == BOT for source in sources):
            write_files(root, {BOT: WARNING})
            sources = list(read(*arguments))
        yield from sources

    with monkeypatch.context() as patched:
        patched.setattr(run, "read_sources", late)
        envtree("-C", str(root), "diff", "HEAD")
    # The findings of that run must not be cached for the base.
    assert "ET150" in diff_with_and_without_cache(envtree, root, "HEAD").out


def test_a_file_that_becomes_unreadable_is_not_cached(
    root: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = run.read_sources  # type: ignore[attr-defined]

    def late(*arguments: Any) -> Iterator[Source]:
        if any(path == BOT for path in arguments[1]):
            (root / BOT).unlink(missing_ok=True)
            (root / BOT).symlink_to("nothing")
        yield from read(*arguments)

    write_files(root, {BOT: "description: new\n"})
    with monkeypatch.context() as patched:
        patched.setattr(run, "read_sources", late)
        assert "ET120" in envtree("-C", str(root), "diff", "HEAD", "--output-format", "json").out
    (root / BOT).unlink()
    write_files(root, {BOT: "description: new\n"})
    assert diff_with_and_without_cache(envtree, root, "HEAD").code == 0


def test_without_a_cache_folder(root: Path, envtree: RunCommand) -> None:
    os.environ["XDG_CACHE_HOME"] = str(root / "organization.yaml")
    assert diff_with_and_without_cache(envtree, root, "HEAD").code == 0


def test_no_cache_writes_nothing(root: Path, envtree: RunCommand, tmp_path: Path) -> None:
    envtree("-C", str(root), "diff", "HEAD", "--no-cache")
    assert not (tmp_path / "cache").exists()
    envtree("-C", str(root), "diff", "HEAD")
    # The projects, the folder, the commit, and the salt.
    assert len(read_folder(tmp_path / "cache")) == 4
