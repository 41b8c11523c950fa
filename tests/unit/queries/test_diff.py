"""What differs between two small trees, and the lines that are the cause."""

from pathlib import Path

import pytest
import yaml

from tests.support.diffs import (
    AGENT,
    ALL,
    BASE,
    FILES,
    LONER,
    ORG,
    PRODUCTION,
    PROJECT,
    TEAM,
    Edits,
    after,
    bundles,
    forms,
    line,
)

TABLE = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("claim", [claim for claim in TABLE if not claim.startswith(".")])
def test_a_change_and_its_cause(claim: str) -> None:
    case = TABLE[claim]
    found = after(case["edits"], case.get("base"))
    assert sorted(map(line, found.changes)) == case.get("told", [])
    assert not found.bundles
    # What the table calls so must not be seen, and no ciphertext either.
    assert not [word for word in ("visible", "ghp_", "ENC[") if word in forms(found)]


def test_a_change_is_one_entry_with_all_its_bundles() -> None:
    (change,) = after({ORG: ("A: org", "A: org2")}).changes
    assert change.bundles == ALL
    assert (change.section, change.key, change.kind) == ("env_vars", "A", "changed")
    assert (change.old, change.new, change.sensitive) == ("org", "org2", False)


def test_an_equal_change_of_two_lines_is_one_entry_with_two_causes() -> None:
    found = after(
        {
            AGENT: "execution_environment: {env_vars: {A: x}}\n",
            LONER: "execution_environment: {env_vars: {A: x}}\ntargets: [production]\n",
        }
    )
    assert [line(one) for one in found.changes] == [
        'changed env_vars.A "org" → "x" [3] projects/p/agents/b.yaml:1 added, projects/p/teams/t/agents/a.yaml:1 added'
    ]


def test_the_types_of_values_count() -> None:
    found = after({ORG: ("deep: {one: 1}", "deep: {one: 1.0}")})
    assert [(type(one.old), type(one.new)) for one in found.changes] == [(int, float)]
    assert not after({ORG: ("deep: {one: 1}", "deep: {'one': 1}")}).changes


# Bundles that come and go.


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        ({"projects/p/agents/c.yaml": "targets: [staging]\n"}, ["added p/c@staging projects/p/agents/c.yaml:1 added"]),
        ({LONER: None}, ["removed p/b@production projects/p/agents/b.yaml:1 removed"]),
        (
            {LONER: None, "projects/p/teams/t/agents/b.yaml": FILES[LONER]},
            [
                "removed p/b@production projects/p/agents/b.yaml:1 removed",
                "added p/t/b@production projects/p/teams/t/agents/b.yaml:1 added",
            ],
        ),
        (
            {LONER: "targets: [production, staging]\n"},
            ["added p/b@staging projects/p/agents/b.yaml:1 added"],
        ),
        (
            {LONER: "targets: [staging]\n"},
            [
                "removed p/b@production projects/p/agents/b.yaml:1 edited",
                "added p/b@staging projects/p/agents/b.yaml:1 edited",
            ],
        ),
        ({LONER: "description: everywhere\n"}, ["added p/b@staging projects/p/agents/b.yaml:1 removed"]),
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
            {"projects/p/environments/sandbox.yaml": "inherits: base\n", LONER: "targets: [production]\n"},
            ["added p/t/a@sandbox projects/p/environments/sandbox.yaml:1 added"],
        ),
        ({AGENT: "targets: []\n"}, [f"removed p/t/a@{name} {AGENT}:1 added" for name in ("production", "staging")]),
    ],
)
def test_why_a_bundle_is_new_or_gone(edits: Edits, told: list[str]) -> None:
    found = after(edits)
    assert bundles(found) == told
    assert not found.changes
    assert found.unchanged == 3 - len(found.ids("removed"))


def test_a_renamed_file_that_says_the_same_changes_nothing() -> None:
    common = {"environments/common.yaml": FILES[BASE], BASE: None}
    found = after(
        {
            **common,
            PRODUCTION: ("inherits: base", "inherits: common"),
            "environments/staging.yaml": "inherits: common\n",
        }
    )
    assert found.empty
    assert (found.unchanged, found.rules, found.secrets) == (3, (), ())
