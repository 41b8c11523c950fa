"""The bundles that a file feeds, and the use of each of its values."""

import json

import pytest

from envtree.model.span import Span
from envtree.queries.fleet.impact import Impact, impact
from envtree.report.impact import render_impact
from tests.support.trees import ORGANIZATION, make_request, sealed_files, start_run

LIVE = "environments/live.yaml"
SHOP = "projects/shop/project.yaml"
CART = "projects/shop/teams/cart/team.yaml"
BOT = "projects/shop/teams/cart/agents/bot.yaml"
CLERK = "projects/shop/agents/clerk.yaml"
ANA = "age1qyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqs3290gq"
BOTS = ("shop/cart/bot@production", "shop/cart/bot@staging")
CLERKS = ("shop/clerk@production", "shop/clerk@staging")
EVERY = tuple(sorted((*BOTS, *CLERKS, "tools/cron@production", "tools/cron@staging")))
FILES = {
    "organization.yaml": f"{ORGANIZATION}}}",
    LIVE: "{abstract: true}",
    "environments/production.yaml": "{inherits: live}",
    "environments/staging.yaml": "{inherits: live}",
    SHOP: "{key: SHOP}",
    CLERK: "{}",
    CART: "{}",
    BOT: "{}",
    "projects/tools/project.yaml": "{key: TOOLS}",
    "projects/tools/agents/cron.yaml": "{}",
}


def ask(path: str, files: dict[str, str], secrets: dict[str, object] | None = None) -> Impact:
    """Return the impact of a file in the small fleet, with some other files."""
    run = start_run(make_request(FILES | files | sealed_files(secrets or {})))
    (file_impact,) = impact(run, (path,))
    assert not run.error_monitor.has_errors(), run.outcome().findings
    return file_impact


def environment(**sections: str) -> str:
    return "execution_environment: {" + ", ".join(f"{name}: {text}" for name, text in sections.items()) + "}"


@pytest.mark.parametrize(
    ("path", "files", "relation", "bundles"),
    [
        ("organization.yaml", {}, "layer", EVERY),
        (LIVE, {}, "layer", EVERY),
        ("environments/staging.yaml", {}, "layer", tuple(id for id in EVERY if id.endswith("@staging"))),
        (SHOP, {}, "layer", (*BOTS, *CLERKS)),
        (CART, {}, "layer", BOTS),
        (CLERK, {CLERK: "{targets: [staging]}"}, "layer", CLERKS[1:]),
        (CLERK, {CLERK: "{targets: []}"}, "layer", ()),
        (
            "projects/shop/environments/live.yaml",
            {"projects/shop/environments/live.yaml": "{}"},
            "layer",
            (*BOTS, *CLERKS),
        ),
        ("policies/p.yaml", {"policies/p.yaml": "{schema: {}, selector: 'tools/**'}"}, "rule", EVERY[4:]),
        ("policies/p.yaml", {"policies/p.yaml": "{schema: {}, enabled: false}"}, "rule", ()),
        (
            "policies/r.yaml",
            {"policies/r.yaml": "{policy_content: x, bindings: [{entity_type: team, entity_id: cart}]}"},
            "mention",
            BOTS,
        ),
        (
            "policies/r.yaml",
            {"policies/r.yaml": "{policy_content: x}", SHOP: "{key: SHOP, policy_ids: [r]}"},
            "mention",
            (*BOTS, *CLERKS),
        ),
        ("skills/s.yaml", {"skills/s.yaml": "{type: shell}", CART: "{skill_ids: [s]}"}, "mention", BOTS),
        ("skills/s.yaml", {"skills/s.yaml": "{type: shell}"}, "mention", ()),
        ("worker_queues/queue.yaml", {"worker_queues/queue.yaml": "{environment: staging}"}, "apart", ()),
        ("README.md", {"README.md": "read me"}, "unread", ()),
        (
            "templates/t.j2",
            {
                "templates/t.j2": "x",
                "organization.yaml": f"{ORGANIZATION}, output: {{templates: {{a: templates/t.j2}}}}}}",
            },
            "template",
            EVERY,
        ),
        (".github/CODEOWNERS", {".github/CODEOWNERS": "* @ana"}, "access", ()),
        (".sops.yaml", {".sops.yaml": "creation_rules: []"}, "access", ()),
    ],
)
def test_a_file_feeds(path: str, files: dict[str, str], relation: str, bundles: tuple[str, ...]) -> None:
    file_impact = ask(path, files)
    assert (file_impact.relation, file_impact.bundles) == (relation, tuple(sorted(bundles)))


def usages(file_impact: Impact) -> dict[str, tuple[int, dict[str, int]]]:
    """Return for each key the number of bundles in which it is effective, and the number for each override."""
    return {
        key.key: (
            len(key.effective_in),
            {f"{span.path}:{span.line}": len(numbers) for span, numbers in key.shadowed_by.items()},
        )
        for key in file_impact.keys
    }


def test_each_value_counts_or_is_shadowed() -> None:
    files = {
        LIVE: "abstract: true\n" + environment(env_vars="{A: x, B: x, C: x, D: x}", config="{m: {k: 1}, l: [1]}"),
        SHOP: "key: SHOP\n" + environment(config="{l: [2]}"),
        CART: environment(env_vars="{A: y, B: {$delete: true}}", config="{m: {$replace: {}}}"),
        BOT: "environments: {staging: {" + environment(env_vars="{C: z}") + "}}",
        "projects/tools/environments/production.yaml": environment(config="null", env_vars="{D: x}").replace(
            "config: null, ", ""
        ),
    }
    assert usages(ask(LIVE, files)) == {
        "env_vars.A": (4, {f"{CART}:1": 2}),
        "env_vars.B": (4, {f"{CART}:1": 2}),
        "env_vars.C": (5, {f"{BOT}:1": 1}),
        "env_vars.D": (5, {"projects/tools/environments/production.yaml:1": 1}),
        "config.m.k": (4, {f"{CART}:1": 2}),
        "config.l": (6, {}),
    }
    # A list of the project is below those of the environments.
    assert usages(ask(SHOP, files))["config.l"] == (0, {f"{LIVE}:2": 4})
    assert usages(ask(CART, files)) == {"env_vars.A": (2, {}), "env_vars.B": (2, {}), "config.m": (2, {})}
    assert usages(ask(BOT, files)) == {"env_vars.C": (1, {})}


def test_lists_that_combine_all_count() -> None:
    files = {
        "organization.yaml": f"{ORGANIZATION}, merge: {{config.l: append, config.k: {{by_key: name}}}}, "
        + environment(config="{l: [1], k: [{name: a, size: 1}]}")
        + "}",
        CART: environment(config="{l: [2], k: [{name: a, size: 2}]}"),
        BOT: environment(config="{l: {$remove: [1]}}"),
    }
    assert usages(ask("organization.yaml", files)) == {
        "default_model": (6, {}),
        "config.l": (6, {}),
        "config.k": (6, {}),
    }
    assert usages(ask(CART, files)) == {"config.l": (2, {}), "config.k": (2, {})}
    # A directive that only removes elements contributes to the result.
    assert usages(ask(BOT, files)) == {"config.l": (2, {})}


def test_a_secret_over_a_variable_shadows_it() -> None:
    secrets: dict[str, object] = {"organization": {"KEY": "k"}}
    files = {
        LIVE: "{abstract: true, " + environment(env_vars="{KEY: plain}") + "}",
        CART: environment(secrets="[KEY]"),
        BOT: "environments: {staging: {" + environment(env_vars="{KEY: {$replace: plain}}") + "}}",
    }
    assert usages(ask(LIVE, files, secrets)) == {"env_vars.KEY": (4, {f"{CART}:1": 1, f"{BOT}:1": 1})}
    assert usages(ask(CART, files, secrets)) == {"secrets.KEY": (1, {f"{BOT}:1": 1})}


def test_a_secrets_file_feeds_those_that_read_it() -> None:
    secrets: dict[str, object] = {
        "organization": {"a": "x", "b": "x", "c": "x"},
        "projects/shop/teams/cart/team": {"a": "y"},
    }
    files = {
        SHOP: "{key: SHOP, " + environment(secrets="{A: a}") + "}",
        "projects/tools/project.yaml": "{key: TOOLS, "
        + environment(env_vars="{URL: 'https://${{ secrets.b }}'}")
        + "}",
    }
    file_impact = ask("organization.secrets.yaml", files, secrets)
    assert file_impact.bundles == EVERY
    assert usages(file_impact) == {
        "secrets.a": (2, {"projects/shop/teams/cart/team.secrets.yaml:1": 2}),
        "secrets.b": (2, {}),
        "secrets.c": (0, {}),
    }
    assert ask("projects/shop/teams/cart/team.secrets.yaml", files, secrets).bundles == BOTS


def test_contracts_inputs_and_fields_count() -> None:
    files = {
        "organization.yaml": f"{ORGANIZATION}, variables: {{A: {{environments: [staging]}}, B: {{}}}}, "
        "inputs: {I: {default: x}}}",
        SHOP: "{key: SHOP, variables: {B: {}}, "
        + environment(env_vars="{A: '${{ project.key }}', B: '${{ inputs.I }}'}")
        + "}",
    }
    assert usages(ask("organization.yaml", files)) == {
        "default_model": (6, {}),
        "variables.A": (3, {}),
        "variables.B": (2, {f"{SHOP}:1": 4}),
        "inputs.I": (4, {}),
    }
    assert usages(ask(SHOP, files))["key"] == (4, {})


def test_who_names_a_file() -> None:
    files = {"skills/s.yaml": "{type: shell}", CART: "\nskill_ids: [s]", BOT: "{skill_ids: [s]}"}
    assert ask("skills/s.yaml", files).mentions == (Span(BOT, 1, 14, 1, 15), Span(CART, 2, 13, 2, 14))
    assert [span.path for span in ask(LIVE, {}).mentions] == [
        "environments/production.yaml",
        "environments/staging.yaml",
    ]


def test_how_many_bundles_take_nothing() -> None:
    files = {LIVE: "{abstract: true, " + environment(env_vars="{A: x}") + "}", SHOP: "{key: SHOP}"}
    files[CART] = environment(env_vars="{A: y}")
    file_impact = ask(LIVE, files)
    assert (len(file_impact.bundles), file_impact.unaffected_count) == (6, 2)


def test_the_rules_of_sops_govern_the_nearest_secrets_files() -> None:
    secrets: dict[str, object] = {"organization": {"a": "x"}, "projects/shop/teams/cart/team": {"a": "y"}}
    rules = {
        ".sops.yaml": f"creation_rules:\n  - {{path_regex: nothing, age: {ANA}}}\n  - {{age: {ANA}}}\n",
        "projects/shop/.sops.yaml": f"creation_rules: [{{age: {ANA}}}]\n",
    }
    run = start_run(make_request(FILES | rules | sealed_files(secrets)))
    impacts = impact(run, (".sops.yaml", "projects/shop/.sops.yaml"))
    assert [
        [(path, f"{rule.path}:{rule.line}") for path, rule in file_impact.governed_files] for file_impact in impacts
    ] == [
        [("organization.secrets.yaml", ".sops.yaml:3")],
        [("projects/shop/teams/cart/team.secrets.yaml", "projects/shop/.sops.yaml:1")],
    ]
    text = render_impact(impacts[:1], run.ids, color=False, verbose=False)
    assert text.startswith("no bundle holds anything of .sops.yaml: it says for whom sops encrypts 1 secrets file\n")
    assert text.endswith("     3  organization.secrets.yaml\n")


@pytest.mark.parametrize("expression", ["1 +", "range(9)", "x | nope", "'a", "(1", "env_vars[1", "a.b.c.d", ""])
@pytest.mark.parametrize("path", ["organization.yaml", SHOP])
def test_a_malformed_expression_reads_nothing(expression: str, path: str) -> None:
    variables = json.dumps({"A": f"${{{{ {expression} }}}}", "B": "${{ project.key }}"})
    files = {SHOP: f"{{key: SHOP, {environment(env_vars=variables)}}}"}
    run = start_run(make_request(FILES | files))
    (file_impact,) = impact(run, (path,))
    assert run.error_monitor.has_errors()
    assert set(BOTS) <= set(file_impact.bundles)
