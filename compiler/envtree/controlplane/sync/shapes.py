"""How the control plane holds each kind: what can be written, what comes back, and in which shape two are compared.

A `view` is the part of an object that can be written, in the one shape to which what is sent and what is read come
down: the server completes what it gets, says the same under two names, and keeps some of it to itself.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired import Kind

Object = Mapping[str, Any]
View = dict[str, Any]

# The key of our marker in an object.
MARKER = "envtree"
# Where there is no map for one, a word begins so.
TAG = "envtree:"
_DESCRIBED = re.compile(r" ?\[envtree:[^\]]*\]$")


class Shape(NamedTuple):
    """One kind: where it is, its fields with their defaults, where its marker stands, and what a change takes."""

    path: str
    fields: Mapping[str, Any]
    marker: tuple[str, ...] = ()
    # What the server takes, and never tells.
    unread: frozenset[str] = frozenset()
    # What no request changes: the object is made anew.
    fixed: frozenset[str] = frozenset()
    update: str = "PATCH"


_TEXT: Mapping[str, Any] = {"name": None, "description": None}
_SHOWN: Mapping[str, Any] = {**_TEXT, "display_name": None, "tags": []}

SHAPES: Mapping[Kind, Shape] = MappingProxyType(
    {
        "organization": Shape(
            "/organization/settings", {"enforcement_enabled": False, "enforcement_mode": "monitoring"}, update="PUT"
        ),
        "policy": Shape(
            "/policies",
            {**_TEXT, "policy_content": "", "enabled": True, "tags": [], "metadata": {}},
            unread=frozenset({"metadata"}),
            update="PUT",
        ),
        "skill": Shape(
            "/skills",
            {**_TEXT, "type": None, "icon": "Wrench", "enabled": True, "configuration": {}},
            fixed=frozenset({"type"}),
        ),
        "environment": Shape("/environments", {**_SHOWN, "settings": {}, "execution_environment": {}}, ("settings",)),
        "worker_queue": Shape(
            "/worker-queues",
            {**_SHOWN, "max_workers": None, "heartbeat_interval": 60, "settings": {}, "status": "active"},
            ("settings",),
        ),
        "team": Shape(
            "/teams",
            {
                **_TEXT,
                "runtime": "default",
                "status": "active",
                "configuration": {},
                "execution_environment": {},
                "environment_ids": [],
            },
            ("configuration", "metadata"),
            unread=frozenset({"execution_environment", "environment_ids"}),
        ),
        "agent": Shape(
            "/agents",
            {
                **_TEXT,
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
        "project": Shape(
            "/projects",
            {
                **_TEXT,
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
            fixed=frozenset({"key"}),
        ),
        "job": Shape(
            "/jobs",
            {
                **_TEXT,
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
            fixed=frozenset({"trigger_type"}),
        ),
    }
)

# The server keeps these of a project beside its settings, and inside of them.
INSIDE_SETTINGS = ("goals", "default_model", "policy_ids", "restrict_to_environment")
# What the server writes into the configuration of a team that does not say it.
_TEAM_DEFAULTS: Mapping[str, Any] = {
    "add_datetime_to_instructions": False,
    "debug_mode": False,
    "markdown": True,
    "monitoring": False,
    "structured_outputs": False,
}
_SETS = frozenset({"environment_ids", "skill_ids", "policy_ids"})


def view(kind: Kind, found: Object, skills: Mapping[str, Object]) -> View:
    """What an object of the server says, of all that can be written; `skills` are those of the server by their ids."""
    own = _agents(found, skills) if kind == "agent" else found
    fields = SHAPES[kind].fields.keys() - SHAPES[kind].unread
    return {field: alike(kind, field, own[field], found) for field in sorted(fields) if field in own}


def alike(kind: Kind, field: str, value: Any, whole: Object) -> Any:
    """A value in the shape in which it is compared; `whole` is what it is a field of."""
    if field == "execution_environment":
        return _environment(value or {})
    if field in _SETS:
        return sorted(value or (), key=str)
    if field == "skill_configurations":
        return {id: said for id, said in (value or {}).items() if said}
    if field == "display_name" and value is None:
        return whole.get("name")
    if isinstance(value, Mapping):
        return _map(kind, field, value)
    own = _OWN.get((kind, field))
    return own(value) if own else list(value) if isinstance(value, tuple) else value


def undescribed(text: str | None) -> str | None:
    """A description without the marker at its end."""
    return _DESCRIBED.sub("", text or "") or None


def _untagged(tags: Iterable[str] | None) -> list[str]:
    return [tag for tag in tags or () if not tag.startswith(TAG)]


# What the server spells in its own way, or we have added to.
_OWN: Mapping[tuple[Kind, str], Callable[[Any], Any]] = {
    ("project", "key"): lambda key: str(key).upper(),
    ("policy", "tags"): _untagged,
    ("skill", "description"): undescribed,
    # A job takes no null, so an empty text stands for nothing.
    ("job", "description"): lambda text: text or None,
    ("job", "system_prompt"): lambda text: text or None,
}


def _map(kind: Kind, field: str, value: Object) -> View:
    found = dict(value)
    if (kind, field) == ("project", "settings"):
        found = {key: child for key, child in found.items() if key not in INSIDE_SETTINGS}
    elif (kind, field) == ("agent", "configuration"):
        found.pop("system_prompt", None)
    elif (kind, field) == ("team", "configuration"):
        found = {key: _dense(child) for key, child in found.items() if child != _TEAM_DEFAULTS.get(key)}
        found = {key: child for key, child in found.items() if child not in (None, [], {}, "")}
        if "member_ids" in found:
            found["member_ids"] = sorted(found["member_ids"], key=str)
    elif (kind, field) == ("skill", "configuration"):
        found = {key: child for key, child in found.items() if child is not None}
    return without_marker(SHAPES[kind].marker, field, found)


def without_marker(marker: tuple[str, ...], field: str, value: View) -> View:
    """A field without the marker that may stand in it, nor the map that is there for it alone."""
    if not marker or field != marker[0]:
        return value
    if len(marker) == 1:
        return {key: child for key, child in value.items() if key != MARKER}
    inner = {key: child for key, child in (value.get(marker[1]) or {}).items() if key != MARKER}
    rest = {key: child for key, child in value.items() if key != marker[1]}
    return {**rest, marker[1]: inner} if inner else rest


def _environment(value: Object) -> View:
    servers = {name: _server(config) for name, config in (value.get("mcp_servers") or {}).items()}
    return {
        "env_vars": dict(value.get("env_vars") or {}),
        "integration_ids": sorted(value.get("integration_ids") or (), key=str),
        "mcp_servers": servers,
        "secrets": sorted(value.get("secrets") or ()),
        "working_dir": value.get("working_dir"),
    }


def _server(config: Any) -> Any:
    """A server of MCP: the control plane fills in nulls, and has two names for how it is spoken to."""
    if not isinstance(config, Mapping):
        return config
    found = {key: child for key, child in config.items() if child not in (None, [], {})}
    transport = found.pop("transport_type", None)
    return {**found, "type": found.get("type", transport)} if transport or "type" in found else found


def _agents(found: Object, skills: Mapping[str, Object]) -> View:
    """An agent, with what it says of others in the shape in which it is told."""
    used = {one["id"]: one for one in found.get("skills") or ()}
    return {
        **found,
        "environment_ids": [one["id"] for one in found.get("environments") or ()],
        "skill_ids": found.get("skill_ids") or list(used),
        "skill_configurations": {id: _changed(one, skills.get(id, {})) for id, one in used.items()},
    }


def _changed(used: Object, skill: Object) -> View:
    """What of a skill's configuration is said where it is used; the server tells it only merged."""
    plain = skill.get("configuration") or {}
    return {key: value for key, value in (used.get("configuration") or {}).items() if plain.get(key) != value}


def _dense(value: Any) -> Any:
    """A value without what is null in it, as the server fills it in."""
    if isinstance(value, Mapping):
        return {key: _dense(child) for key, child in value.items() if child is not None}
    return value
