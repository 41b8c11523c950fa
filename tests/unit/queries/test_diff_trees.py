"""Diffs of trees with errors, of rules and of findings, and the summary."""

import pytest

from envtree.diagnostics.printable_documents import json_document
from envtree.queries.diff.from_json import InvalidDiffError, parse_diff
from envtree.queries.diff.to_json import diff_data
from envtree.report.diff_text import diff_summary, render_diff_text
from tests.properties.writing import RECIPIENT
from tests.support.diffs import (
    AGENT,
    ALL,
    BASE,
    BROKEN,
    FILES,
    ORG,
    PRODUCTION,
    PROJECT,
    SECRETS,
    TEAM,
    TEAMLESS_AGENT,
    Edits,
    apply_edits,
    compare,
    describe_change,
    diff_after_edits,
    render_all_formats,
)

# Trees with errors, and empty trees.


@pytest.mark.parametrize(
    ("path", "not_compared"),
    [
        (ORG, ALL),
        (BASE, ("p/b@production", "p/t/a@base", "p/t/a@production", "p/t/a@staging")),
        (PRODUCTION, ("p/b@production", "p/t/a@production")),
        (PROJECT, ALL),
        (TEAM, ("p/t/a@production", "p/t/a@staging")),
        (TEAMLESS_AGENT, ("p/b@production", "p/b@staging")),
        (SECRETS, ALL),
    ],
)
def test_a_bundle_over_a_broken_file_is_not_compared_and_no_more_is_made_of_it(
    path: str, not_compared: tuple[str, ...]
) -> None:
    sound = {SECRETS: {"db": {"pw": "one"}}}
    base = apply_edits(sound)
    head = {**base, path: BROKEN}
    for old, new, errors in ((base, head, True), (head, base, False), (head, {**head, path: "{: y"}, True)):
        difference = compare(old, new)
        assert difference.not_compared == not_compared
        assert difference.affected == not_compared
        assert (difference.changes, difference.bundles, difference.rules) == ((), (), ())
        assert difference.has_errors is errors
        findings = [
            f"{finding.diagnostic.code} {finding.diagnostic.span.path}"
            for finding in (*difference.new_findings, *difference.removed_findings)
        ]
        assert findings == ([f"ET101 {path}"] if new != {**head, path: "{: y"} else [])
        assert [(file.kind, file.leaves) for file in difference.secrets] == (
            [("changed", ())] if path == SECRETS else []
        )


def test_a_target_that_is_misspelt_takes_no_bundle_away() -> None:
    difference = diff_after_edits({TEAMLESS_AGENT: "targets: [prodution]\n"})
    assert (difference.not_compared, difference.bundles, difference.has_errors) == (("p/b@production",), (), True)


def test_a_value_that_cannot_be_computed_spoils_no_other() -> None:
    difference = diff_after_edits({AGENT: "execution_environment: {env_vars: {A: '${{ env_vars.B }}', LEVEL: x}}\n"})
    assert [describe_change(change) for change in difference.changes] == [
        f'changed env_vars.A "org" → (unknown) [2] {AGENT}:1 added',
        f'changed env_vars.LEVEL "debug" → "x" [2] {AGENT}:1 added',
    ]
    assert (difference.not_compared, difference.has_errors) == ((), True)


def test_without_a_tree_all_is_new_or_gone() -> None:
    first, last = compare({}, FILES), compare(FILES, {})
    assert (first.bundle_ids("added"), first.bundle_ids("removed"), first.not_compared) == (ALL, (), ())
    assert (last.bundle_ids("added"), last.bundle_ids("removed"), last.not_compared) == ((), ALL, ())
    assert [str(bundle.causes[0].path) for bundle in (*first.bundles, *last.bundles)] == [
        TEAMLESS_AGENT,
        AGENT,
        AGENT,
    ] * 2
    assert not first.has_errors
    assert not last.has_errors
    assert compare({}, {}).is_empty


def test_an_organization_that_cannot_be_read_is_no_tree_without_bundles() -> None:
    difference = compare({**FILES, ORG: b"\xff"}, FILES)  # type: ignore[dict-item]
    assert (difference.not_compared, difference.bundles) == (ALL, ())


# Rules, and findings.

LIST_POLICY = "list policy config.tags changed organization.yaml:5"


def before_inputs(text: str) -> Edits:
    """Add a field to the organization, in line 6."""
    return {ORG: ("inputs:", f"{text}\ninputs:")}


@pytest.mark.parametrize(
    ("before", "edits", "expected"),
    [
        ({}, {ORG: ("inputs:", "variables:\n  A: {enum: [org]}\ninputs:")}, ["contract A added organization.yaml:7"]),
        ({}, {PROJECT: "key: PP\nvariables:\n  A:\n    enum: [org]\n"}, [f"contract A added {PROJECT}:3"]),
        (
            {TEAM: "variables:\n  A:\n    type: string\n    description: x\n"},
            {TEAM: ("description: x", "description: y")},
            [f"contract A changed {TEAM}:4"],
        ),
        ({TEAM: "variables:\n  A: {}\n"}, {TEAM: "{}\n"}, [f"contract A removed {TEAM}:2"]),
        ({}, {ORG: ("config.tags: union", "config.tags: append")}, [LIST_POLICY]),
        ({}, {ORG: ("ET252: off, ", "")}, ["severity ET252 removed organization.yaml:4"]),
        ({}, {ORG: ("default: eu", "default: us")}, ["input REGION changed organization.yaml:7"]),
        ({}, before_inputs("strict_variables: false"), ["strict variables  added organization.yaml:6"]),
        ({}, before_inputs("secrets: {key_types: [age]}"), ["secrets policy key_types added organization.yaml:6"]),
        ({}, before_inputs("people: {dana: {github: d}}"), ["person dana added organization.yaml:6"]),
        ({}, before_inputs("owners: []"), ["owners  added organization.yaml:6"]),
        ({}, before_inputs("output: {secrets: ref}"), ["output setting secrets added organization.yaml:6"]),
        ({}, {"policies/quiet.yaml": "schema: {}\nmessage: x\n"}, ["policy quiet added policies/quiet.yaml:1"]),
        (
            {"policies/quiet.yaml": "schema: {}\nmessage: x\n"},
            {"policies/quiet.yaml": ("message: x", "message: y")},
            ["policy quiet changed policies/quiet.yaml:2"],
        ),
        ({"policies/q.yaml": "schema: {}\n"}, {"policies/q.yaml": None}, ["policy q removed policies/q.yaml:1"]),
        (
            {"policies/q.yaml": "schema: {}\n"},
            {"policies/q.yaml": None, "policies/r.yaml": "schema: {}\n"},
            ["policy q removed policies/q.yaml:1", "policy r added policies/r.yaml:1"],
        ),
    ],
)  # fmt: skip
def test_t30_the_rules_that_change(before: Edits, edits: Edits, expected: list[str]) -> None:
    difference = diff_after_edits(edits, before)
    assert [f"{rule.rule} {rule.name} {rule.kind} {rule.path}:{rule.line}" for rule in difference.rules] == expected


def test_every_allowance_counts() -> None:
    one_allowance = "execution_environment:\n  env_vars:\n    X: no  # envtree: allow ET150: as it was\n"
    two_allowances = one_allowance + "    Y: no  # envtree: allow ET150: as it was\n"
    edited = one_allowance.replace("as it was", "as it is")
    changes = [
        [(rule.rule, rule.name, rule.kind, rule.line) for rule in diff_after_edits({TEAM: head}, {TEAM: base}).rules]
        for base, head in (
            (one_allowance, two_allowances),
            (two_allowances, one_allowance),
            (one_allowance, edited),
            (one_allowance, f"description: x\n{one_allowance}"),
        )
    ]
    assert changes == [
        [("allowance", "ET150", "added", 4)],
        [("allowance", "ET150", "removed", 4)],
        [("allowance", "ET150", "added", 3), ("allowance", "ET150", "removed", 3)],
        [],
    ]


def test_findings_that_are_new_or_gone() -> None:
    quiet = {
        "policies/quiet.yaml": "schema: {properties: {env_vars: {properties: {A: {const: org}}}}}\nmessage: be quiet\n"
    }
    loud = {AGENT: "execution_environment:\n  env_vars: {A: loud}\n"}
    difference = diff_after_edits(loud, quiet)
    assert [(finding.diagnostic.code, finding.bundles) for finding in difference.new_findings] == [("ET704", ALL[1:])]
    assert difference.has_errors
    back = diff_after_edits({AGENT: FILES[AGENT]}, {**quiet, **loud})
    assert ([finding.diagnostic.code for finding in back.removed_findings], back.new_findings, back.has_errors) == (
        ["ET704"],
        (),
        False,
    )
    # A finding whose line moves is neither new nor gone.
    moved = diff_after_edits({AGENT: f"description: x\n{loud[AGENT]}"}, {**quiet, **loud})
    assert (moved.new_findings, moved.removed_findings, moved.has_errors) == ((), (), True)


def test_what_the_head_cannot_look_at_is_not_gone() -> None:
    quiet = {
        "policies/quiet.yaml": "schema: {properties: {env_vars: {properties: {A: {const: x}}}}}\nmessage: be quiet\n"
    }
    warned = {AGENT: "execution_environment: {env_vars: {TOKEN: ghp_0123456789abcdefghijABCDEFGHIJ012345}}\n"}
    difference = diff_after_edits({AGENT: BROKEN, TEAMLESS_AGENT: BROKEN}, {**quiet, **warned})
    assert {finding.diagnostic.code for finding in difference.new_findings} == {"ET101"}
    assert difference.removed_findings == ()


def test_what_is_said_of_a_whole_tree_is_no_news_of_a_broken_one() -> None:
    idle = {ORG: ("    LEVEL: info\n", "    LEVEL: info\n    X: {$delete: true}\n"), AGENT: BROKEN}
    assert [finding.diagnostic.code for finding in diff_after_edits({AGENT: FILES[AGENT]}, idle).new_findings] == []
    assert [
        finding.diagnostic.code for finding in diff_after_edits({AGENT: FILES[AGENT], ORG: idle[ORG]}).new_findings
    ] == ["ET451"]


# The summary.


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ({}, "no bundle changes; 3 bundles compared"),
        ({TEAM: "description: x\n"}, "no bundle changes; 3 bundles compared"),
        ({ORG: ("A: org", "A: x")}, "2 agents get new values in production, 1 in staging; 0 of 3 bundles unaffected"),
        (
            {TEAMLESS_AGENT: "targets: [production]\nmodel_id: x\n"},
            "1 agent gets new values in production; 2 of 3 bundles unaffected",
        ),
        ({TEAMLESS_AGENT: None}, "1 agent is gone from production; 2 of 3 bundles unaffected"),
        ({"projects/p/agents/c.yaml": "{}\n"}, "1 agent is new in 2 environments; 3 of 5 bundles unaffected"),
        ({TEAMLESS_AGENT: BROKEN}, "2 bundles could not be compared; 2 of 4 bundles unaffected"),
        (
            {TEAMLESS_AGENT: None, AGENT: "model_id: x\n", "projects/p/agents/c.yaml": "targets: [staging]\n"},
            "1 agent gets new values in production, 1 in staging; 1 agent is new in staging; "
            "1 agent is gone from production; 0 of 4 bundles unaffected",
        ),
    ],
)
def test_the_sentence(edits: Edits, expected: str) -> None:
    assert diff_summary(diff_after_edits(edits)) == expected


def test_production_comes_first_whatever_it_is_called() -> None:
    environments = {
        f"environments/{name}.yaml": f"type: {kind}\n"
        for name, kind in (("aa", "development"), ("xx", "staging"), ("zz", "production"))
    }
    files = {ORG: FILES[ORG], **environments, PROJECT: FILES[PROJECT], "projects/p/agents/b.yaml": "{}\n"}
    difference = compare(files, apply_edits({ORG: ("A: org", "A: x")}, files))
    assert difference.environments == ("zz", "xx", "aa")
    assert diff_summary(difference).startswith("1 agent gets new values in zz, 1 in xx, 1 in aa;")


def test_the_text_for_people() -> None:
    difference = diff_after_edits(
        {
            ORG: ("    A: org\n    LEVEL: info\n", "    A: new\n    LEVEL: info\n    C: x\n"),
            AGENT: "execution_environment:\n  config:\n    nested: {two: 3}\n",
            TEAMLESS_AGENT: None,
            SECRETS: {"db": {"pw": "two"}, "kept": "x", "new": "y"},
        },
        {SECRETS: {"db": {"pw": "one"}, "kept": "x"}, TEAM: "execution_environment:\n  secrets: {S: db.pw}\n"},
    )
    assert (
        render_diff_text(difference, color=False, verbose=False)
        == """\
organization.secrets.yaml:1 (edited)
  ~ env_vars.S: its secret changes
    p/t/a@production, p/t/a@staging
organization.yaml:10 (edited)
  ~ env_vars.A: "org" → "new"
    p/t/a@production, p/t/a@staging
organization.yaml:12 (added)
  + env_vars.C: "x"
    p/t/a@production, p/t/a@staging
projects/p/teams/t/agents/a.yaml:3 (added)
  ~ config.nested.two: 2 → 3
    p/t/a@production, p/t/a@staging

bundles
- p/b in production
    projects/p/agents/b.yaml:1 (removed)

secrets files
~ organization.secrets.yaml
    db.pw changed, line 1
    new added, line 1
"""
    )
    colored = render_diff_text(difference, color=True, verbose=False).splitlines()
    assert [line.partition("m")[0] for line in colored[:2]] == ["\x1b[1", "\x1b[33"]


def test_a_saved_diff_is_what_it_says_or_nothing() -> None:
    difference = diff_after_edits({ORG: ("A: org", "A: x"), TEAMLESS_AGENT: None})
    data = json_document(diff_data(difference, ("p/b@production",)))
    assert parse_diff(data) == (difference, ("p/b@production",))
    for invalid in (
        b"",
        b"{}",
        b"[]",
        data[:-3],
        b"[" * 100_000,
        b"\xff",
        data.replace(b'"p/b@production"', b'"<img>"'),
    ):
        with pytest.raises(InvalidDiffError):
            parse_diff(invalid)
    deep = b"[" * 500 + b"]" * 500
    with pytest.raises(InvalidDiffError):
        parse_diff(data.replace(b'"old": "org"', b'"old": ' + deep))


def test_a_recipient_that_has_not_the_form_of_a_public_key_is_not_shown() -> None:
    private = "AGE-SECRET-KEY-1THISISNOKEYOFANYBODYBUTSOMEBODYMAYPASTEONE"
    files = apply_edits({SECRETS: {"token": "x"}})
    difference = compare(files, {**files, SECRETS: files[SECRETS].replace(RECIPIENT, private)})
    output = json_document(diff_data(difference, ())).decode() + render_all_formats(difference)
    assert "a key of type age-plugin" in output
    assert private not in output
