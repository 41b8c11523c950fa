"""Every writable field is sent, read back and compared; the fields that the server does not return are listed."""

from typing import Any

import pytest

from envtree.controlplane.desired.desired_resource import ResourceKind
from envtree.controlplane.sync.resource_schemas import RESOURCE_SCHEMAS, normalize_field, normalize_object
from tests.end_to_end.control_plane.trees import Site

pytestmark = pytest.mark.control_plane

UUID = "00000000-0000-4000-8000-000000000000"
SECTION: dict[str, Any] = {
    "env_vars": {"A": "1", "EMPTY": ""},
    "secrets": ["S", "T"],
    "integration_ids": [UUID],
    "mcp_servers": {"files": {"command": "run", "args": ["-v"], "env": {"X": "y"}}},
}
HTTP = {"far": {"type": "http", "url": "http://127.0.0.1:1/mcp", "headers": {"a": "b"}}}
# A value for each field that differs from the default of a new object.
VALUES: dict[ResourceKind, dict[str, Any]] = {
    "organization": {"enforcement_enabled": True, "enforcement_mode": "blocking"},
    "policy": {
        "name": "all",
        "description": "d",
        "policy_content": "package all",
        "enabled": False,
        "tags": ["t"],
        "metadata": {"a": 1},
    },
    "skill": {
        "name": "all",
        "description": "d",
        "type": "shell",
        "icon": "Star",
        "enabled": False,
        "configuration": {"timeout": 5, "allowed_commands": ["ls"], "custom_config": {"deep": {"a": [1, None]}}},
    },
    "environment": {
        "name": "all",
        "description": "d",
        "display_name": "All",
        "tags": ["t", "t", ""],
        "settings": {"deep": {"a": [1, 2.5, None, True]}},
        "execution_environment": {**SECTION, "mcp_servers": {**SECTION["mcp_servers"], **HTTP}},
    },
    "worker_queue": {
        "name": "all",
        "description": "d",
        "display_name": "All",
        "tags": ["t"],
        "max_workers": 7,
        "heartbeat_interval": 77,
        "settings": {"deep": {"a": 1}},
        "status": "inactive",
    },
    "team": {
        "name": "all",
        "description": "d",
        "runtime": "claude_code",
        "status": "inactive",
        "configuration": {
            "instructions": ["one", "two"],
            "reasoning": {"enabled": True, "min_steps": 2, "max_steps": 9},
            "llm": {"model": "m", "temperature": 0.5, "stop": ["x"]},
            "tools": [{"a": 1}],
            "markdown": False,
            "debug_mode": True,
            "metadata": {"deep": {"a": 1}},
        },
        "execution_environment": {**SECTION, "working_dir": "/w"},
        "environment_ids": ["$environment"],
    },
    "agent": {
        "name": "all",
        "description": "d",
        "system_prompt": "p",
        "capabilities": ["x", {"y": 1}],
        "configuration": {"deep": {"a": [None, 1]}},
        "model_id": "kubiya/claude",
        "llm_config": {"temperature": 1},
        "runtime": "claude_code",
        "runner_name": "r",
        "team_id": "$team",
        "environment_ids": ["$environment"],
        "skill_ids": ["$ask"],
        "skill_configurations": {"$ask": {"timeout": 9}},
        "execution_environment": {**SECTION, "working_dir": "/w", "mcp_servers": HTTP},
    },
    "project": {
        "name": "all",
        "description": "d",
        "key": "ALL",
        "goals": "g",
        "settings": {"deep": {"a": [1]}},
        "visibility": "org",
        "restrict_to_environment": True,
        "policy_ids": [UUID],
        "default_model": "m",
        "status": "archived",
    },
    "job": {
        "name": "all",
        "description": "d",
        "enabled": False,
        "trigger_type": "webhook",
        "cron_timezone": "Europe/Berlin",
        "planning_mode": "predefined_team",
        "entity_type": "team",
        "entity_id": "$team",
        "prompt_template": "Do {{it}}.",
        "system_prompt": "p",
        "executor_type": "environment",
        "worker_queue_name": UUID,
        "environment_name": "all",
        "config": {"deep": {"a": 1}},
        "execution_environment": SECTION,
    },
}
# Fields that the server accepts in updates only, and fields that it does not return, or returns changed.
LATER = {"team": {"status", "environment_ids"}, "project": {"status"}, "worker_queue": {"status"}}
LOST: dict[ResourceKind, set[str]] = {"policy": {"metadata"}, "team": {"execution_environment", "environment_ids"}}
# Fields that need a service that is not running here: a scheduler.
UNTESTED = {"job": {"cron_schedule"}}


def test_every_field_that_can_be_written_comes_back_or_is_known_not_to(site: Site) -> None:
    site.request("GET", "/environments")
    # Agents do not show a disabled skill, so they use this one instead of the skill in VALUES.
    ids = {"ask": site.request("POST", "/skills", {"name": "ask", "type": "sleep"})["id"]}
    for kind, values in VALUES.items():
        assert values.keys() | UNTESTED.get(kind, set()) == RESOURCE_SCHEMAS[kind].fields.keys(), kind
        filled = fill(values, ids)
        later = {name: filled[name] for name in LATER.get(kind, set())}
        created = create(site, kind, {name: value for name, value in filled.items() if name not in later}, ids)
        if later:
            site.request("PATCH", f"{RESOURCE_SCHEMAS[kind].path}/{created['id']}", later)
            created = site.request("GET", f"{RESOURCE_SCHEMAS[kind].path}/{created['id']}")
        normalized = normalize_object(kind, created, skills(site))
        lost = {
            name for name, value in filled.items() if normalized.get(name) != normalize_field(kind, name, value, filled)
        }
        assert lost == LOST.get(kind, set()), (kind, normalized)
        assert lost == set(RESOURCE_SCHEMAS[kind].write_only), kind


def create(site: Site, kind: ResourceKind, body: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """Create an object and return it as the server reads it."""
    path = RESOURCE_SCHEMAS[kind].path
    if kind == "organization":
        site.request("PUT", path, body)
        return dict(site.request("GET", path))
    create_path = f"/environments/{ids['environment']}/worker-queues" if kind == "worker_queue" else path
    ids[kind] = site.request("POST", create_path, body)["id"]
    return dict(site.request("GET", f"{path}/{ids[kind]}"))


def skills(site: Site) -> dict[str, Any]:
    return {skill["id"]: skill for skill in site.request("GET", "/skills")}


def fill(value: Any, ids: dict[str, str]) -> Any:
    """Replace each `$kind` by the id of that object."""
    if isinstance(value, dict):
        return {fill(key, ids): fill(child, ids) for key, child in value.items()}
    if isinstance(value, list):
        return [fill(child, ids) for child in value]
    return ids[value[1:]] if isinstance(value, str) and value.startswith("$") else value


# The paths that create and update a kind of object, in the server's OpenAPI document.
PATHS: dict[ResourceKind, tuple[str, str]] = {
    "environment": ("/environments", "/environments/{environment_id}"),
    "project": ("/projects", "/projects/{project_id}"),
    "team": ("/teams", "/teams/{team_id}"),
    "agent": ("/agents", "/agents/{agent_id}"),
    "skill": ("/skills", "/skills/{skill_id}"),
    "policy": ("/policies", "/policies/{policy_id}"),
    "worker_queue": ("/environments/{environment_id}/worker-queues", "/worker-queues/{queue_id}"),
    "job": ("/jobs", "/jobs/{job_id}"),
}
# Fields that the tree does not set: another name of `model_id`, states, and skills of teams, sent as associations.
NOT_IN_TREE = {
    "agent": {"model", "status", "state"},
    "environment": {"status"},
    "team": {"skill_ids", "skill_configurations"},
}


@pytest.mark.parametrize("kind", sorted(PATHS))
def test_the_server_takes_no_field_that_we_do_not_know(kind: ResourceKind, site: Site) -> None:
    document = site.description()
    fields = set()
    for path in PATHS[kind]:
        for method in {"post", "patch", "put"} & document["paths"][f"/api/v1{path}"].keys():
            body = document["paths"][f"/api/v1{path}"][method]["requestBody"]["content"]["application/json"]["schema"]
            fields |= document["components"]["schemas"][body["$ref"].rpartition("/")[2]]["properties"].keys()
    assert fields - NOT_IN_TREE.get(kind, set()) == RESOURCE_SCHEMAS[kind].fields.keys()
