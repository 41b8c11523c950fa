"""`merge-manifests`: parts of one output are merged, and other outputs are refused by name."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.command_line import RunCommand, write_files
from tests.support.vault import read_folder

TREE = {
    "organization.yaml": "{name: acme, edition: 2026, default_model: m, inputs: {SHA: {default: x}}}",
    "environments/dev.yaml": "{}",
    "projects/one/project.yaml": "{key: ONE}",
    "projects/one/agents/a.yaml": "{}",
    "projects/two/project.yaml": "{key: TWO}",
    "projects/two/agents/b.yaml": "{}",
}
A = "one/a@dev"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    write_files(tmp_path / "tree", TREE)
    return tmp_path / "tree"


@pytest.fixture
def parts(tree: Path, envtree: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Compile the parts one/ and two/, each also as an archive."""
    monkeypatch.chdir(tmp_path)
    for n, name in enumerate(("one", "two"), 1):
        result = envtree(*command(name, n), "--archive", f"{name}.zip")
        assert result.code == 0, result.err
    return tmp_path


def command(name: str, n: int, *more: str) -> tuple[str, ...]:
    return ("compile", "--secrets", "ref", "--shard", f"{n}/2", "-o", name, "--receipt", *more)


def change(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Edit a manifest."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    edit(manifest)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def with_receipt(**fields: Any) -> Callable[[dict[str, Any]], None]:
    return lambda manifest: manifest["receipt"].update(fields)


def take_folder(manifest: dict[str, Any]) -> None:
    manifest["bundles"]["two/b@dev"]["path"] = "dev/one/a"


REFUSED: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a mode": (
        lambda manifest: manifest.update(mode="plain"),
        "'one' was compiled with '--secrets ref', and 'two' with 'plain'",
    ),
    "an edition": (lambda manifest: manifest.update(edition=2027), "'one' is of edition 2026, and 'two' of 2027"),
    "an input": (
        lambda manifest: manifest.update(inputs={"SHA": "not-to-be-told"}),
        "'one' and 'two' were compiled with different values of input 'SHA'",
    ),
    "another input": (
        lambda manifest: manifest["inputs"].update(TAG="not-to-be-told"),
        "'one' and 'two' were compiled with different values of input 'TAG'",
    ),
    "no receipt": (lambda manifest: manifest.pop("receipt"), "'one' has a receipt, and 'two' has none"),
    "a version": (with_receipt(version="9.9"), "'one' was made by envtree 0.1.0, and 'two' by 9.9"),
    "a commit": (
        with_receipt(commit="c" * 40, clean=True),
        f"'one' was made from no commit, and 'two' from commit {'c' * 40}",
    ),
    "a folder": (
        with_receipt(commit="c" * 40, clean=True, folder="sub"),
        f"'one' was made from no commit, and 'two' from 'sub' at commit {'c' * 40}",
    ),
    "a source": (
        lambda manifest: manifest["receipt"]["files"].update({"organization.yaml": "0" * 40}),
        "'one' and 'two' were made from different contents of 'organization.yaml'",
    ),
    "a place": (take_folder, "the folder 'dev/one/a' is in 'one' and in 'two'"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_is_not_of_one_run_is_refused(why: str, parts: Path, envtree: RunCommand) -> None:
    edit, words = REFUSED[why]
    change(parts / "two", edit)
    result = envtree("merge-manifests", "one", "two", "-o", "out")
    assert (result.code, f"error ET632: {words}\n" in result.err) == (1, True), result.err
    assert "not-to-be-told" not in result.err
    assert not (parts / "out").exists()


def test_a_bundle_is_of_one_part(parts: Path, envtree: RunCommand) -> None:
    for sources in (("one", "two", "one.zip"), ("one", "one")):
        result = envtree("merge-manifests", *sources, "-o", "out")
        assert (result.code, f"bundle '{A}' is in 'one' and in '{sources[-1]}'" in result.err) == (1, True), result.err


def test_in_place_is_a_place(parts: Path, envtree: RunCommand) -> None:
    assert envtree("merge-manifests", "one.zip", "two.zip", "-o", "out").code == 0
    result = envtree("merge-manifests", "one", "two.zip", "-o", "one")
    assert (result.code, result.err) == (0, "merged 2 bundles of 2 outputs into 'one'\n")
    assert read_folder(parts / "one") == read_folder(parts / "out")
    assert envtree("verify", "one").code == 0


def test_what_was_there_before_goes(parts: Path, envtree: RunCommand) -> None:
    assert envtree("merge-manifests", "one", "two", "-o", "out").code == 0
    assert envtree("merge-manifests", "two", "-o", "out").code == 0
    assert read_folder(parts / "out") == read_folder(parts / "two")


def replace_with_link(file: Path) -> None:
    file.rename(file.with_name("x"))
    file.symlink_to("x")


DAMAGE: dict[str, Callable[[Path], Any]] = {
    "changed": lambda file: file.write_bytes(file.read_bytes().replace(b"acme", b"acne")),
    "missing": lambda file: file.unlink(),
    "a link": replace_with_link,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_bundle_that_was_changed_is_passed_on_by_nobody(how: str, parts: Path, envtree: RunCommand) -> None:
    DAMAGE[how](parts / "one/dev/one/a/bundle.json")
    result = envtree("merge-manifests", "one", "two", "-o", "out", "--archive", "out.zip")
    assert (result.code, f"ET631: bundle '{A}' in 'one' is not as it was compiled" in result.err) == (1, True), (
        result.err
    )
    assert not (parts / "out").exists()
    assert not (parts / "out.zip").exists()


@pytest.mark.parametrize(
    ("gone", "added"),
    [("dev/one/a/.env", None), ("dev/one/a/", None), (None, "dev/one/a/extra")],
    ids=["a file less", "a bundle less", "a file more"],
)
def test_an_archive_that_was_changed_is_passed_on_by_nobody(
    gone: str | None, added: str | None, parts: Path, envtree: RunCommand
) -> None:
    from tests.unit.delivery.test_verify import files_in, repack

    files = {path: data for path, data in files_in(parts / "one.zip").items() if not gone or not path.startswith(gone)}
    repack(parts / "one.zip", files | ({added: b"x"} if added else {}))
    result = envtree("merge-manifests", "one.zip", "two.zip", "-o", "out")
    assert (result.code, f"ET631: bundle '{A}' in 'one.zip' is not as it was compiled" in result.err) == (1, True)
    assert "'envtree verify one.zip' says in what" in result.err
    assert not (parts / "out").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("one", "two"), 2, "nothing says where to write; add -o DIR"),
        (("-o", "out"), 2, "Missing argument 'OUTPUT...'"),
        (("one", "nowhere", "-o", "out"), 2, "'nowhere' does not exist"),
        (("one", "two", "--archive", "out.tar"), 2, "end it in .tar.zst or .zip"),
        (("one", "two", "--archive", "{project}.zip"), 2, "'{project}.zip' is no archive that can be made"),
        (("one", "tree", "-o", "out"), 1, "there is no 'manifest.json' in 'tree'"),
        (("one", "tree/organization.yaml", "-o", "out"), 1, "'tree/organization.yaml' is no archive"),
        (("one", "two", "-o", "tree/projects/out"), 1, "ET806"),
        (("one", "two", "-o", "tree"), 1, "ET806"),
    ],
)
def test_what_cannot_be_merged(
    words: tuple[str, ...], code: int, message: str, parts: Path, envtree: RunCommand
) -> None:
    result = envtree("merge-manifests", *words)
    assert (result.code, message in result.err) == (code, True), result.err
    assert not (parts / "out").exists()


def test_where_no_tree_is_none_is_missed(parts: Path, envtree: RunCommand, tree: Path) -> None:
    (tree / "organization.yaml").unlink()
    assert envtree("merge-manifests", "one", "two", "-o", "out").code == 0
