"""A look after others finds what a first one does, and computes only what a change can reach."""

import random
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from envtree.cli.support import incremental_check as looks
from envtree.cli.support.compile_plan import CompilePlan
from envtree.cli.support.incremental_check import IncrementalChecker
from envtree.cli.support.session import tree_request
from envtree.engine import run as pipeline
from envtree.engine.check import check
from envtree.engine.publish import Destinations, publish, without_extra_files
from envtree.engine.request import RunOutcome
from envtree.model.artifact import Output
from envtree.model.diagnostic import ReportedError
from envtree.model.source import Source
from envtree.queries.snapshot import DigestingTree
from envtree.sources.tree import DirectoryTree
from tests.support.command_line import BOT, ERROR, WARNING, write_files
from tests.support.divided import read_folder
from tests.unit.engine.test_cache import EVENTS, TREE
from tests.unit.system.test_git import run as git


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "tree"
    write_files(root, TREE)
    git(root, "init", "-q")
    monkeypatch.setenv("SHA", "a")
    return root


def told(watched: IncrementalChecker, root: Path) -> object:
    noted = DigestingTree(DirectoryTree(root))
    try:
        outcome, bundles = watched.check(tree_request(noted))
    except ReportedError as error:
        return error.code, error.message
    finally:
        watched.forget(noted.digests)
    fresh, again = (
        check(tree_request(DirectoryTree(root))),
        IncrementalChecker().check(tree_request(DirectoryTree(root))),
    )
    assert outcome._replace(workspace=None) == fresh._replace(workspace=None) == again[0]._replace(workspace=None)
    assert bundles == again[1]
    assert bundles.keys() == {*outcome.checked}
    return outcome.checked


@pytest.mark.parametrize("held", [0, 5000])
def test_random_edits(held: int, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looks, "_HELD", held)
    watched, seen = IncrementalChecker(), set[object]()
    for number in range(10):
        chance = random.Random(number)
        for event in chance.choices(EVENTS, k=chance.choice([1, 1, 2])):
            event(root, chance)
        try:
            seen.add(told(watched, root))
        except AssertionError:
            pytest.fail(f"round {number} differs")
    assert len(seen) > 1


def plan(root: Path, out: str) -> CompilePlan:
    """Compile into a folder of the tree."""
    places = Destinations(Output(root / out, root, "ref", 2026, {}, lambda _: True))
    formats = frozenset({"bundle", "compose", "template"})
    return CompilePlan(
        tree_request(DigestingTree(DirectoryTree(root)), require_inputs=True), places, formats, without_extra_files
    )


def ended(work: Callable[[], RunOutcome]) -> tuple[bool, object]:
    """Whether something was written, and all that is said."""
    try:
        outcome = work()
        return outcome.manifest is not None, outcome._replace(workspace=None, manifest=None)
    except ReportedError as error:
        return False, (error.code, error.message.replace("out-2", "out"))


def test_what_is_written_is_the_same_after_random_edits(root: Path) -> None:
    watched, wrote = IncrementalChecker(), 0
    for number in range(10):
        chance = random.Random(number)
        for event in chance.choices(EVENTS, k=chance.choice([1, 1, 2])):
            event(root, chance)
        one, other = plan(root, "out"), plan(root, "out-2")
        found = ended(lambda one=one: watched.compile(one, root))  # type: ignore[misc]
        assert found == ended(lambda other=other: publish(*other)), f"round {number}"  # type: ignore[misc]
        assert read_folder(root / "out") == read_folder(root / "out-2"), f"round {number}"
        wrote += found[0]
    assert wrote > 2


@pytest.mark.parametrize("writes", [False, True])
def test_only_what_a_change_can_reach_is_computed(writes: bool, root: Path, computed: list[str]) -> None:
    watched = IncrementalChecker()

    def reached(path: str, text: str) -> set[str]:
        write_files(root, {path: text})
        computed.clear()
        if writes:
            watched.compile(plan(root, "out"), root)
        else:
            outcome, bundles = watched.check(tree_request(DirectoryTree(root)))
            assert bundles.keys() == {*outcome.checked}
        return {id.partition("/")[0] for id in computed}

    assert reached(BOT, TREE[BOT]) == {"post", "shop"}
    assert reached(BOT, TREE[BOT]) == set()
    assert reached(BOT, "execution_environment: {env_vars: {A: b}}\n") == {"shop"}
    assert reached("environments/staging.yaml", "description: x\n") == {"post", "shop"}
    # What is wrong is not looked at again either, as long as nothing has changed there and nothing is to be written.
    assert reached(BOT, ERROR) == ({"post", "shop"} if writes else {"shop"})
    assert reached("projects/post/agents/van.yaml", "{}\n") == ({"post", "shop"} if writes else {"post"})
    assert reached(BOT, TREE[BOT]) == ({"post", "shop"} if writes else {"shop"})


def test_on_another_day_allowances_have_ended(root: Path) -> None:
    write_files(root, {BOT: "# envtree: allow ET150 until 2026-01-01: for a while\n" + WARNING})
    watched = IncrementalChecker()
    for day, has_ended in ((1, False), (2, True)):
        request = tree_request(DirectoryTree(root), today=date(2026, 1, day))
        outcome, _ = watched.check(request)
        assert outcome._replace(workspace=None) == check(request)._replace(workspace=None)
        assert ("ET151" in [finding.diagnostic.code for finding in outcome.findings]) is has_ended


def test_what_is_found_in_a_file_is_remembered_of_what_was_read_of_it(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pipeline.read_sources  # type: ignore[attr-defined]

    def early(*arguments: Any) -> Iterator[Source]:
        found = list(read(*arguments))
        if any(source.path == BOT for source in found):
            # Whoever takes a digest of it now has another file.
            write_files(root, {BOT: ERROR})
        yield from found

    watched = IncrementalChecker()
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "read_sources", early)
        watched.check(tree_request(DirectoryTree(root)))
    told(watched, root)
