"""Differences between two small trees, and the lines that caused them."""

from pathlib import Path

import pytest
import yaml

from tests.support.diffs import (
    AGENT,
    ALL,
    BASE,
    FILES,
    ORG,
    PRODUCTION,
    PROJECT,
    TEAM,
    TEAMLESS_AGENT,
    Edits,
    describe_bundles,
    describe_change,
    diff_after_edits,
    render_all_formats,
)

TABLE = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("claim", [claim for claim in TABLE if not claim.startswith(".")])
def test_a_change_and_its_cause(claim: str) -> None:
    case = TABLE[claim]
    difference = diff_after_edits(case["edits"], case.get("base"))
    assert sorted(map(describe_change, difference.changes)) == case.get("told", [])
    assert not difference.bundles
    # The table marks values that must not be shown with these words; ciphertexts must not be shown either.
    assert not [word for word in ("visible", "ghp_", "ENC[") if word in render_all_formats(difference)]


def test_a_change_is_one_entry_with_all_its_bundles() -> None:
    (change,) = diff_after_edits({ORG: ("A: org", "A: org2")}).changes
    assert change.bundles == ALL
    assert (change.section, change.key, change.kind) == ("env_vars", "A", "changed")
    assert (change.old, change.new, change.sensitive) == ("org", "org2", False)


def test_an_equal_change_of_two_lines_is_one_entry_with_two_causes() -> None:
    difference = diff_after_edits(
        {
            AGENT: "execution_environment: {env_vars: {A: x}}\n",
            TEAMLESS_AGENT: "execution_environment: {env_vars: {A: x}}\ntargets: [production]\n",
        }
    )
    assert [describe_change(change) for change in difference.changes] == [
        'changed env_vars.A "org" → "x" [3] projects/p/agents/b.yaml:1 added, projects/p/teams/t/agents/a.yaml:1 added'
    ]


def test_the_types_of_values_count() -> None:
    difference = diff_after_edits({ORG: ("deep: {one: 1}", "deep: {one: 1.0}")})
    assert [(type(change.old), type(change.new)) for change in difference.changes] == [(int, float)]
    assert not diff_after_edits({ORG: ("deep: {one: 1}", "deep: {'one': 1}")}).changes


# Bundles that come and go.


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({"projects/p/agents/c.yaml": "targets: [staging]\n"}, ["added p/c@staging projects/p/agents/c.yaml:1 added"]),
        ({TEAMLESS_AGENT: None}, ["removed p/b@production projects/p/agents/b.yaml:1 removed"]),
        (
            {TEAMLESS_AGENT: None, "projects/p/teams/t/agents/b.yaml": FILES[TEAMLESS_AGENT]},
            [
                "removed p/b@production projects/p/agents/b.yaml:1 removed",
                "added p/t/b@production projects/p/teams/t/agents/b.yaml:1 added",
            ],
        ),
        (
            {TEAMLESS_AGENT: "targets: [production, staging]\n"},
            ["added p/b@staging projects/p/agents/b.yaml:1 added"],
        ),
        (
            {TEAMLESS_AGENT: "targets: [staging]\n"},
            [
                "removed p/b@production projects/p/agents/b.yaml:1 edited",
                "added p/b@staging projects/p/agents/b.yaml:1 edited",
            ],
        ),
        ({TEAMLESS_AGENT: "description: everywhere\n"}, ["added p/b@staging projects/p/agents/b.yaml:1 removed"]),
        ({PROJECT: "key: PP\ntargets: [production]\n"}, ["removed p/t/a@staging projects/p/project.yaml:2 added"]),
        ({TEAM: "targets: [production]\n"}, ["removed p/t/a@staging projects/p/teams/t/team.yaml:1 added"]),
        (
            {"environments/staging.yaml": "inherits: base\nabstract: true\n"},
            ["removed p/t/a@staging environments/staging.yaml:2 added"],
        ),
        ({BASE: ("abstract: true\n", "")}, ["added p/t/a@base environments/base.yaml:1 removed"]),
        ({"environments/staging.yaml": None}, ["removed p/t/a@staging environments/staging.yaml:1 removed"]),
        (
            {"projects/q/project.yaml": "key: QQ\ntargets: [staging]\n", "projects/q/agents/x.yaml": "{}\n"},
            ["added q/x@staging projects/q/agents/x.yaml:1 added"],
        ),
        (
            {
                "projects/p/environments/sandbox.yaml": "inherits: base\nown: true\n",
                TEAMLESS_AGENT: "targets: [production]\n",
            },
            ["added p/t/a@sandbox projects/p/environments/sandbox.yaml:1 added"],
        ),
        ({AGENT: "targets: []\n"}, [f"removed p/t/a@{name} {AGENT}:1 added" for name in ("production", "staging")]),
    ],
)
def test_why_a_bundle_is_new_or_gone(edits: Edits, expected: list[str]) -> None:
    difference = diff_after_edits(edits)
    assert describe_bundles(difference) == expected
    assert not difference.changes
    assert difference.unchanged == 3 - len(difference.bundle_ids("removed"))


def test_a_renamed_file_that_says_the_same_changes_nothing() -> None:
    common = {"environments/common.yaml": FILES[BASE], BASE: None}
    difference = diff_after_edits(
        {
            **common,
            PRODUCTION: ("inherits: base", "inherits: common"),
            "environments/staging.yaml": "inherits: common\n",
        }
    )
    assert difference.is_empty
    assert (difference.unchanged, difference.rules, difference.secrets) == (3, (), ())
