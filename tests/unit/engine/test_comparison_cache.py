"""What is known of two trees from the last time makes no difference to what differs between them."""

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from envtree.engine import run as pipeline
from envtree.model.source import Source
from tests.support.command_line import BOT, ERROR, WARNING, CommandResult, RunCommand, write_files
from tests.support.divided import read_folder
from tests.unit.engine.test_cache import EVENTS, TREE
from tests.unit.system.test_git import run as git


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree that is committed as it is."""
    root = tmp_path / "compared"
    write_files(root, TREE)
    git(root, "init", "-q")
    commit(root)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return root


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "x")


def both(envtree: RunCommand, root: Path, *words: str) -> CommandResult:
    """What a command line says with memory, which is what it says without."""
    told = envtree("-C", str(root), "diff", *words, "--format", "json")
    assert told == envtree("-C", str(root), "diff", *words, "--format", "json", "--no-cache")
    return told


def rounds(root: Path, envtree: RunCommand, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHA", "a")
    write_files(root.parent / "other", TREE)
    compared, code = 0, 0
    for number in range(count):
        chance = random.Random(number)
        if code:
            # What is wrong would stay so for ever.
            for folder in ("projects", "environments"):
                shutil.rmtree(root / folder)
            write_files(root, TREE)
        for event in chance.choices(EVENTS, k=chance.choice([1, 1, 2, 5])):
            event(root, chance)
        if chance.random() < 0.2:
            commit(root)
        sides = chance.choice([("HEAD",), ("HEAD",), ("HEAD",), ("HEAD", "HEAD^"), (str(root.parent / "other"),)])
        selected = ("--select", "shop/**") if chance.random() < 0.2 else ()
        try:
            code = both(envtree, root, *sides, *selected).code
        except AssertionError:
            pytest.fail(f"round {number} differs")
        compared += code == 0
    assert compared >= count // 4


def test_random_edits(root: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(root)
    rounds(root, envtree, 12, monkeypatch)


@pytest.mark.slow
def test_many_random_edits(root: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(root)
    rounds(root, envtree, 400, monkeypatch)


def test_only_what_a_difference_can_reach_is_computed(root: Path, envtree: RunCommand, computed: list[str]) -> None:

    def reached(path: str, text: str) -> list[str]:
        write_files(root, {path: text})
        computed.clear()
        envtree("-C", str(root), "diff", "HEAD")
        found = sorted(computed)
        both(envtree, root, "HEAD")
        return found

    everything = reached("environments/staging.yaml", TREE["environments/staging.yaml"])
    assert len(everything) == len(set(everything)) > 0
    assert reached("environments/staging.yaml", TREE["environments/staging.yaml"]) == []
    shop = [id for id in everything if id.startswith("shop/")]
    # What the base holds is known, and of that only the bundles that may differ are looked at again.
    bot = [id for id in shop if "bot" in id]
    assert bot
    assert reached(BOT, "execution_environment: {env_vars: {A: b}}\n") == sorted([*shop, *bot])
    assert reached(BOT, TREE[BOT]) == []
    staging = [id for id in everything if id.endswith("@staging")]
    changed = "execution_environment: {env_vars: {A: a}}\n"
    assert reached("environments/staging.yaml", changed) == sorted([*everything, *staging])
    # Over an error as well. What was there before is not kept for ever.
    assert reached(BOT, ERROR)
    others = [id for id in staging if not id.startswith("shop/")]
    assert reached(BOT, TREE[BOT]) == sorted([*shop, *staging, *others])


def test_a_file_that_changes_while_it_is_read_is_not_remembered(
    root: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pipeline.read_sources  # type: ignore[attr-defined]

    def late(*arguments: Any) -> Iterator[Source]:
        # Whoever looked at the digests has done so.
        found = list(read(*arguments))
        if any(source.path == BOT for source in found):
            write_files(root, {BOT: WARNING})
            found = list(read(*arguments))
        yield from found

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "read_sources", late)
        envtree("-C", str(root), "diff", "HEAD")
    # What was found then is nothing that the base has.
    assert "ET150" in both(envtree, root, "HEAD").out


def test_a_file_that_cannot_be_read_any_more_is_not_remembered(
    root: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pipeline.read_sources  # type: ignore[attr-defined]

    def late(*arguments: Any) -> Iterator[Source]:
        if any(path == BOT for path in arguments[1]):
            (root / BOT).unlink(missing_ok=True)
            (root / BOT).symlink_to("nothing")
        yield from read(*arguments)

    write_files(root, {BOT: "description: new\n"})
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "read_sources", late)
        assert "ET120" in envtree("-C", str(root), "diff", "HEAD", "--format", "json").out
    (root / BOT).unlink()
    write_files(root, {BOT: "description: new\n"})
    assert both(envtree, root, "HEAD").code == 0


def test_nothing_is_written_where_nothing_can_be_kept(root: Path, envtree: RunCommand) -> None:
    os.environ["XDG_CACHE_HOME"] = str(root / "organization.yaml")
    assert both(envtree, root, "HEAD").code == 0


def test_without_memory_nothing_is_kept(root: Path, envtree: RunCommand, tmp_path: Path) -> None:
    envtree("-C", str(root), "diff", "HEAD", "--no-cache")
    assert not (tmp_path / "cache").exists()
    envtree("-C", str(root), "diff", "HEAD")
    # The projects, the folder, the commit, and what their names are made with.
    assert len(read_folder(tmp_path / "cache")) == 4
