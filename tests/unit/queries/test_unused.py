"""Unused parts of a tree: each kind of finding, and similar trees without it."""

from datetime import date

import pytest

from envtree.diagnostics.codes import OPT_IN_CODES
from envtree.engine.run import Run
from envtree.queries.fleet.unused import unused
from tests.support.trees import ORGANIZATION, check, layers, make_request, sealed_files, start_run

# Two layers of values, in two environments.
FILES = {
    "organization.yaml": f"{ORGANIZATION}}}",
    "environments/production.yaml": "{}",
    "environments/staging.yaml": "{}",
    "projects/p/project.yaml": "{key: PP}",
    "projects/p/agents/a.yaml": "{}",
}


def find_unused(files: dict[str, str]) -> list[str]:
    """Return the findings of a tree without errors, as `code path:line:column key`."""
    run = start_run(make_request(files))
    findings = unused(run)
    assert not run.error_monitor.has_errors(), run.outcome().findings
    return [f"{diagnostic.code} {diagnostic.span} {diagnostic.key}".rstrip() for diagnostic, _, _ in findings]


def find_unused_values(*sections: str, organization: str = "", secrets: dict[int, object] | None = None) -> list[str]:
    """Return the codes and keys for the sections of organization, project, team and agent."""
    files = layers(*sections, organization=organization, secrets=secrets)
    return [" ".join(finding.split()[::2]) for finding in find_unused(files)]


def with_organization(text: str) -> dict[str, str]:
    return {**FILES, "organization.yaml": f"{ORGANIZATION}, {text}}}"}


@pytest.mark.parametrize(
    ("sections", "expected"),
    [
        (("{env_vars: {A: x}}", "{env_vars: {A: y}}"), ["ET453 env_vars.A"]),
        (("{env_vars: {A: x}}", "{env_vars: {A: y}}", "", "{env_vars: {A: z}}"), ["ET453 env_vars.A"] * 2),
        (("{env_vars: {A: x}}", "{env_vars: {A: {$replace: y}}}"), ["ET453 env_vars.A"]),
        (("{env_vars: {A: x}}", "{env_vars: {A: {$delete: true}}}"), ["ET453 env_vars.A"]),
        (("{config: {m: {k: 1, l: 1}}}", "{config: {m: {k: 2}}}"), ["ET453 config.m.k"]),
        (("{config: {m: {k: 1}}}", "{config: {m: {$replace: {}}}}"), ["ET453 config.m.k"]),
        (("{config: {m: {k: 1}}}", "{config: {m: null}}"), ["ET453 config.m.k"]),
        (("{config: {m: {k: 1}}}", "{config: {$delete: true}}"), ["ET453 config.m.k"]),
        (("{config: {l: [1]}}", "{config: {l: [2]}}"), ["ET453 config.l"]),
        (("{config: {a: 1}}", "{config: {a: '${{ 1 + 1 }}'}}"), ["ET453 config.a"]),
        (("{working_dir: /a}", "{working_dir: /b}"), ["ET453 working_dir"]),
        # The override depends on the value, or the value has another effect.
        (("{env_vars: {A: x}}", "{env_vars: {A: {$value: y, $expect: exists}}}"), []),
        (("{config: {m: {k: 1}}}", "{config: {m: {$value: {k: 2}, $expect: exists}}}"), []),
        (("{env_vars: {A: {$value: x, $lock: true}}}", "{env_vars: {A: x}}"), []),
        (("{env_vars: {A: {$value: x}}}", "{env_vars: {A: y}}"), []),
        (("{config: {a: {b: 1}}}", "{config: {a: null}}", "{config: {a: {c: 2}}}"), ["ET453 config.a.b"]),
        (("{config: {a: x}}", "{config: {a: null}}", "{config: {a: 2}}"), ["ET453 config.a"]),
        (("{integration_ids: [a]}", "{integration_ids: [b]}"), []),
        (("{config: {l: [1]}}", "{config: {l: {$append: [2]}}}"), []),
        # Names that an alias repeats are used in two places.
        (("{env_vars: {A: &a x, B: *a}}", "{env_vars: {A: y}}"), []),
        # An override that repeats a lower value is reported by every check.
        (("{env_vars: {A: x}}", "{env_vars: {A: x}}"), ["ET453 env_vars.A"]),
    ],
)
def test_a_value_that_is_shadowed_in_every_bundle(sections: tuple[str, ...], expected: list[str]) -> None:
    assert find_unused_values(*sections) == expected


@pytest.mark.parametrize("policy", ["append", "prepend", "union", "{by_key: name}"])
def test_lists_that_combine_are_in_use(policy: str) -> None:
    sections = ("{config: {l: [{name: a}]}}", "{config: {l: [{name: a, size: 1}]}}")
    assert find_unused_values(*sections, organization=f"merge: {{config.l: {policy}}}") == []


def test_a_value_that_counts_in_one_bundle_is_in_use() -> None:
    files = with_organization("execution_environment: {env_vars: {A: x, B: x}}")
    files["environments/production.yaml"] = "{execution_environment: {env_vars: {A: y, B: y}}}"
    files["environments/staging.yaml"] = "{execution_environment: {env_vars: {A: y}}}"
    assert [finding.split()[2] for finding in find_unused(files)] == ["env_vars.A"]


def test_a_secret_and_a_variable_of_one_name() -> None:
    secrets: dict[int, object] = {0: {"A": "x", "B": "x"}}
    assert find_unused_values("{env_vars: {A: x}}", "{secrets: [A, B]}", secrets=secrets) == ["ET453 env_vars.A"]
    variables = "{env_vars: {A: {$replace: x}, B: {$replace: x}}}"
    assert find_unused_values("{secrets: {A: A, B: A}}", "", variables, secrets={0: {"A": "x"}}) == [
        "ET453 secrets.A",
        "ET453 secrets.B",
    ]


def test_a_secret_that_is_shadowed_in_every_bundle() -> None:
    read = "{secrets: {A: db.password}, env_vars: {B: '${{ secrets.token }}'}}"
    both: dict[int, object] = {0: {"db": {"password": "x"}, "token": "x"}, 3: {"db": {"password": "y"}}}
    assert find_unused_values(read, secrets=both) == ["ET652 secrets.db.password"]
    # A secret that nothing reads is reported by every check, too.
    loud = ORGANIZATION.replace(", ET651: 'off'", "") + "}"
    assert find_unused({**FILES, "organization.yaml": loud, **sealed_files({"organization": {"a": "x"}})})[
        0
    ].startswith("ET651")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"projects/p/agents/b.yaml": "{targets: []}"}, ["ET355 projects/p/agents/b.yaml:1:11"]),
        (
            {"projects/p/teams/t/team.yaml": "\ntargets: []\n", "projects/p/teams/t/agents/b.yaml": "{}"},
            ["ET355 projects/p/teams/t/team.yaml:2:10"],
        ),
        ({"projects/p/teams/t/team.yaml": "{}"}, ["ET355 projects/p/teams/t/team.yaml:1:1"]),
        ({"projects/p/teams/t/team.yaml": "{configuration: {member_ids: [p/a]}}"}, []),
        ({"projects/q/project.yaml": "{key: QQ}"}, ["ET355 projects/q/project.yaml:1:1"]),
        (
            {"projects/q/project.yaml": "{key: QQ}", "projects/q/agents/b.yaml": "{targets: []}"},
            ["ET355 projects/q/project.yaml:1:1"],
        ),
        (
            {
                "projects/q/project.yaml": "{key: QQ}",
                "projects/q/workflows/w.yaml": "{workflow_definition: {steps: []}}",
            },
            [],
        ),
        ({"environments/other.yaml": "{abstract: true}"}, ["ET356 environments/other.yaml:1:1"]),
        (
            {"environments/other.yaml": "{}", "projects/p/project.yaml": "{key: PP, targets: [staging, production]}"},
            ["ET356 environments/other.yaml:1:1"],
        ),
        ({"environments/other.yaml": "{abstract: true}", "environments/staging.yaml": "{inherits: other}"}, []),
        (
            {
                "environments/other.yaml": "{abstract: true}",
                "policies/rego.yaml": "{policy_content: x, bindings: [{entity_type: environment, entity_id: other}]}",
            },
            [],
        ),
        ({"skills/s.yaml": "{type: shell}"}, ["ET357 skills/s.yaml:1:1"]),
        ({"skills/s.yaml": "{type: shell}", "environments/staging.yaml": "{skill_ids: [s]}"}, []),
        ({"policies/rego.yaml": "{policy_content: x}"}, ["ET358 policies/rego.yaml:1:1"]),
        ({"policies/rego.yaml": "{policy_content: x, enabled: false}"}, []),
        ({"policies/rego.yaml": "{policy_content: x, bindings: [{entity_type: role, entity_id: admin}]}"}, []),
        ({"policies/rego.yaml": "{policy_content: x}", "projects/p/project.yaml": "{key: PP, policy_ids: [rego]}"}, []),
        ({"policies/plain.yaml": "{schema: {}}"}, []),
        ({"policies/plain.yaml": "{schema: {}, selector: none/x}"}, ["ET752 policies/plain.yaml:1:24"]),
        ({"worker_queues/queue.yaml": "{environment: staging}"}, []),
        (
            {"worker_queues/queue.yaml": "{environment: other}", "environments/other.yaml": "{abstract: true}"},
            ["ET356 environments/other.yaml:1:1", "ET359 worker_queues/queue.yaml:1:15"],
        ),
    ],
)
def test_a_file_that_reaches_no_bundle(files: dict[str, str], expected: list[str]) -> None:
    assert find_unused({**FILES, **files}) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("inputs: {I: {default: x}}", ["ET551 inputs.I"]),
        ("inputs: {I: {default: x}}, execution_environment: {env_vars: {A: '${{ inputs.I }}'}}", []),
        ("merge: {config.a: append}", ["ET454 merge"]),
        ("merge: {config.a: append}, execution_environment: {config: {a: {$append: [x]}}}", []),
        ("merge: {config.*.a: append}, execution_environment: {config: {x: {a: []}}}", []),
        (
            "merge: {config.l: {by_key: name}, config.l.*.a: append}, "
            "execution_environment: {config: {l: [{name: x, a: [y]}]}}",
            [],
        ),
        ("merge: {config.**.a: append}, execution_environment: {config: {l: [{x: {a: [y]}}]}}", []),
        ("merge: {config.**.a: append}, execution_environment: {config: {x: {a: y}}}", ["ET454 merge"]),
        ("merge: {config.a: replace}, execution_environment: {config: {a: {b: 1}}}", []),
        ("merge: {config.a: replace}, execution_environment: {config: {a: b}}", ["ET454 merge"]),
        ("merge: {config.a: {override: exists}}, execution_environment: {config: {a: b}}", []),
        ("variables: {A: {environments: [staging]}}, execution_environment: {env_vars: {A: x}}", []),
        ("variables: {A: {}}", ["ET756 variables"]),
    ],
)
def test_a_declaration_without_a_use(text: str, expected: list[str]) -> None:
    assert [" ".join(finding.split()[::2]) for finding in find_unused(with_organization(text))] == expected


def test_a_declaration_that_others_stand_over() -> None:
    files = with_organization("variables: {A: {enum: [x]}}, execution_environment: {env_vars: {A: x}}")
    files["projects/p/project.yaml"] = "{key: PP, variables: {A: {}}}"
    (finding,) = find_unused(files)
    assert finding.startswith("ET757 organization.yaml:")


def test_a_declaration_for_an_environment_without_bundles() -> None:
    files = with_organization("variables: {A: {environments: [live]}}, execution_environment: {env_vars: {A: x}}")
    files |= {"environments/live.yaml": "{abstract: true}", "environments/staging.yaml": "{inherits: live}"}
    (finding,) = find_unused(files)
    assert finding.startswith("ET757 organization.yaml:")


ALLOWED = f"""{ORGANIZATION},
execution_environment: {{env_vars: {{
A: x,  # envtree: allow ET453 until 2026-06-01: for environments to come
}}}}}}
"""


def allowed(day: int) -> Run:
    files = {
        **FILES,
        "organization.yaml": ALLOWED,
        "projects/p/agents/a.yaml": "{execution_environment: {env_vars: {A: y}}}",
    }
    return start_run(make_request(files, today=date(2026, 6, day)))


def test_a_finding_is_allowed_in_its_place() -> None:
    assert unused(allowed(1)) == ()
    assert [finding.diagnostic.code for finding in unused(allowed(2))] == ["ET453"]


def test_check_looks_for_nothing_of_the_kind() -> None:
    files = {**FILES, "organization.yaml": ALLOWED, "skills/s.yaml": "# envtree: allow ET357: for later\n{type: shell}"}
    today = date(2026, 6, 1)
    assert check(files, today=today).codes == []
    # Nothing is shadowed, so the suppression is unused; only `unused` checks for that.
    assert [finding.diagnostic.code for finding in unused(start_run(make_request(files, today=today)))] == ["ET152"]


def test_the_severity_is_the_organizations() -> None:
    lint = ", ".join(f"{code}: 'off'" for code in sorted(OPT_IN_CODES))
    head = ORGANIZATION.removesuffix("}") + f", {lint}}}"
    assert find_unused({**FILES, "organization.yaml": f"{head}}}", "skills/s.yaml": "{type: shell}"}) == []
