"""An incremental check finds the same as a first one, and computes only the bundles that a change can reach."""

import random
from collections.abc import Callable, Iterator
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from envtree.cli.support import incremental_check
from envtree.cli.support.incremental_check import IncrementalChecker
from envtree.cli.support.session import tree_request
from envtree.engine import run
from envtree.engine.check import check
from envtree.engine.publish import CompilePlan, Destinations, publish, without_extra_files
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


def check_incrementally(checker: IncrementalChecker, root: Path) -> object:
    """Return the checked bundles or the error, and assert that it is the result of a first check."""
    tree = DigestingTree(DirectoryTree(root))
    try:
        outcome, bundles = checker.check(tree_request(tree))
    except ReportedError as error:
        return error.code, error.message
    finally:
        checker.forget(tree.digests)
    whole = check(tree_request(DirectoryTree(root)))
    first, first_bundles = IncrementalChecker().check(tree_request(DirectoryTree(root)))
    assert outcome._replace(workspace=None) == whole._replace(workspace=None) == first._replace(workspace=None)
    assert bundles == first_bundles
    assert bundles.keys() == {*outcome.checked}
    return outcome.checked


@pytest.mark.parametrize("limit", [0, 5000])
def test_random_edits(limit: int, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental_check, "_MAX_CACHED_DOCUMENTS", limit)
    checker, results = IncrementalChecker(), set[object]()
    for number in range(10):
        rng = random.Random(number)
        for event in rng.choices(EVENTS, k=rng.choice([1, 1, 2])):
            event(root, rng)
        try:
            results.add(check_incrementally(checker, root))
        except AssertionError:
            pytest.fail(f"round {number} differs")
    assert len(results) > 1


def plan(root: Path, out: str) -> CompilePlan:
    """Return the plan to compile into a folder of the tree."""
    destinations = Destinations(Output(root / out, root, "ref", 2026, {}, lambda _: True))
    formats = frozenset({"bundle", "compose", "template"})
    return CompilePlan(
        tree_request(DigestingTree(DirectoryTree(root)), require_inputs=True),
        destinations,
        formats,
        without_extra_files,
    )


def written_and_outcome(compile: Callable[[], RunOutcome]) -> tuple[bool, object]:
    """Return whether a manifest was written, and the outcome or the error."""
    try:
        outcome = compile()
        return outcome.manifest is not None, outcome._replace(workspace=None, manifest=None)
    except ReportedError as error:
        return False, (error.code, error.message.replace("out-2", "out"))


def test_the_output_is_the_same_after_random_edits(root: Path) -> None:
    checker, write_count = IncrementalChecker(), 0
    for number in range(10):
        rng = random.Random(number)
        for event in rng.choices(EVENTS, k=rng.choice([1, 1, 2])):
            event(root, rng)
        incremental = written_and_outcome(partial(checker.compile, plan(root, "out"), root))
        assert incremental == written_and_outcome(partial(publish, plan(root, "out-2"))), f"round {number}"
        assert read_folder(root / "out") == read_folder(root / "out-2"), f"round {number}"
        write_count += incremental[0]
    assert write_count > 2


@pytest.mark.parametrize("writes", [False, True])
def test_only_bundles_that_a_change_can_reach_are_computed(writes: bool, root: Path, computed: list[str]) -> None:
    checker = IncrementalChecker()

    def reached(path: str, text: str) -> set[str]:
        write_files(root, {path: text})
        computed.clear()
        if writes:
            checker.compile(plan(root, "out"), root)
        else:
            outcome, bundles = checker.check(tree_request(DirectoryTree(root)))
            assert bundles.keys() == {*outcome.checked}
        return {id.partition("/")[0] for id in computed}

    assert reached(BOT, TREE[BOT]) == {"post", "shop"}
    assert reached(BOT, TREE[BOT]) == set()
    assert reached(BOT, "execution_environment: {env_vars: {A: b}}\n") == {"shop"}
    assert reached("environments/staging.yaml", "description: x\n") == {"post", "shop"}
    # A project with an error is not computed again either, unless it has changed or there is output to write.
    assert reached(BOT, ERROR) == ({"post", "shop"} if writes else {"shop"})
    assert reached("projects/post/agents/van.yaml", "{}\n") == ({"post", "shop"} if writes else {"post"})
    assert reached(BOT, TREE[BOT]) == ({"post", "shop"} if writes else {"shop"})


def test_suppressions_expire_between_checks(root: Path) -> None:
    write_files(root, {BOT: "# envtree: allow ET150 until 2026-01-01: for a while\n" + WARNING})
    checker = IncrementalChecker()
    for day, has_ended in ((1, False), (2, True)):
        request = tree_request(DirectoryTree(root), today=date(2026, 1, day))
        outcome, _ = checker.check(request)
        assert outcome._replace(workspace=None) == check(request)._replace(workspace=None)
        assert ("ET151" in [finding.diagnostic.code for finding in outcome.findings]) is has_ended


def test_findings_are_cached_under_the_digest_of_the_content_that_was_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = run.read_sources  # type: ignore[attr-defined]

    def early(*arguments: Any) -> Iterator[Source]:
        sources = list(read(*arguments))
        if any(source.path == BOT for source in sources):
            # A digest that is taken from now on is that of another content.
            write_files(root, {BOT: ERROR})
        yield from sources

    checker = IncrementalChecker()
    with monkeypatch.context() as patched:
        patched.setattr(run, "read_sources", early)
        checker.check(tree_request(DirectoryTree(root)))
    check_incrementally(checker, root)
