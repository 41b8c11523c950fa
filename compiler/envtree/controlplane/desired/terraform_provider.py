"""Render the resources for Terraform's provider of the control plane, as one `.tf.json`; report its gaps.

The document contains only attributes that the provider has. Those with JSON are texts in canonical form, because the
provider compares texts. A team and its agents refer to each other at the control plane; Terraform allows no cycle, so
only the agents name their team.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired_resource import DesiredResource, ResourceKind, ResourceRef, substitute_refs
from envtree.model.canonical_json import encode_compact
from envtree.model.diagnostic import Diagnostic, Diagnostics

# The first version whose agents have all of the attributes below.
_VERSION = ">= 0.1.13"
_SENT_ON_CREATE_ONLY = "the provider sends it when the resource is made, and never again"
_NO_ATTRIBUTE = "the provider has no attribute for it"
_NOT_SENT_ON_CREATE = "the provider does not send it when the resource is made"


class ProviderResourceType(NamedTuple):
    """A resource type of the provider: its attributes, those with JSON, and those that are always written.

    `gaps` maps a field of the API to the reason why the provider does not, or not always, set it as the tree does.
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
# Attributes that the provider names differently from the API.
_RENAMED_ATTRIBUTES: Mapping[tuple[ResourceKind, str], str] = {("agent", "skill_ids"): "skills"}
_JOB_ATTRIBUTES = {
    "env_vars": "execution_env_vars",
    "secrets": "execution_secrets",
    "integration_ids": "execution_integrations",
}
_UNSAFE_LABEL_CHARACTER = re.compile(r"[^A-Za-z0-9_-]")
_LABEL_HASH_LENGTH = 8


def render_terraform(resources: Sequence[DesiredResource], source: str, diags: Diagnostics) -> dict[str, Any]:
    """Return the Terraform document; report each kind of gap in the provider once."""
    labels = _build_labels(resources)
    blocks: dict[str, dict[str, Any]] = {}
    gaps: dict[tuple[str, str], tuple[DesiredResource, str, int]] = {}
    for resource in resources:
        for part, reason in _find_gaps(resource):
            first, _, count = gaps.get((resource.kind, part), (resource, reason, 0))
            gaps[resource.kind, part] = first, reason, count + 1
        if resource.kind in _PROVIDER_RESOURCE_TYPES:
            blocks.setdefault(f"controlplane_{resource.kind}", {})[labels[resource.ref]] = _resource_attributes(
                resource, labels
            )
    diags.extend(_gap_diagnostics(gaps))
    provider = {"source": source, "version": _VERSION}
    return {
        "terraform": {"required_version": ">= 1.0", "required_providers": {"controlplane": provider}},
        "provider": {"controlplane": {}},
        "resource": blocks,
    }


def _gap_diagnostics(gaps: Mapping[tuple[str, str], tuple[DesiredResource, str, int]]) -> Iterator[Diagnostic]:
    for (kind, part), (resource, reason, count) in gaps.items():
        others = f" and {count - 1} more" if count > 1 else ""
        message = f"{part} of {kind.replace('_', ' ')} '{resource.name}'{others}: {reason}"
        yield Diagnostic(resource.origin, "ET852", message, "format 'kubiya' has it, for the control plane's own API")


def _resource_attributes(resource: DesiredResource, labels: Mapping[ResourceRef, str]) -> dict[str, Any]:
    resource_type = _PROVIDER_RESOURCE_TYPES[resource.kind]
    state = _provider_state(resource)
    attributes = {
        **resource_type.defaults,
        **{name: state[name] for name in resource_type.attributes if state.get(name) is not None},
    }
    if resource.kind in ("environment", "worker_queue"):
        attributes.setdefault("display_name", resource.body["name"])
    if resource.parent:
        attributes["environment_id"] = resource.parent
    rendered: dict[str, Any] = {}
    for name, value in attributes.items():
        attribute = _RENAMED_ATTRIBUTES.get((resource.kind, name), name)
        rendered[attribute] = (
            _escape_text(encode_compact(value))
            if name in resource_type.json_attributes
            else substitute_refs(_escape_value(value), _label_resolver(labels))
        )
    return rendered


def _provider_state(resource: DesiredResource) -> dict[str, Any]:
    """Return the state as the provider takes it: without the cycle, and a job's environment flattened."""
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
    """Yield the parts of a resource that the provider omits, each with the reason."""
    if resource.kind not in _PROVIDER_RESOURCE_TYPES:
        yield "settings", "the provider has no such resource"
        return
    resource_type, state = _PROVIDER_RESOURCE_TYPES[resource.kind], resource.state
    nested = {**(state.get("configuration") or {}), **(state.get("execution_environment") or {})}
    if resource.kind == "team":
        nested |= nested.get("reasoning") or {}
    for name, reason in resource_type.gaps.items():
        is_nested = name in ("member_ids", "agent_id", "mcp_servers") and nested.get(name)
        if (
            _provider_state(resource).get(name)
            or (name not in resource_type.attributes and state.get(name))
            or is_nested
        ):
            yield f"'{name}'", reason
    if resource.kind == "worker_queue" and not all(map(_is_scalar, (state.get("settings") or {}).values())):
        yield "a nested part of 'settings'", "the provider takes texts only"
    if resource.kind == "agent" and not all(
        isinstance(capability, str) for capability in state.get("capabilities") or ()
    ):
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
    """Return data in which Terraform expands nothing."""
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
    """Return a label for each resource, independent of all other resources."""
    labels: dict[ResourceRef, str] = {}
    for resource in resources:
        label = _UNSAFE_LABEL_CHARACTER.sub("_", resource.name.replace(".", "__"))
        if not label[:1].isalpha() or label.replace("__", ".") != resource.name:
            # Another name could give the same label, so a hash of the name makes it unique.
            label = f"_{label}-{hashlib.sha256(resource.name.encode()).hexdigest()[:_LABEL_HASH_LENGTH]}"
        labels[resource.ref] = label
    return labels
