"""The resources for Terraform's provider of the control plane, as one `.tf.json`, and what it cannot do of them.

Each attribute here is one that the provider has. Those that hold JSON are texts in canonical form, for the provider
compares texts. A team and its agents name each other at the control plane; Terraform takes no such circle, and the
agents name their team.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired_resource import DesiredResource, ResourceKind, ResourceRef, substitute_refs
from envtree.model.canonical_json import encode_compact
from envtree.model.diagnostic import Diagnostic, Diagnostics

# The first version whose agents have all of these attributes.
_VERSION = ">= 0.1.13"
_SENT_ON_CREATE_ONLY = "the provider sends it when the resource is made, and never again"
_NO_ATTRIBUTE = "the provider has no attribute for it"
_NOT_SENT_ON_CREATE = "the provider does not send it when the resource is made"


class ProviderResourceType(NamedTuple):
    """A type of the provider: its attributes, those that hold JSON, those that always stand there, and what is amiss.

    `gaps` says of a field of the API why it is not, or not always, what the tree says.
    """

    attributes: tuple[str, ...]
    json_attributes: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = {}
    gaps: Mapping[str, str] = {}


_EMPTY_DESCRIPTION = {"description": ""}
_PROVIDER_RESOURCE_TYPES: Mapping[ResourceKind, ProviderResourceType] = {
    "policy": ProviderResourceType(
        ("name", "policy_content", "description", "enabled", "tags"),
        defaults={**_EMPTY_DESCRIPTION, "enabled": True},
        gaps={"metadata": _NO_ATTRIBUTE},
    ),
    "skill": ProviderResourceType(
        ("name", "type", "description", "icon", "enabled", "configuration"),
        frozenset({"configuration"}),
        {**_EMPTY_DESCRIPTION, "enabled": True},
        {"icon": _SENT_ON_CREATE_ONLY},
    ),
    "environment": ProviderResourceType(
        ("name", "display_name", "description", "tags", "settings", "execution_environment"),
        frozenset({"settings", "execution_environment"}),
        _EMPTY_DESCRIPTION,
        {
            "tags": _SENT_ON_CREATE_ONLY,
            "settings": _SENT_ON_CREATE_ONLY,
            "execution_environment": f"{_SENT_ON_CREATE_ONLY}; agents have all of it themselves",
        },
    ),
    "worker_queue": ProviderResourceType(
        ("name", "display_name", "description", "max_workers", "heartbeat_interval", "tags", "settings"),
        defaults=_EMPTY_DESCRIPTION,
        gaps={"status": _NOT_SENT_ON_CREATE},
    ),
    "team": ProviderResourceType(
        ("name", "description", "runtime", "configuration", "skill_ids", "execution_environment"),
        frozenset({"configuration", "execution_environment"}),
        {**_EMPTY_DESCRIPTION, "runtime": "default"},
        {
            "configuration": _SENT_ON_CREATE_ONLY,
            "skill_ids": _SENT_ON_CREATE_ONLY,
            "execution_environment": _SENT_ON_CREATE_ONLY,
            "skill_configurations": _NO_ATTRIBUTE,
            "environment_ids": _NO_ATTRIBUTE,
            "member_ids": "a team and its agents would name each other; agents name their team, which lists none",
            "agent_id": "a team and its agents would name each other",
            "status": _NOT_SENT_ON_CREATE,
        },
    ),
    "agent": ProviderResourceType(
        (
            *("name", "description", "capabilities", "configuration", "model_id", "llm_config", "runtime", "team_id"),
            *("system_prompt", "skill_ids", "execution_environment"),
        ),
        frozenset({"configuration", "llm_config", "execution_environment"}),
        {**_EMPTY_DESCRIPTION, "runtime": "default"},
        {
            "capabilities": _SENT_ON_CREATE_ONLY,
            "configuration": _SENT_ON_CREATE_ONLY,
            "llm_config": _SENT_ON_CREATE_ONLY,
            "environment_ids": _NO_ATTRIBUTE,
            "runner_name": _NO_ATTRIBUTE,
            "skill_configurations": _NO_ATTRIBUTE,
        },
    ),
    "project": ProviderResourceType(
        (
            *("name", "key", "description", "goals", "settings", "visibility", "restrict_to_environment"),
            *("policy_ids", "default_model"),
        ),
        frozenset({"settings"}),
        {**_EMPTY_DESCRIPTION, "visibility": "private", "restrict_to_environment": False},
        {"settings": _SENT_ON_CREATE_ONLY, "policy_ids": _SENT_ON_CREATE_ONLY, "status": _NOT_SENT_ON_CREATE},
    ),
    "job": ProviderResourceType(
        (
            *("name", "description", "enabled", "trigger_type", "cron_schedule", "cron_timezone", "planning_mode"),
            *("entity_type", "entity_id", "prompt_template", "system_prompt", "executor_type", "worker_queue_name"),
            *("environment_name", "config", "execution_env_vars", "execution_secrets", "execution_integrations"),
        ),
        frozenset({"config"}),
        {**_EMPTY_DESCRIPTION, "enabled": True},
        {"mcp_servers": _NO_ATTRIBUTE},
    ),
}
# What the provider calls otherwise than the API.
_RENAMED_ATTRIBUTES: Mapping[tuple[ResourceKind, str], str] = {("agent", "skill_ids"): "skills"}
_JOB_ATTRIBUTES = {
    "env_vars": "execution_env_vars",
    "secrets": "execution_secrets",
    "integration_ids": "execution_integrations",
}
_UNSAFE_LABEL_CHARACTER = re.compile(r"[^A-Za-z0-9_-]")
_LABEL_HASH_LENGTH = 8


def render_terraform(resources: Sequence[DesiredResource], source: str, diags: Diagnostics) -> dict[str, Any]:
    """The document; each kind of thing that the provider leaves out is reported once."""
    labels = _build_labels(resources)
    found: dict[str, dict[str, Any]] = {}
    gaps: dict[tuple[str, str], tuple[DesiredResource, str, int]] = {}
    for one in resources:
        for what, why in _find_gaps(one):
            first, _, count = gaps.get((one.kind, what), (one, why, 0))
            gaps[one.kind, what] = first, why, count + 1
        if one.kind in _PROVIDER_RESOURCE_TYPES:
            found.setdefault(f"controlplane_{one.kind}", {})[labels[one.ref]] = _resource_attributes(one, labels)
    diags.extend(_gap_diagnostics(gaps))
    provider = {"source": source, "version": _VERSION}
    return {
        "terraform": {"required_version": ">= 1.0", "required_providers": {"controlplane": provider}},
        "provider": {"controlplane": {}},
        "resource": found,
    }


def _gap_diagnostics(gaps: Mapping[tuple[str, str], tuple[DesiredResource, str, int]]) -> Iterator[Diagnostic]:
    for (kind, what), (one, why, count) in gaps.items():
        others = f" and {count - 1} more" if count > 1 else ""
        message = f"{what} of {kind.replace('_', ' ')} '{one.name}'{others}: {why}"
        yield Diagnostic(one.origin, "ET852", message, "format 'kubiya' has it, for the control plane's own API")


def _resource_attributes(resource: DesiredResource, labels: Mapping[ResourceRef, str]) -> dict[str, Any]:
    form = _PROVIDER_RESOURCE_TYPES[resource.kind]
    state = _provider_state(resource)
    found = {**form.defaults, **{name: state[name] for name in form.attributes if state.get(name) is not None}}
    if resource.kind in ("environment", "worker_queue"):
        found.setdefault("display_name", resource.body["name"])
    if resource.parent:
        found["environment_id"] = resource.parent
    shown: dict[str, Any] = {}
    for name, value in found.items():
        known = _RENAMED_ATTRIBUTES.get((resource.kind, name), name)
        shown[known] = (
            _escape_text(encode_compact(value))
            if name in form.json_attributes
            else substitute_refs(_escape_value(value), _label_resolver(labels))
        )
    return shown


def _provider_state(resource: DesiredResource) -> dict[str, Any]:
    """The state as the provider has it: no circle, and the environment of a job flat."""
    state = resource.state
    if resource.kind == "team":
        configuration = {key: value for key, value in state["configuration"].items() if key != "member_ids"}
        if "reasoning" in configuration:
            reasoning = configuration["reasoning"]
            configuration["reasoning"] = {key: value for key, value in reasoning.items() if key != "agent_id"}
        state["configuration"] = configuration or None
    if resource.kind == "job":
        section = state.get("execution_environment") or {}
        state |= {name: section[part] for part, name in _JOB_ATTRIBUTES.items() if part in section}
    if resource.kind == "worker_queue" and state.get("settings"):
        state["settings"] = {key: _value_text(value) for key, value in state["settings"].items() if _is_scalar(value)}
    if resource.kind == "agent" and state.get("capabilities"):
        state["capabilities"] = [value for value in state["capabilities"] if isinstance(value, str)]
    return state


def _find_gaps(resource: DesiredResource) -> Iterator[tuple[str, str]]:
    """What of a resource the provider leaves out, and why."""
    if resource.kind not in _PROVIDER_RESOURCE_TYPES:
        yield "settings", "the provider has no such resource"
        return
    form, state = _PROVIDER_RESOURCE_TYPES[resource.kind], resource.state
    nested = {**(state.get("configuration") or {}), **(state.get("execution_environment") or {})}
    if resource.kind == "team":
        nested |= nested.get("reasoning") or {}
    for name, why in form.gaps.items():
        inner = name in ("member_ids", "agent_id", "mcp_servers") and nested.get(name)
        if _provider_state(resource).get(name) or (name not in form.attributes and state.get(name)) or inner:
            yield f"'{name}'", why
    if resource.kind == "worker_queue" and not all(map(_is_scalar, (state.get("settings") or {}).values())):
        yield "a nested part of 'settings'", "the provider takes texts only"
    if resource.kind == "agent" and not all(isinstance(each, str) for each in state.get("capabilities") or ()):
        yield "a part of 'capabilities'", "the provider takes texts only"
    for relation in dict.fromkeys(link.relation for link in resource.links):
        yield f"association with {relation}s", "the provider has no such resource"


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _value_text(value: Any) -> str:
    return value if isinstance(value, str) else encode_compact(value)


def _label_resolver(labels: Mapping[ResourceRef, str]) -> Callable[[ResourceRef], str]:
    return lambda ref: f"${{controlplane_{ref.kind}.{labels[ref]}.id}}"


def _escape_value(value: Any) -> Any:
    """Data in which Terraform expands nothing."""
    if isinstance(value, ResourceRef):
        return value
    if isinstance(value, str):
        return _escape_text(value)
    if isinstance(value, Mapping):
        return {_escape_value(key): _escape_value(child) for key, child in value.items()}
    return [_escape_value(child) for child in value] if isinstance(value, list | tuple) else value


def _escape_text(text: str) -> str:
    return text.replace("${", "$${").replace("%{", "%%{")


def _build_labels(resources: Iterable[DesiredResource]) -> dict[ResourceRef, str]:
    """A label for each resource, which stays the same whatever else there is."""
    found: dict[ResourceRef, str] = {}
    for one in resources:
        label = _UNSAFE_LABEL_CHARACTER.sub("_", one.name.replace(".", "__"))
        if not label[:1].isalpha() or label.replace("__", ".") != one.name:
            # Other names might give the same label.
            label = f"_{label}-{hashlib.sha256(one.name.encode()).hexdigest()[:_LABEL_HASH_LENGTH]}"
        found[one.ref] = label
    return found
