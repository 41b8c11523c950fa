"""How the control plane holds each kind: what can be written, what comes back, and in which shape two are compared.

A `view` is the part of an object that can be written, in the one shape to which what is sent and what is read come
down: the server completes what it gets, says the same under two names, and keeps some of it to itself.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired_resource import ResourceKind

ApiObject = Mapping[str, Any]
NormalizedFields = dict[str, Any]

# The key of our marker in an object.
MARKER_KEY = "envtree"
# Where there is no map for one, a word begins so.
MARKER_TAG_PREFIX = "envtree:"
_DESCRIPTION_MARKER = re.compile(r" ?\[envtree:[^\]]*\]$")


class ResourceSchema(NamedTuple):
    """One kind: where it is, its fields with their defaults, where its marker stands, and what a change takes."""

    path: str
    fields: Mapping[str, Any]
    marker_path: tuple[str, ...] = ()
    # What the server takes, and never tells.
    write_only: frozenset[str] = frozenset()
    # What no request changes: the object is made anew.
    immutable: frozenset[str] = frozenset()
    update_method: str = "PATCH"


_TEXT_FIELDS: Mapping[str, Any] = {"name": None, "description": None}
_DISPLAY_FIELDS: Mapping[str, Any] = {**_TEXT_FIELDS, "display_name": None, "tags": []}

RESOURCE_SCHEMAS: Mapping[ResourceKind, ResourceSchema] = MappingProxyType(
    {
        "organization": ResourceSchema(
            "/organization/settings",
            {"enforcement_enabled": False, "enforcement_mode": "monitoring"},
            update_method="PUT",
        ),
        "policy": ResourceSchema(
            "/policies",
            {**_TEXT_FIELDS, "policy_content": "", "enabled": True, "tags": [], "metadata": {}},
            write_only=frozenset({"metadata"}),
            update_method="PUT",
        ),
        "skill": ResourceSchema(
            "/skills",
            {**_TEXT_FIELDS, "type": None, "icon": "Wrench", "enabled": True, "configuration": {}},
            immutable=frozenset({"type"}),
        ),
        "environment": ResourceSchema(
            "/environments", {**_DISPLAY_FIELDS, "settings": {}, "execution_environment": {}}, ("settings",)
        ),
        "worker_queue": ResourceSchema(
            "/worker-queues",
            {**_DISPLAY_FIELDS, "max_workers": None, "heartbeat_interval": 60, "settings": {}, "status": "active"},
            ("settings",),
        ),
        "team": ResourceSchema(
            "/teams",
            {
                **_TEXT_FIELDS,
                "runtime": "default",
                "status": "active",
                "configuration": {},
                "execution_environment": {},
                "environment_ids": [],
            },
            ("configuration", "metadata"),
            write_only=frozenset({"execution_environment", "environment_ids"}),
        ),
        "agent": ResourceSchema(
            "/agents",
            {
                **_TEXT_FIELDS,
                "system_prompt": None,
                "capabilities": [],
                "configuration": {},
                "model_id": None,
                "llm_config": {},
                "runtime": "default",
                "runner_name": None,
                "team_id": None,
                "environment_ids": [],
                "skill_ids": [],
                "skill_configurations": {},
                "execution_environment": {},
            },
            ("configuration",),
        ),
        "project": ResourceSchema(
            "/projects",
            {
                **_TEXT_FIELDS,
                "key": None,
                "goals": None,
                "settings": {},
                "visibility": "private",
                "restrict_to_environment": False,
                "policy_ids": [],
                "default_model": None,
                "status": "active",
            },
            ("settings",),
            immutable=frozenset({"key"}),
        ),
        "job": ResourceSchema(
            "/jobs",
            {
                **_TEXT_FIELDS,
                "enabled": True,
                "trigger_type": None,
                "cron_schedule": None,
                "cron_timezone": "UTC",
                "planning_mode": "predefined_agent",
                "entity_type": None,
                "entity_id": None,
                "prompt_template": "",
                "system_prompt": None,
                "executor_type": "auto",
                "worker_queue_name": None,
                "environment_name": None,
                "config": {},
                "execution_environment": {},
            },
            ("config",),
            immutable=frozenset({"trigger_type"}),
        ),
    }
)

# The server keeps these of a project beside its settings, and inside of them.
SETTINGS_FIELDS = ("goals", "default_model", "policy_ids", "restrict_to_environment")
# What the server writes into the configuration of a team that does not say it.
_TEAM_DEFAULTS: Mapping[str, Any] = {
    "add_datetime_to_instructions": False,
    "debug_mode": False,
    "markdown": True,
    "monitoring": False,
    "structured_outputs": False,
}
_UNORDERED_FIELDS = frozenset({"environment_ids", "skill_ids", "policy_ids"})


def normalize_object(kind: ResourceKind, live_object: ApiObject, skills: Mapping[str, ApiObject]) -> NormalizedFields:
    """What an object of the server says, of all that can be written; `skills` are those of the server by their ids."""
    own = _agent_fields(live_object, skills) if kind == "agent" else live_object
    fields = RESOURCE_SCHEMAS[kind].fields.keys() - RESOURCE_SCHEMAS[kind].write_only
    return {field: normalize_field(kind, field, own[field], live_object) for field in sorted(fields) if field in own}


def normalize_field(kind: ResourceKind, field: str, value: Any, parent: ApiObject) -> Any:
    """A value in the shape in which it is compared; `whole` is what it is a field of."""
    if field == "execution_environment":
        return _normalize_environment(value or {})
    if field in _UNORDERED_FIELDS:
        return sorted(value or (), key=str)
    if field == "skill_configurations":
        return {id: said for id, said in (value or {}).items() if said}
    if field == "display_name" and value is None:
        return parent.get("name")
    if isinstance(value, Mapping):
        return _normalize_map(kind, field, value)
    own = _FIELD_NORMALIZERS.get((kind, field))
    return own(value) if own else list(value) if isinstance(value, tuple) else value


def strip_description_marker(text: str | None) -> str | None:
    """A description without the marker at its end."""
    return _DESCRIPTION_MARKER.sub("", text or "") or None


def _strip_marker_tags(tags: Iterable[str] | None) -> list[str]:
    return [tag for tag in tags or () if not tag.startswith(MARKER_TAG_PREFIX)]


# What the server spells in its own way, or we have added to.
_FIELD_NORMALIZERS: Mapping[tuple[ResourceKind, str], Callable[[Any], Any]] = {
    ("project", "key"): lambda key: str(key).upper(),
    ("policy", "tags"): _strip_marker_tags,
    ("skill", "description"): strip_description_marker,
    # A job takes no null, so an empty text stands for nothing.
    ("job", "description"): lambda text: text or None,
    ("job", "system_prompt"): lambda text: text or None,
}


def _normalize_map(kind: ResourceKind, field: str, value: ApiObject) -> NormalizedFields:
    found = dict(value)
    if (kind, field) == ("project", "settings"):
        found = {key: child for key, child in found.items() if key not in SETTINGS_FIELDS}
    elif (kind, field) == ("agent", "configuration"):
        found.pop("system_prompt", None)
    elif (kind, field) == ("team", "configuration"):
        found = {key: _drop_nulls(child) for key, child in found.items() if child != _TEAM_DEFAULTS.get(key)}
        found = {key: child for key, child in found.items() if child not in (None, [], {}, "")}
        if "member_ids" in found:
            found["member_ids"] = sorted(found["member_ids"], key=str)
    elif (kind, field) == ("skill", "configuration"):
        found = {key: child for key, child in found.items() if child is not None}
    return strip_marker(RESOURCE_SCHEMAS[kind].marker_path, field, found)


def strip_marker(marker: tuple[str, ...], field: str, value: NormalizedFields) -> NormalizedFields:
    """A field without the marker that may stand in it, nor the map that is there for it alone."""
    if not marker or field != marker[0]:
        return value
    if len(marker) == 1:
        return {key: child for key, child in value.items() if key != MARKER_KEY}
    inner = {key: child for key, child in (value.get(marker[1]) or {}).items() if key != MARKER_KEY}
    rest = {key: child for key, child in value.items() if key != marker[1]}
    return {**rest, marker[1]: inner} if inner else rest


def _normalize_environment(value: ApiObject) -> NormalizedFields:
    servers = {name: _normalize_server(config) for name, config in (value.get("mcp_servers") or {}).items()}
    return {
        "env_vars": dict(value.get("env_vars") or {}),
        "integration_ids": sorted(value.get("integration_ids") or (), key=str),
        "mcp_servers": servers,
        "secrets": sorted(value.get("secrets") or ()),
        "working_dir": value.get("working_dir"),
    }


def _normalize_server(config: Any) -> Any:
    """A server of MCP: the control plane fills in nulls, and has two names for how it is spoken to."""
    if not isinstance(config, Mapping):
        return config
    found = {key: child for key, child in config.items() if child not in (None, [], {})}
    transport = found.pop("transport_type", None)
    return {**found, "type": found.get("type", transport)} if transport or "type" in found else found


def _agent_fields(live_object: ApiObject, skills: Mapping[str, ApiObject]) -> NormalizedFields:
    """An agent, with what it says of others in the shape in which it is told."""
    used = {one["id"]: one for one in live_object.get("skills") or ()}
    return {
        **live_object,
        "environment_ids": [one["id"] for one in live_object.get("environments") or ()],
        "skill_ids": live_object.get("skill_ids") or list(used),
        "skill_configurations": {id: _configuration_overrides(one, skills.get(id, {})) for id, one in used.items()},
    }


def _configuration_overrides(used: ApiObject, skill: ApiObject) -> NormalizedFields:
    """What of a skill's configuration is said where it is used; the server tells it only merged."""
    plain = skill.get("configuration") or {}
    return {key: value for key, value in (used.get("configuration") or {}).items() if plain.get(key) != value}


def _drop_nulls(value: Any) -> Any:
    """A value without what is null in it, as the server fills it in."""
    if isinstance(value, Mapping):
        return {key: _drop_nulls(child) for key, child in value.items() if child is not None}
    return value
