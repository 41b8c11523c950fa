"""`envtree secrets merge-driver` in real git repositories, with the real sops, on random versions of files."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.properties.merge_model import Writer, merged
from tests.support.merging import make_repository, read_ciphertexts, write_secrets
from tests.support.secrets_tree import SecretsTree

ONE_AT_A_TIME = 10


class Case(NamedTuple):
    """Three versions of a document, and which of them get a new data key."""

    base: Any
    ours: Any
    theirs: Any
    rotated: frozenset[str]


def case(number: int, form: str) -> Case:
    writer = Writer(number, form)
    base = writer.document()
    rotated = frozenset(side for side in ("ours", "theirs") if writer.random.random() < 0.15)
    return Case(base, writer.edited(base), writer.edited(base), rotated)


def play(folder: Path, first: int, count: int) -> None:
    """Merge many files at once, each of which is one random three-way merge."""
    tree = make_repository(folder)
    cases: dict[str, Case] = {}
    for number in range(first, first + count):
        form = ("yaml", "json", "env")[number % 3]
        cases[f"environments/case{number}.secrets.{form}"] = case(number, form)
        (tree.root / f"environments/case{number}.yaml").write_text("{}\n")
    for path, one in cases.items():
        write_secrets(tree, path, one.base)
    tree.commit()
    tree.git("tag", "base")
    for side in ("theirs", "ours"):
        tree.git("checkout", "-q", "-b", side, "base")
        for path, one in cases.items():
            write_secrets(tree, path, getattr(one, side))
            if side in one.rotated:
                tree.sops("rotate", "-i", f"./{path}")
        tree.git("commit", "-q", "-a", "--allow-empty", "-m", side)
    tree.git("tag", "before")
    expected = {path: merged(one.base, one.ours, one.theirs) for path, one in cases.items()}
    code = int(any(conflicts for _, conflicts in expected.values()))
    said = tree.git("merge", "-q", "-m", "merged", "theirs", code=code)
    unmerged = {line[3:] for line in tree.git("status", "-s").splitlines() if line.startswith("UU")}
    assert unmerged == {path for path, (_, conflicts) in expected.items() if conflicts}
    for path, (result, conflicts) in expected.items():
        # As JSON, since to Python 1 and true are equal.
        assert json.dumps(tree.plain(path), sort_keys=True) == json.dumps(result, sort_keys=True), path
        told = {line.split("'")[1] for line in said.splitlines() if line.startswith(f"{path}: '")}
        assert told == {".".join(conflict) for conflict in conflicts}, (path, said)
        check_bytes(tree, path)


def check_bytes(tree: SecretsTree, path: str) -> None:
    """What neither side has touched is as it was, and what can be is taken from a side byte for byte."""
    base, ours, theirs = (read_ciphertexts(tree, path, each) for each in ("base", "before", "theirs"))
    after = read_ciphertexts(tree, path)
    for key, text in after.items():
        if base.get(key) == ours.get(key) == theirs.get(key):
            assert text == base[key], (path, key)
    # With one data key nothing needs to be encrypted again at all.
    if any(ours[key] == theirs[key] for key in ours.keys() & theirs.keys()):
        assert all(text in (ours.get(key), theirs.get(key)) for key, text in after.items()), path
        assert [key for key in after if key in ours] == [key for key in ours if key in after], path


@pytest.mark.parametrize("batch", range(1))
def test_random_merges_give_what_merging_the_plain_texts_gives(tmp_path: Path, batch: int) -> None:
    play(tmp_path, batch * ONE_AT_A_TIME, ONE_AT_A_TIME)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(1, 21))
def test_hundreds_more(tmp_path: Path, batch: int) -> None:
    play(tmp_path, batch * ONE_AT_A_TIME, ONE_AT_A_TIME)
