"""Dotted paths: formatting and parsing round-trip, and errors of malformed paths have a position."""

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
def test_formatting_and_parsing_round_trip(path: KeyPath) -> None:
    assert parse_path(format_path(path)) == path


@given(st.lists(TEXTS, min_size=1).map(tuple), st.lists(TEXTS, min_size=1).map(tuple))
def test_different_paths_have_different_texts(first: KeyPath, second: KeyPath) -> None:
    assert (format_path(first) == format_path(second)) == (first == second)


@pytest.mark.parametrize(
    ("text", "message"),
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
def test_a_malformed_path_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_path(text)


@given(TEXTS)
def test_any_text_is_a_path_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_path(text)
