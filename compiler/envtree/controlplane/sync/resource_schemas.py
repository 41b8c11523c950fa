"""How the control plane stores each kind: writable fields with defaults, and their normal form for comparison.

Sent and returned values are brought into one normal form, because the server completes the values that it gets, returns
some under two names, and does not return others at all.
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
# The prefix of a marker that is text, for kinds without a map.
MARKER_TAG_PREFIX = "envtree:"
_DESCRIPTION_MARKER = re.compile(r" ?\[envtree:[^\]]*\]$")


class ResourceSchema(NamedTuple):
    """One kind: its path, its fields with their defaults, the path of its marker, and how updates work."""

    path: str
    fields: Mapping[str, Any]
    marker_path: tuple[str, ...] = ()
    # Fields that the server accepts and never returns.
    write_only: frozenset[str] = frozenset()
    # Fields that no request changes: the object is replaced.
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

# Fields of a project that the server stores beside its settings as well as inside them.
SETTINGS_FIELDS = ("goals", "default_model", "policy_ids", "restrict_to_environment")
# Values that the server adds to the configuration of a team that does not set them.
_TEAM_DEFAULTS: Mapping[str, Any] = {
    "add_datetime_to_instructions": False,
    "debug_mode": False,
    "markdown": True,
    "monitoring": False,
    "structured_outputs": False,
}
_UNORDERED_FIELDS = frozenset({"environment_ids", "skill_ids", "policy_ids"})


def normalize_object(kind: ResourceKind, live_object: ApiObject, skills: Mapping[str, ApiObject]) -> NormalizedFields:
    """Return the writable fields of a live object in normal form; `skills` are all live skills by id."""
    source = _agent_fields(live_object, skills) if kind == "agent" else live_object
    fields = RESOURCE_SCHEMAS[kind].fields.keys() - RESOURCE_SCHEMAS[kind].write_only
    return {
        field: normalize_field(kind, field, source[field], live_object) for field in sorted(fields) if field in source
    }


def normalize_field(kind: ResourceKind, field: str, value: Any, parent: ApiObject) -> Any:
    """Return a value in normal form; `parent` is the object that contains the field."""
    if field == "execution_environment":
        return _normalize_environment(value or {})
    if field in _UNORDERED_FIELDS:
        return sorted(value or (), key=str)
    if field == "skill_configurations":
        return {id: override for id, override in (value or {}).items() if override}
    if field == "display_name" and value is None:
        return parent.get("name")
    if isinstance(value, Mapping):
        return _normalize_map(kind, field, value)
    normalize = _FIELD_NORMALIZERS.get((kind, field))
    return normalize(value) if normalize else list(value) if isinstance(value, tuple) else value


def strip_description_marker(text: str | None) -> str | None:
    """Return a description without the marker at its end."""
    return _DESCRIPTION_MARKER.sub("", text or "") or None


def _strip_marker_tags(tags: Iterable[str] | None) -> list[str]:
    return [tag for tag in tags or () if not tag.startswith(MARKER_TAG_PREFIX)]


# Fields that the server rewrites, or to which a marker is added.
_FIELD_NORMALIZERS: Mapping[tuple[ResourceKind, str], Callable[[Any], Any]] = {
    ("project", "key"): lambda key: str(key).upper(),
    ("policy", "tags"): _strip_marker_tags,
    ("skill", "description"): strip_description_marker,
    # A job accepts no null, so an empty text represents an absent value.
    ("job", "description"): lambda text: text or None,
    ("job", "system_prompt"): lambda text: text or None,
}


def _normalize_map(kind: ResourceKind, field: str, value: ApiObject) -> NormalizedFields:
    normalized = dict(value)
    if (kind, field) == ("project", "settings"):
        normalized = {key: child for key, child in normalized.items() if key not in SETTINGS_FIELDS}
    elif (kind, field) == ("agent", "configuration"):
        normalized.pop("system_prompt", None)
    elif (kind, field) == ("team", "configuration"):
        normalized = {key: _drop_nulls(child) for key, child in normalized.items() if child != _TEAM_DEFAULTS.get(key)}
        normalized = {key: child for key, child in normalized.items() if child not in (None, [], {}, "")}
        if "member_ids" in normalized:
            normalized["member_ids"] = sorted(normalized["member_ids"], key=str)
    elif (kind, field) == ("skill", "configuration"):
        normalized = {key: child for key, child in normalized.items() if child is not None}
    return strip_marker(RESOURCE_SCHEMAS[kind].marker_path, field, normalized)


def strip_marker(marker: tuple[str, ...], field: str, value: NormalizedFields) -> NormalizedFields:
    """Return a field without the marker that may be in it, and without the map that exists only for it."""
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
    """Return an MCP server without nulls, and with one name for its transport instead of two."""
    if not isinstance(config, Mapping):
        return config
    normalized = {key: child for key, child in config.items() if child not in (None, [], {})}
    transport = normalized.pop("transport_type", None)
    return (
        {**normalized, "type": normalized.get("type", transport)} if transport or "type" in normalized else normalized
    )


def _agent_fields(live_object: ApiObject, skills: Mapping[str, ApiObject]) -> NormalizedFields:
    """Return an agent with its related objects in the form in which they are sent."""
    used_skills = {skill["id"]: skill for skill in live_object.get("skills") or ()}
    return {
        **live_object,
        "environment_ids": [environment["id"] for environment in live_object.get("environments") or ()],
        "skill_ids": live_object.get("skill_ids") or list(used_skills),
        "skill_configurations": {
            id: _configuration_overrides(used, skills.get(id, {})) for id, used in used_skills.items()
        },
    }


def _configuration_overrides(used: ApiObject, skill: ApiObject) -> NormalizedFields:
    """Return an agent's overrides of a skill's configuration; the server returns them only merged."""
    defaults = skill.get("configuration") or {}
    return {key: value for key, value in (used.get("configuration") or {}).items() if defaults.get(key) != value}


def _drop_nulls(value: Any) -> Any:
    """Return a value without nulls in its maps, which the server fills in."""
    if isinstance(value, Mapping):
        return {key: _drop_nulls(child) for key, child in value.items() if child is not None}
    return value
