"""A look after others finds what a first one does, and computes only what a change can reach."""

import random
from pathlib import Path

import pytest

from envtree import pipeline
from envtree.check import check
from envtree.cli.work import looks
from envtree.cli.work.looks import Looks
from envtree.diagnostic import ReportedError
from envtree.pipeline import Request
from envtree.resolved import Bundle, Resolved
from envtree.standing import Noted
from envtree.tree import DirectoryTree
from envtree.workspace import Organization

from .command_line import BOT, ERROR, fill
from .test_cache import EVENTS, TREE
from .test_git import run as git


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "tree"
    fill(root, TREE)
    git(root, "init", "-q")
    monkeypatch.setenv("SHA", "a")
    return root


def told(watched: Looks, root: Path) -> object:
    noted = Noted(DirectoryTree(root))
    try:
        outcome, bundles = watched.look(Request(noted))
    except ReportedError as error:
        return error.code, error.message
    finally:
        watched.forget(noted.digests)
    fresh, again = check(Request(DirectoryTree(root))), Looks().look(Request(DirectoryTree(root)))
    assert outcome._replace(workspace=None) == fresh._replace(workspace=None) == again[0]._replace(workspace=None)
    assert bundles == again[1]
    assert bundles.keys() == {*outcome.checked}
    return outcome.checked


@pytest.mark.parametrize("held", [0, 5000])
def test_random_edits(held: int, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_HELD", held)
    watched, seen = Looks(), set[object]()
    for number in range(25):
        chance = random.Random(number)
        for event in chance.choices(EVENTS, k=chance.choice([1, 1, 2])):
            event(root, chance)
        try:
            seen.add(told(watched, root))
        except AssertionError:
            pytest.fail(f"round {number} differs")
    assert len(seen) > 3


def test_only_what_a_change_can_reach_is_computed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []
    bundle = pipeline.bundle  # type: ignore[attr-defined]

    def noted(resolved: Resolved, organization: Organization) -> Bundle:
        computed.append(resolved.target.id)
        return bundle(resolved, organization)

    monkeypatch.setattr(pipeline, "bundle", noted)
    watched = Looks()

    def reached(path: str, text: str) -> set[str]:
        fill(root, {path: text})
        computed.clear()
        outcome, bundles = watched.look(Request(DirectoryTree(root)))
        assert bundles.keys() == {*outcome.checked}
        return {id.partition("/")[0] for id in computed}

    assert reached(BOT, TREE[BOT]) == {"post", "shop"}
    assert reached(BOT, TREE[BOT]) == set()
    assert reached(BOT, "execution_environment: {env_vars: {A: b}}\n") == {"shop"}
    assert reached("environments/staging.yaml", "description: x\n") == {"post", "shop"}
    # What is wrong is not looked at again either, as long as nothing has changed there.
    assert reached(BOT, ERROR) == {"shop"}
    assert reached("projects/post/agents/van.yaml", "{}\n") == {"post"}
    assert reached(BOT, TREE[BOT]) == {"shop"}
