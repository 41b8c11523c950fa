"""`envtree report`: the path of the page, exit codes and messages."""

import os
import re
import shutil
from pathlib import Path

import pytest

from tests.cli.test_cli_words import is_plain
from tests.support.command_line import BOT, BOT_ID, ERROR, INPUT, WARNING, RunCommand, write_files
from tests.support.html_page import Page, read_page_data


def page_at(path: Path) -> Page:
    return Page(read_page_data(path.read_bytes()))


@pytest.mark.parametrize(
    ("files", "arguments", "code", "words"),
    [
        ({}, (), 0, "about 3 bundles: no errors\n"),
        ({BOT: WARNING}, (), 0, "about 3 bundles: 1 warning\n"),
        ({BOT: ERROR}, (), 1, "about 1 bundle: 1 error\n"),
        ({"organization.yaml": "["}, (), 1, "about 0 bundles: 1 error\n"),
        ({}, ("--select", "**@production"), 0, "about 2 bundles: no errors\n"),
        ({}, ("--select", "**@production", "--select", BOT_ID), 0, "about 2 bundles: no errors\n"),
        ({}, ("--select", "nobody"), 1, "about 0 bundles: 1 error\n"),
        ({"organization.yaml": INPUT}, ("--input", "SHA=1"), 0, "about 3 bundles: no errors\n"),
    ],
)
def test_the_page_is_written_whatever_is_found(
    files: dict[str, str], arguments: tuple[str, ...], code: int, words: str, tree: Path, envtree: RunCommand
) -> None:
    write_files(tree, files)
    ran = envtree("report", "-o", str(tree / "out/page.html"), *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert re.search(rf"wrote '[^']*/page.html' \(\d+ kB\) {re.escape(words)}$", ran.err), ran.err
    assert is_plain(ran)
    findings = page_at(tree / "out/page.html").data["findings"]
    assert [f"{finding['severity']} {finding['code']}" in ran.err for finding in findings] == [code == 1] * len(
        findings
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Missing option '-o'"),
        (("-o", "organization.yaml"), "among the tree's own files"),
        (("-o", "agents/page.html"), "among the tree's own files"),
        (("-o", "environments"), "is not a regular file; '-o -' prints the page"),
        (("-o", "link"), "is not a regular file"),
        (("-o", "page.html", "--input", "NO=1"), "declares no input 'NO'"),
        (("-o", "page.html", "--select", "\udcff"), "in UTF-8"),
        (("-o", "page.html", "--merge-base"), "--merge-base needs a revision"),
        (("-o", "page.html", "./nowhere"), "there is no folder './nowhere'"),
    ],
)
def test_what_is_refused_leaves_all_as_it_was(
    arguments: tuple[str, ...], words: str, tree: Path, envtree: RunCommand, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "link").symlink_to("organization.yaml")
    monkeypatch.chdir(tree)
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    ran = envtree("report", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


def test_the_page_goes_to_stdout(tree: Path, envtree: RunCommand) -> None:
    envtree("report", "-o", str(tree / "page.html"))
    ran = envtree("report", "-o", "-")
    assert ran.out.encode() == (tree / "page.html").read_bytes()
    assert re.fullmatch(r"wrote the page \(\d+ kB\) about 3 bundles: no errors\n", ran.err)


def test_a_page_is_replaced_as_a_whole_or_not_at_all(tree: Path, envtree: RunCommand) -> None:
    folder = tree / "out"
    write_files(folder, {"page.html": "old"})
    assert envtree("report", "-o", str(folder / "page.html")).code == 0
    assert os.stat(folder / "page.html").st_mode & 0o777 == 0o644
    assert [path.name for path in folder.iterdir()] == ["page.html"]
    ran = envtree("report", "-o", str(folder / "page.html/inside.html"))
    assert (ran.code, "ET805" in ran.err) == (3, True)
    assert page_at(folder / "page.html").bundles


def test_a_folder_to_compare_with(tree: Path, envtree: RunCommand, tmp_path: Path) -> None:
    write_files(
        tmp_path / "before", {path.relative_to(tree).as_posix(): path.read_text() for path in tree.rglob("*.yaml")}
    )
    write_files(tree, {BOT: "execution_environment:\n  env_vars: {NAME: x}\n"})
    assert envtree("report", "-o", str(tree / "page.html"), str(tmp_path / "before")).code == 0
    page = page_at(tree / "page.html")
    assert page.data["difference"]["base"] == str(tmp_path / "before")
    assert {id: len(bundle.get("changes", ())) for id, bundle in page.bundles.items()} == {
        "shop/clerk@production": 0,
        BOT_ID: 1,
        "shop/cart/bot@staging": 1,
    }


def test_a_broken_tree_is_compared_as_far_as_it_goes(tree: Path, envtree: RunCommand, tmp_path: Path) -> None:
    write_files(
        tmp_path / "before", {path.relative_to(tree).as_posix(): path.read_text() for path in tree.rglob("*.yaml")}
    )
    write_files(tree, {BOT: ERROR})
    assert envtree("report", "-o", str(tree / "page.html"), str(tmp_path / "before")).code == 1
    assert page_at(tree / "page.html").data["difference"]["spoiled"] == [BOT_ID, "shop/cart/bot@staging"]
    write_files(tree, {"organization.yaml": "["})
    assert envtree("report", "-o", str(tree / "page.html"), str(tmp_path / "before")).code == 1


def test_an_input_that_the_base_does_not_declare(tree: Path, tmp_path: Path, envtree: RunCommand) -> None:
    shutil.copytree(tree, tmp_path / "base")
    write_files(tree, {"organization.yaml": INPUT})
    ran = envtree("report", "-o", "-", str(tmp_path / "base"), "--input", "SHA=1")
    assert ran.code == 0, ran
