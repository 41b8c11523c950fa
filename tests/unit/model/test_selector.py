"""Selectors: the extent of each wildcard, and that all other characters are literal."""

import pytest

from envtree.model.selector import compile_selector
from tests.support.trees import check

IDS = (
    *("shop/helper@staging", "shop/helper@production", "shop/checkout/clerk@staging", "shop/checkout/clerk@production"),
    *("shop/clerk@production", "shop-eu/helper@production", "shop/a.b@production-eu"),
)


def selected(*patterns: str) -> list[int]:
    """Return the indices of the selected ids."""
    matches = compile_selector(patterns)
    return [n for n, id in enumerate(IDS) if matches(id)]


@pytest.mark.parametrize(
    ("patterns", "numbers"),
    [
        ([], [0, 1, 2, 3, 4, 5, 6]),
        (["**"], [0, 1, 2, 3, 4, 5, 6]),
        (["**@**"], [0, 1, 2, 3, 4, 5, 6]),
        (["*"], []),
        (["*/*"], [0, 1, 4, 5, 6]),
        (["*/*/*"], [2, 3]),
        (["shop"], []),
        (["shop/"], []),
        (["shop/*"], [0, 1, 4, 6]),
        (["shop/**"], [0, 1, 2, 3, 4, 6]),
        (["shop*/helper"], [0, 1, 5]),
        (["shop**"], [0, 1, 2, 3, 4, 5, 6]),
        (["**/clerk"], [2, 3, 4]),
        (["*/clerk"], [4]),
        (["shop/**/clerk"], [2, 3, 4]),
        (["shop/**/**/helper"], [0, 1]),
        (["shop/check**/clerk"], [2, 3]),
        (["shop**/clerk"], [2, 3, 4]),
        (["shop/**/"], []),
        (["shop/helper@staging"], [0]),
        (["@staging"], []),
        (["**@*"], [0, 1, 2, 3, 4, 5, 6]),
        (["**@prod*"], [1, 3, 4, 5, 6]),
        (["**@production"], [1, 3, 4, 5]),
        (["**@*-eu"], [6]),
        (["**@"], []),
        (["**@production@x"], []),
        (["*/helper@staging", "**/clerk@production"], [0, 3, 4]),
        ([""], []),
        (["SHOP/**"], []),
    ],
)
def test_a_table_of_selectors(patterns: list[str], numbers: list[int]) -> None:
    assert selected(*patterns) == numbers


@pytest.mark.parametrize(
    "pattern", ["shop/axb", "shop/[a].b", "shop/a?b", "shop/a.b$", "(shop)/a.b", "shop/a.b|x", "^shop/a.b"]
)
def test_everything_but_a_star_is_literal(pattern: str) -> None:
    assert selected(pattern) == []


def test_a_dot_is_a_dot() -> None:
    assert selected("shop/a.b") == [6]


def test_a_star_never_crosses_the_at_sign() -> None:
    assert not compile_selector(["shop/*production"])("shop/helper@production")
    assert not compile_selector(["shop**production"])("shop/helper@production")


def test_t23_many_stars_take_linear_time() -> None:
    # An engine that backtracks would not come to an end.
    assert not compile_selector(["*a" * 30 + "@x"])("a" * 10_000 + "@production")


TREE = {
    "organization.yaml": "{name: acme, edition: 2026, default_model: m}",
    "environments/staging.yaml": "",
    "environments/production.yaml": "",
    "projects/p/project.yaml": "{key: PP}",
    "projects/p/agents/a.yaml": "",
    "projects/p/teams/t/team.yaml": "",
    "projects/p/teams/t/agents/a.yaml": "",
}


@pytest.mark.parametrize(
    ("selectors", "ids"),
    [
        ((), ["p/a@production", "p/a@staging", "p/t/a@production", "p/t/a@staging"]),
        (("p/*@staging",), ["p/a@staging"]),
        (("p/t/a",), ["p/t/a@production", "p/t/a@staging"]),
        (("p/a@staging", "p/t/*@production"), ["p/a@staging", "p/t/a@production"]),
    ],
)
def test_only_selected_bundles_are_computed(selectors: tuple[str, ...], ids: list[str]) -> None:
    result = check(TREE, selectors=selectors)
    assert (sorted(result.bundles), result.findings) == (ids, [])


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("p/t", "did you mean 'p/t/**'?"),
        ("p/", "did you mean 'p/**'?"),
        ("p@staging", "did you mean 'p/**@staging'?"),
        ("**@prod", "did you mean '**@production'?"),
        ("p/t/*@stagin", "did you mean 'p/t/*@staging'?"),
        ("projects/p", "did you mean 'p/**'?"),
        ("projects/p/", "did you mean 'p/**'?"),
        ("projects/p/project.yaml", "did you mean 'p/**'?"),
        ("projects/p/teams/t/team.yaml", "did you mean 'p/t/**'?"),
        ("projects/p/teams/t/agents/a.yaml", "did you mean 'p/t/a'?"),
        ("environments/production.yaml", "did you mean '**@production'?"),
        ("mixins/postgres", "'envtree impact mixins/postgres.yaml' lists the bundles of a mix-in"),
        ("q", "if its bundles are gone on purpose, pass --allow-empty"),
    ],
)
def test_a_selector_that_matches_nothing_is_an_error(pattern: str, hint: str) -> None:
    finding = check(TREE, selectors=(pattern, "p/a")).only_finding()
    assert (finding.code, finding.hint) == ("ET309", hint)
