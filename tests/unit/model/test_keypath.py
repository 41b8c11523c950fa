"""Dotted paths: what is written is read back, and what is not a path is told where it stops being one."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envtree.model.keypath import KeyPath, format_path, parse_path

TEXTS = st.text(st.characters(blacklist_categories=["Cs"]))

PATHS = {
    ("config",): "config",
    ("config", "limits", "cpu"): "config.limits.cpu",
    ("config", "a.b", "c"): 'config."a.b".c',
    ("config", "a b"): 'config."a b"',
    ("config", ""): 'config.""',
    ("config", 'say "hi"'): r'config."say \"hi\""',
    ("config", "back\\slash"): r"config.back\slash",
    ("config", "back\\slash."): r'config."back\\slash."',
    ("config", "tab\tstop"): r'config."tab\tstop"',
    ("config", "zwölf", "0"): "config.zwölf.0",
    ("*", "$ref"): "*.$ref",
}


@pytest.mark.parametrize(("path", "text"), PATHS.items())
def test_a_path_and_its_text(path: KeyPath, text: str) -> None:
    assert format_path(path) == text
    assert parse_path(text) == path


@given(st.lists(TEXTS, min_size=1).map(tuple))
def test_what_is_written_is_read_back(path: KeyPath) -> None:
    assert parse_path(format_path(path)) == path


@given(st.lists(TEXTS, min_size=1).map(tuple), st.lists(TEXTS, min_size=1).map(tuple))
def test_two_paths_never_have_one_text(one: KeyPath, other: KeyPath) -> None:
    assert (format_path(one) == format_path(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "a segment is missing at character 1"),
        (".a", "a segment is missing at character 1"),
        ("a.", "a segment is missing at character 3"),
        ("a..b", "a segment is missing at character 3"),
        ('a."b', "a segment is missing at character 3"),
        ('"', "a segment is missing at character 1"),
        ('a"b"', "'.' expected at character 2"),
        ('"a"b', "'.' expected at character 4"),
        ('"a" .b', "'.' expected at character 4"),
    ],
)
def test_what_is_no_path(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_path(text)


@given(TEXTS)
def test_any_text_is_a_path_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_path(text)
