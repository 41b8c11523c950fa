"""`envtree secrets merge-driver` in real git repositories, with the real sops, on random versions of files."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.properties.merge_model import Writer, merged
from tests.support.merging import make_repository, read_ciphertexts, write_secrets
from tests.support.rounds import rounds
from tests.support.secrets_tree import SecretsTree

ONE_AT_A_TIME = 10


class Case(NamedTuple):
    """Three versions of a document, and the sides that get a new data key."""

    base: Any
    ours: Any
    theirs: Any
    rotated: frozenset[str]


def random_case(number: int, form: str) -> Case:
    writer = Writer(number, form)
    base = writer.document()
    rotated = frozenset(side for side in ("ours", "theirs") if writer.random.random() < 0.15)
    return Case(base, writer.edited(base), writer.edited(base), rotated)


def merge_cases(folder: Path, first: int, count: int) -> None:
    """Merge many files at once, each with three random versions."""
    tree = make_repository(folder)
    cases: dict[str, Case] = {}
    for number in range(first, first + count):
        form = ("yaml", "json", "env")[number % 3]
        cases[f"environments/case{number}.secrets.{form}"] = random_case(number, form)
        (tree.root / f"environments/case{number}.yaml").write_text("{}\n")
    for path, versions in cases.items():
        write_secrets(tree, path, versions.base)
    tree.commit()
    tree.git("tag", "base")
    for side in ("theirs", "ours"):
        tree.git("checkout", "-q", "-b", side, "base")
        for path, versions in cases.items():
            write_secrets(tree, path, getattr(versions, side))
            if side in versions.rotated:
                tree.sops("rotate", "-i", f"./{path}")
        tree.git("commit", "-q", "-a", "--allow-empty", "-m", side)
    tree.git("tag", "before")
    expected = {path: merged(versions.base, versions.ours, versions.theirs) for path, versions in cases.items()}
    code = int(any(conflicts for _, conflicts in expected.values()))
    output = tree.git("merge", "-q", "-m", "merged", "theirs", code=code)
    unmerged = {line[3:] for line in tree.git("status", "-s").splitlines() if line.startswith("UU")}
    assert unmerged == {path for path, (_, conflicts) in expected.items() if conflicts}
    for path, (result, conflicts) in expected.items():
        # As JSON, because 1 equals True in Python.
        assert json.dumps(tree.plain(path), sort_keys=True) == json.dumps(result, sort_keys=True), path
        reported = {line.split("'")[1] for line in output.splitlines() if line.startswith(f"{path}: '")}
        assert reported == {".".join(conflict) for conflict in conflicts}, (path, output)
        check_bytes(tree, path)


def check_bytes(tree: SecretsTree, path: str) -> None:
    """Require that unchanged ciphertexts are kept, and that the others come from a side where possible."""
    base, ours, theirs = (read_ciphertexts(tree, path, revision) for revision in ("base", "before", "theirs"))
    after = read_ciphertexts(tree, path)
    for key, text in after.items():
        if base.get(key) == ours.get(key) == theirs.get(key):
            assert text == base[key], (path, key)
    # With a common data key no value needs to be encrypted again.
    if any(ours[key] == theirs[key] for key in ours.keys() & theirs.keys()):
        assert all(text in (ours.get(key), theirs.get(key)) for key, text in after.items()), path
        assert [key for key in after if key in ours] == [key for key in ours if key in after], path


@pytest.mark.parametrize("batch", range(1))
def test_random_merges_give_what_merging_the_plain_texts_gives(tmp_path: Path, batch: int) -> None:
    merge_cases(tmp_path, batch * ONE_AT_A_TIME, rounds(gate=6, full=ONE_AT_A_TIME))


@pytest.mark.full
@pytest.mark.parametrize("batch", range(1, 21))
def test_hundreds_more(tmp_path: Path, batch: int) -> None:
    merge_cases(tmp_path, batch * ONE_AT_A_TIME, ONE_AT_A_TIME)
