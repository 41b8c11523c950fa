"""The desired resources of a tree: bodies, names, references, and the server's view of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from envtree.cli.support.session import tree_request
from envtree.controlplane.desired import DesiredResource, ResourceRef
from envtree.controlplane.desired.server_view import ServerRuntime, expand_templates, server_view
from envtree.controlplane.desired.terraform_provider import render_terraform
from envtree.controlplane.desired.to_json import body_to_json, resources_to_json
from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostics
from envtree.model.span import file_span
from envtree.sources.tree import DirectoryTree
from tests.support.command_line import BOT, ORGANIZATION, RunCommand, write_files
from tests.support.trees import make_request, sealed_files, start_run

EXAMPLES = Path(__file__).parents[3] / "examples"
SCHEMA = Path(__file__).parents[3] / "schema/output/kubiya.schema.json"
HEAD = "name: acme\nedition: 2026\ndefault_model: m/m\n"
BASE = {"organization.yaml": HEAD, "environments/production.yaml": "{}", "agents/bot.yaml": "{}"}
UUID = "3f2b8c1e-7a4d-4e55-9c0a-1b2c3d4e5f60"


def desired(files: Mapping[str, str], organization: str = "", **options: Any) -> dict[str, DesiredResource]:
    """Return the resources of a tree by `kind/name`; the files are added to BASE."""
    tree_files = {**BASE, **files}
    tree_files["organization.yaml"] += organization
    return by_ref(start_run(make_request(tree_files, control_plane=True, **options)))


def by_ref(run: Run) -> dict[str, DesiredResource]:
    list(run.results())
    assert run.desired is not None, [str(diagnostic) for diagnostic in run.diags]
    return {str(resource.ref): resource for resource in run.desired}


def codes(files: Mapping[str, str], organization: str = "control_plane: {}\n") -> list[str]:
    """Return the codes of the findings in a tree, without ET764."""
    tree_files = {**BASE, **files}
    tree_files["organization.yaml"] += organization
    run = start_run(make_request(tree_files))
    list(run.results())
    return sorted({diagnostic.code for diagnostic in run.diags if diagnostic.code != "ET764"})


# Bodies.

PRODUCTION = {
    "name": "production",
    "display_name": "Production Environment",
    "description": "Production deployment environment",
    "tags": ["prod", "live"],
    "execution_environment": {"env_vars": {"LOG_LEVEL": "info", "DEPLOYMENT_ENV": "production"}},
}
STAGING = {
    "name": "staging",
    "display_name": "Staging Environment",
    "description": "Pre-production testing environment",
    "tags": ["staging", "test"],
    "execution_environment": {"env_vars": {"LOG_LEVEL": "debug", "DEPLOYMENT_ENV": "staging"}},
}
PROJECT = {
    "name": "Platform Engineering",
    "key": "PLAT",
    "description": "Infrastructure and platform automation",
    "goals": "Maintain reliable, scalable infrastructure",
    "visibility": "org",
    "default_model": "anthropic/claude-sonnet-4-5",
}


def test_the_documented_bodies_come_out_as_they_went_in() -> None:
    resources = by_ref(Run(tree_request(DirectoryTree(EXAMPLES / "kubiya-api"), control_plane=True)))
    assert resources["environment/production"].state == PRODUCTION
    assert resources["environment/staging"].state == STAGING
    assert resources["project/PLAT"].state == PROJECT


def test_a_body_without_anybody_who_runs_there_is_what_its_file_says() -> None:
    files = {f"environments/{body['name']}.yaml": json.dumps(body) for body in (PRODUCTION, STAGING)}
    resources = desired({**files, "agents/bot.yaml": "targets: []"}, allow_empty=True)
    assert [resources[f"environment/{body['name']}"].state for body in (PRODUCTION, STAGING)] == [PRODUCTION, STAGING]


def test_the_whole_example_fits_the_published_schema() -> None:
    run = Run(tree_request(DirectoryTree(EXAMPLES / "acme"), control_plane=True))
    kinds = {ref.partition("/")[0] for ref in by_ref(run)}
    assert len(kinds) == 9
    assert run.desired
    data = json.loads(json.dumps(resources_to_json("acme-fresh", run.desired)))
    jsonschema_rs.validator_for(json.loads(SCHEMA.read_text())).validate(data)


AGENT = {
    "agents/bot.yaml": f"""
        description: Helps.
        system_prompt: Be kind.
        runtime: default
        skill_ids: [tools, {UUID}]
        skill_configurations: {{tools: {{timeout: 5}}}}
        configuration: {{$ref: mine}}
        execution_environment:
          env_vars: {{N: 1.10, ON: true, EXPR: "${{{{ project.name }}}}"}}
          integration_ids: [{UUID}]
          working_dir: /srv
    """,
    "skills/tools.yaml": "type: shell\nconfiguration: {timeout: 9}",
}


def test_an_agent_has_all_of_its_environment_as_text() -> None:
    body = desired(AGENT)["agent/default.bot.production"].body
    assert body == {
        "name": "default.bot.production",
        "description": "Helps.",
        "system_prompt": "Be kind.",
        "runtime": "default",
        "model_id": "m/m",
        "configuration": {"$ref": "mine"},
        "skill_ids": [ResourceRef("skill", "tools"), UUID],
        "skill_configurations": {ResourceRef("skill", "tools"): {"timeout": 5}},
        "environment_ids": [ResourceRef("environment", "production")],
        "execution_environment": {
            "env_vars": {"EXPR": "default", "N": "1.10", "ON": "true"},
            "integration_ids": [UUID],
            "working_dir": "/srv",
        },
    }


def test_a_reference_is_told_from_what_only_looks_like_one() -> None:
    body = body_to_json(desired(AGENT)["agent/default.bot.production"].body)
    assert body["skill_configurations"] == {"$ref:skill/tools": {"timeout": 5}}
    assert body["skill_ids"] == [{"$ref": "skill/tools"}, UUID]
    assert body["configuration"] == {"$$ref": "mine"}
    assert body_to_json({"$$ref": 1, "$ref:x": 2, "$other": 3}) == {"$$$ref": 1, "$$ref:x": 2, "$other": 3}


TEAM = {
    "projects/p/project.yaml": "key: PP\nname: The P\nstatus: draft\npolicy_ids: [rule]",
    "projects/p/agents/lone.yaml": "{}",
    "projects/p/teams/t/team.yaml": """
        runtime: default
        status: idle
        configuration: {instructions: Be brief., member_ids: [lone], reasoning: {enabled: true, agent_id: lone}}
        execution_environment: {env_vars: {TEAM: "${{ team.name }}"}}
    """,
    "projects/p/teams/t/agents/a.yaml": "execution_environment: {env_vars: {OWN: x}}",
    "policies/rule.yaml": """
        policy_content: package rule
        bindings:
          - {entity_type: team, entity_id: p/t, priority: 7}
          - {entity_type: environment, entity_id: production}
          - {entity_type: role, entity_id: admin}
    """,
    "environments/production.yaml": f"skill_ids: [{UUID}]\npolicy_ids: [rule, {UUID}]",
}


def team() -> dict[str, DesiredResource]:
    tree_files = {name: text for name, text in {**BASE, **TEAM}.items() if not name.startswith("agents/")}
    return by_ref(start_run(make_request(tree_files, control_plane=True)))


def test_members_and_places_of_a_team_come_later() -> None:
    resource = team()["team/p.t.production"]
    own, lone = ResourceRef("agent", "p.t.a.production"), ResourceRef("agent", "p.lone.production")
    assert resource.body == {
        "name": "p.t.production",
        "runtime": "default",
        "execution_environment": {"env_vars": {"TEAM": "t"}},
    }
    assert resource.late == {
        "status": "idle",
        "environment_ids": [ResourceRef("environment", "production")],
        "configuration": {
            "instructions": "Be brief.",
            "member_ids": [own, lone],
            "reasoning": {"enabled": True, "agent_id": lone},
        },
    }
    agent = team()["agent/p.t.a.production"].body
    assert agent["team_id"] == ResourceRef("team", "p.t.production")
    assert agent["execution_environment"] == {"env_vars": {"OWN": "x", "TEAM": "t"}}


def test_a_project_has_its_agents_and_teams() -> None:
    project = team()["project/PP"]
    assert (project.body, project.late) == (
        {"name": "The P", "key": "PP", "policy_ids": [ResourceRef("policy", "rule")]},
        {"status": "draft"},
    )
    assert sorted((link.relation, str(link.member)) for link in project.links) == [
        ("agent", "agent/p.lone.production"),
        ("agent", "agent/p.t.a.production"),
        ("team", "team/p.t.production"),
    ]


def test_the_default_project_has_everybody_by_itself() -> None:
    files = {"projects/d/project.yaml": "key: default", "projects/d/agents/bot.yaml": "{}"}
    tree_files = {name: text for name, text in {**BASE, **files}.items() if not name.startswith("agents/")}
    assert by_ref(start_run(make_request(tree_files, control_plane=True)))["project/DEFAULT"].links == ()
    assert "project/DEFAULT" not in desired({})


def test_policies_are_bound_once() -> None:
    rule, production = team()["policy/rule"], team()["environment/production"]
    assert [(link.relation, link.member, dict(link.body)) for link in rule.links] == [
        ("team", ResourceRef("team", "p.t.production"), {"entity_type": "team", "priority": 7}),
        ("environment", ResourceRef("environment", "production"), {"entity_type": "environment"}),
        ("role", "admin", {"entity_type": "role"}),
    ]
    assert [(link.relation, link.member) for link in production.links] == [("skill", UUID), ("policy", UUID)]


def test_a_workflow_is_a_skill_unless_it_stays() -> None:
    files = {"workflows/flow.yaml": "name: Flow\ndescription: Flows.\nworkflow_definition: {steps: [1]}"}
    assert desired(files)["skill/default.flow"].body == {
        "name": "default.flow",
        "type": "workflow_executor",
        "description": "Flows.",
        "configuration": {"workflow_type": "json", "workflow_definition": '{"steps":[1]}'},
    }
    assert "skill/default.flow" not in desired(files, "control_plane: {workflows: none}\n")


def test_a_job_has_ids_and_texts() -> None:
    job = f"""
        trigger_type: manual
        entity_id: bot
        executor_type: specific_queue
        worker_queue_name: gpu
        prompt_template: Do.
        execution_environment: {{env_vars: {{N: 1.50, ON: false}}, secrets: [TOKEN], integration_ids: [{UUID}]}}
    """
    resources = desired({"jobs/do.yaml": job, "worker_queues/gpu.yaml": "environment: production\nstatus: paused"})
    assert resources["job/do"].body == {
        "name": "do",
        "trigger_type": "manual",
        "entity_type": "agent",
        "entity_id": ResourceRef("agent", "default.bot.production"),
        "executor_type": "specific_queue",
        "worker_queue_name": ResourceRef("worker_queue", "production/gpu"),
        "prompt_template": "Do.",
        "execution_environment": {
            "env_vars": {"N": "1.50", "ON": "false"},
            "secrets": ["TOKEN"],
            "integration_ids": [UUID],
        },
    }
    queue = resources["worker_queue/production/gpu"]
    assert (queue.body, queue.late) == ({"name": "gpu"}, {"status": "paused"})
    assert queue.parent == ResourceRef("environment", "production")


# Names.

NAMED = {
    "projects/p/project.yaml": "key: PP",
    "projects/p/teams/t/team.yaml": "{}",
    "projects/p/teams/t/agents/a.yaml": "{}",
    "projects/p/agents/a.yaml": "{}",
}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("{}", ["environment/production", "team/p.t.production", "agent/p.a.production", "agent/p.t.a.production"]),
        (
            "{agent: '{key}/{team}-{agent}@{environment}', environment: 'live {environment}', team: '{team}'}",
            ["environment/live production", "team/t", "agent/PP/a@production", "agent/PP/t-a@production"],
        ),
        (
            "{environment: '{key}-{environment}'}",
            ["environment/PP-production", "team/p.t.production", "agent/p.a.production", "agent/p.t.a.production"],
        ),
    ],
)
def test_names_follow_the_patterns(names: str, expected: list[str]) -> None:
    tree_files = {name: text for name, text in {**BASE, **NAMED}.items() if not name.startswith("agents/")}
    tree_files["organization.yaml"] += f"control_plane: {{names: {names}}}\n"
    resources = by_ref(start_run(make_request(tree_files)))
    assert [ref for ref in resources if not ref.startswith("project")] == expected
    agent = resources[expected[-1]].body
    assert [str(ref) for ref in agent["environment_ids"]] == expected[:1]
    assert str(agent["team_id"]) == expected[1]


@pytest.mark.parametrize(
    ("files", "organization", "expected"),
    [
        ({}, "", []),
        ({}, "control_plane: {}\n", []),
        ({"environments/staging.yaml": "{}"}, "control_plane: {names: {agent: '{agent}'}}\n", ["ET313"]),
        ({}, "control_plane: {names: {environment: x}}\n", ["ET314"]),
        ({"organization.yaml": "name: acme\nedition: 2026\n"}, "control_plane: {}\n", ["ET314", "ET750"]),
        ({"organization.yaml": "name: acme\nedition: 2026\n"}, "", ["ET750"]),
        ({"agents/bot.yaml": "system_prompt: '{{.env.NO}}'"}, "control_plane: {}\n", ["ET763"]),
        ({"agents/bot.yaml": "system_prompt: '{{.env.NO}}'"}, "", []),
        ({"agents/bot.yaml": "system_prompt: '{{someone}} {{.graph.x}}'"}, "control_plane: {}\n", []),
    ],
)
def test_only_a_tree_for_a_control_plane_is_looked_at(
    files: dict[str, str], organization: str, expected: list[str]
) -> None:
    assert codes(files, organization) == expected


# Secrets, by name only.


def test_what_is_computed_from_a_secret_is_a_secret_by_name() -> None:
    agent = """
        execution_environment:
          secrets: {TOKEN: token}
          env_vars: {URL: "https://x:${{ secrets.token }}@h", PLAIN: p}
          mcp_servers:
            same:
              command: c
              env: {A: "${{ secrets.token }}", B: "x ${{ secrets.token }} y", C: "${{ env_vars.URL }}"}
            gone: {command: c, env: {A: "${{ secrets.token | upper }}"}}
    """
    files = {"agents/bot.yaml": agent, **sealed_files({"agents/bot": {"token": "canary"}})}
    bot = desired(files, plain={"agents/bot": {"token": "canary"}})["agent/default.bot.production"]
    assert bot.body["execution_environment"] == {
        "env_vars": {"PLAIN": "p"},
        "secrets": ["TOKEN", "URL"],
        "mcp_servers": {
            "same": {
                "command": "c",
                "env": {"A": "{{.secret.TOKEN}}", "B": "x {{.secret.TOKEN}} y", "C": "{{.secret.URL}}"},
            }
        },
    }
    assert "canary" not in json.dumps(resources_to_json("acme", [bot]))
    assert codes(files) == ["ET650", "ET762"]


def test_two_values_of_one_name_are_reported() -> None:
    files = {
        "environments/staging.yaml": "{}",
        "agents/bot.yaml": "execution_environment: {secrets: {TOKEN: token}}",
        **sealed_files({"environments/staging": {"token": "longer"}, "environments/production": {"token": "canary"}}),
    }
    assert codes(files) == ["ET650", "ET761"]


def test_a_team_may_have_another_value_than_its_agent() -> None:
    secret = "execution_environment: {env_vars: {URL: '${{ env_vars.WHO }}:${{ secrets.token }}', WHO: %s}}"
    files = {
        "teams/t/team.yaml": secret % "team",
        "teams/t/agents/a.yaml": "execution_environment: {env_vars: {WHO: agent}}",
        **sealed_files({"organization": {"token": "canary"}}),
    }
    assert codes(files) == ["ET650", "ET761"]
    assert codes({**files, "teams/t/agents/a.yaml": "{}"}) == ["ET650"]


# The server's view.


def resource(kind: Any, name: str, section: Mapping[str, Any], **more: Any) -> DesiredResource:
    return DesiredResource(kind, name, file_span("x"), {"name": name, "execution_environment": section, **more})


FIRST_ENVIRONMENT = resource("environment", "e1", {"env_vars": {"LOG": "env1", "DB": "plain"}, "secrets": ["DB"]})
SECOND_ENVIRONMENT = resource("environment", "e2", {"env_vars": {"LOG": "env2"}, "secrets": ["S2"]})


@pytest.mark.parametrize(
    ("environments", "section", "vault", "expected"),
    [
        ([FIRST_ENVIRONMENT], {"env_vars": {"LOG": "a", "DB": "a"}}, {"DB": "v"}, {"LOG": "a", "DB": "v"}),
        ([FIRST_ENVIRONMENT, SECOND_ENVIRONMENT], {}, {"DB": "v", "S2": "w"}, {"LOG": "env2", "DB": "v", "S2": "w"}),
        ([SECOND_ENVIRONMENT, FIRST_ENVIRONMENT], {}, {"DB": "v", "S2": "w"}, {"LOG": "env1", "DB": "v", "S2": "w"}),
        ([FIRST_ENVIRONMENT, SECOND_ENVIRONMENT], {"env_vars": {"LOG": "agent"}}, {}, {"LOG": "agent", "DB": "plain"}),
        (
            [FIRST_ENVIRONMENT],
            {"env_vars": {"T": "{{.env.LOG}}"}},
            {"DB": "v"},
            {"LOG": "env1", "DB": "v", "T": "{{.env.LOG}}"},
        ),
        ([], {"secrets": ["DB"]}, {"DB": "v", "OTHER": "w"}, {"DB": "v"}),
        ([], {}, {"DB": "v"}, {}),
    ],
)
def test_the_server_layers_environments_and_secrets_win(
    environments: list[DesiredResource], section: dict[str, Any], vault: dict[str, str], expected: dict[str, str]
) -> None:
    agent = resource("agent", "a", section, environment_ids=[environment.ref for environment in environments])
    view = server_view(agent, {environment.ref: environment for environment in environments}, ServerRuntime(vault))
    assert view.env_vars == expected
    used_secrets = {
        name
        for environment in (*environments, agent)
        for name in environment.body["execution_environment"].get("secrets", ())
    }
    assert set(view.missing_secrets) == used_secrets - vault.keys()


def test_the_server_merges_servers_whole_and_integrations_win() -> None:
    servers = {"s": {"command": "c", "args": ["x"]}, "t": {"command": "{{.secret.DB}}-{{LOG}}"}}
    environment = resource("environment", "e", {"mcp_servers": servers, "integration_ids": ["i"], "secrets": ["DB"]})
    agent = resource(
        "agent",
        "a",
        {"mcp_servers": {"s": {"command": "d"}}, "env_vars": {"LOG": "x", "GH_TOKEN": "mine"}},
        environment_ids=[environment.ref],
        system_prompt="{{LOG}} {{.graph.node}}",
        description="{{GH_TOKEN}}",
    )
    runtime = ServerRuntime({"DB": "v"}, {"i": {"GH_TOKEN": "theirs"}}, "key")
    view = server_view(agent, {environment.ref: environment}, runtime)
    assert view.mcp_servers == {"s": {"command": "d"}, "t": {"command": "v-x"}}
    assert view.texts == {"system_prompt": "{{LOG}} {{.graph.node}}", "description": "theirs"}
    assert view.env_vars == {
        "LOG": "x",
        "GH_TOKEN": "theirs",
        "DB": "v",
        "KUBIYA_API_KEY": "key",
        "MEMORY_DATASET_NAME": "e",
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{A}}", "1"),
        ("{{.env.A}}{{.env.A}}", "11"),
        ("{{.secret.s-1}}", "v"),
        ("{{s-1}}", "{{s-1}}"),
        ("{{ A }}", "{{ A }}"),
        ("{{A}} {{B}}", "{{A}} {{B}}"),
        ("{{.secret.A}}", "{{.secret.A}}"),
        ("{{secret:A}} {{A}}", "{{secret:A}} {{A}}"),
        ("${A} {A} {{A", "${A} {A} {{A"),
        ("{{}}", "{{}}"),
    ],
)
def test_one_unknown_template_leaves_the_whole_text(text: str, expected: str) -> None:
    assert expand_templates({"x": [text]}, {"A": "1"}, {"s-1": "v"}) == {"x": [expected]}


# Terraform.


def labelled(*resources: DesiredResource) -> dict[str, dict[str, Any]]:
    blocks: dict[str, dict[str, Any]] = render_terraform(resources, "kubiya/control-plane", Diagnostics())["resource"]
    return blocks


def test_terraform_expands_nothing_of_ours() -> None:
    team = resource("team", "p.t.e", {})._replace(late={"configuration": {}})
    agent = resource("agent", "p.t.a.e", {"env_vars": {"A": "${x} %{if} {{y}}"}}, team_id=team.ref)
    blocks = labelled(team, agent._replace(body={**agent.body, "system_prompt": "${x} %{y} {{z}}"}))
    assert blocks["controlplane_agent"]["p__t__a__e"] == {
        "name": "p.t.a.e",
        "description": "",
        "runtime": "default",
        "team_id": "${controlplane_team.p__t__e.id}",
        "system_prompt": "$${x} %%{y} {{z}}",
        "execution_environment": '{"env_vars":{"A":"$${x} %%{if} {{y}}"}}',
    }


@pytest.mark.parametrize("names", [("a.b", "a__b", "a_.b", "a._b"), ("1", "_1"), ("a/b", "a_b", "a b"), ("é", "ß")])
def test_no_two_labels_are_one(names: tuple[str, ...]) -> None:
    blocks = labelled(*(resource("agent", name, {}) for name in names))["controlplane_agent"]
    assert sorted(block["name"] for block in blocks.values()) == sorted(names)
    assert all(label.replace("-", "_").isidentifier() and label.isascii() for label in blocks)


def test_each_gap_of_the_provider_is_reported_once() -> None:
    run = Run(tree_request(DirectoryTree(EXAMPLES / "acme"), control_plane=True))
    diags = Diagnostics()
    render_terraform(tuple(by_ref(run).values()), "kubiya/control-plane", diags)
    gaps = []
    for diagnostic in diags:
        part, _, owner = diagnostic.message.partition(" of ")
        gaps.append(f"{part}: {owner.split()[0]}")
    assert len(gaps) == len(set(gaps))
    assert {"'environment_ids': agent", "'member_ids': team", "'tags': environment", "'icon': skill"} <= set(gaps)
    assert {diagnostic.code for diagnostic in diags} == {"ET852"}


# Output files.


def test_files_of_the_whole_tree_come_and_go(envtree: RunCommand, tree: Path) -> None:
    out = tree / "out"
    write_files(tree, {"organization.yaml": ORGANIZATION + "lint: {ET764: 'off', ET852: 'off', ET765: 'off'}\n"})
    result = envtree("compile", "--secrets", "ref", "--format", "kubiya", "--format", "kubiya-terraform")
    assert result.code == 0, result.err
    assert sorted(path.name for path in (out / "control-plane").iterdir()) == ["kubiya.json", "kubiya.tf.json"]
    command = ("compile", "--secrets", "ref", "--format", "kubiya")
    assert envtree(*command, "--check").out == "control-plane/kubiya.tf.json\nmanifest.json\n"
    assert envtree(*command).code == 0
    assert envtree(*command, "--check").code == 0
    assert envtree("verify", str(out)).code == 0
    # Compiling some of the bundles leaves these files unchanged.
    before = (out / "control-plane/kubiya.json").read_bytes()
    assert envtree("compile", "**@staging", "--secrets", "ref").code == 0
    assert (out / "control-plane/kubiya.json").read_bytes() == before
    (out / "control-plane/kubiya.json").write_bytes(b"{}")
    assert "control-plane/kubiya.json: it was changed" in envtree("verify", str(out)).out
    assert envtree("compile", "--secrets", "ref").code == 0
    assert [path.name for path in out.glob("control-plane/*")] == []
    assert envtree("verify", str(out)).code == 0


def test_an_archive_has_them_too(envtree: RunCommand, tree: Path) -> None:
    archive = tree.parent / "all.zip"
    assert envtree("compile", "--secrets", "ref", "--format", "kubiya", "--archive", str(archive)).code == 0
    assert envtree("verify", str(archive)).code == 0
    result = envtree("merge-manifests", str(archive), "-o", str(tree.parent / "o"))
    assert result.code == 1
    assert "has files of a whole tree" in result.err


@pytest.mark.parametrize(
    "part", [("--shard", "1/2"), ("--changed-since", "HEAD"), ("shop/**",), ("--archive", "{project}.zip")]
)
def test_no_part_of_a_tree_is_for_the_control_plane(part: tuple[str, ...], envtree: RunCommand, tree: Path) -> None:
    result = envtree("compile", *part, "--format", "kubiya")
    assert (result.code, result.out) == (2, "")
    assert "is of the whole tree" in result.err


def test_an_error_of_a_tree_is_reported_alone(envtree: RunCommand, tree: Path) -> None:
    write_files(tree, {"organization.yaml": ORGANIZATION + "control_plane: {}\n", BOT: "runtim: default\n"})
    result = envtree("check")
    assert result.code == 1
    assert "ET201" in result.out
    assert "ET76" not in result.out
