"""Directives in SOPS files: they apply without the key, and their values come from the right leaf."""

from typing import Any

import pytest

from tests.support.trees import run

READ = "{config: {found: '${{ secrets.A }}'}}"


@pytest.mark.parametrize(
    ("below", "above", "expected"),
    [
        ({"A": {"$value": "real", "$lock": True}}, {}, "real"),
        ({"A": {"$value": "real", "$expect": "new"}}, {}, "real"),
        ({"A": "old"}, {"A": {"$replace": "new", "$expect": "exists"}}, "new"),
        ({"A": {"deep": {"$replace": "real", "$lock": True}}}, {}, {"deep": "real"}),
        ({"A": ["one"]}, {"A": {"$append": ["two"]}}, ["one", "two"]),
        ({"A": ["one"]}, {"A": {"$prepend": ["two", "three"]}}, ["two", "three", "one"]),
        ({"A": {"$append": ["one"]}}, {"A": {"$append": ["two"]}}, ["one", "two"]),
        ({"A": {"$$lock": "a key", "$$value": "another"}}, {}, {"$lock": "a key", "$value": "another"}),
    ],
    ids=repr,
)
def test_a_directive_gives_the_secret_in_it(below: Any, above: Any, expected: Any) -> None:
    data = run("", "", "", READ, secrets={0: below, 3: above} if above else {0: below}).data()
    assert data["config"]["found"] == expected


def test_encrypted_elements_cannot_be_removed() -> None:
    finding = run("", "", "", READ, secrets={0: {"A": ["one"]}, 3: {"A": {"$remove": ["one"]}}}).only_finding()
    assert (finding.code, finding.key) == ("ET212", "A")
    assert "without the key" in finding.message
