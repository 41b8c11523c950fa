"""`envtree code`: the pages and the list of codes, as plain text for a terminal."""

import pytest

from envtree.cli import invoke
from envtree.diagnostics.codes import CODES
from envtree.diagnostics.pages import read_page


def test_a_page_is_printed_as_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    assert invoke(["code", "et402"]) == 0
    assert capfd.readouterr().out == read_page("ET402")


def test_without_a_code_all_are_listed(capfd: pytest.CaptureFixture[str]) -> None:
    assert invoke(["code"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [[name, str(CODES[name].severity)] for name in sorted(CODES)]


def test_an_unknown_code_is_a_mistake_on_the_command_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert invoke(["code", "ET8O3"]) == 2
    assert "there is no code 'ET8O3'; did you mean 'ET803'?" in capfd.readouterr().err
