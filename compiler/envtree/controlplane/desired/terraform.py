"""The resources for Terraform's provider of the control plane, as one `.tf.json`, and what it cannot do of them.

Each attribute here is one that the provider has. Those that hold JSON are texts in canonical form, for the provider
compares texts. A team and its agents name each other at the control plane; Terraform takes no such circle, and the
agents name their team.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired import Desired, Kind, Ref, substituted
from envtree.model.canonical_json import compact
from envtree.model.diagnostic import Diagnostic, Diagnostics

# The first version whose agents have all of these attributes.
_VERSION = ">= 0.1.13"
_MADE = "the provider sends it when the resource is made, and never again"
_NONE = "the provider has no attribute for it"
_STATUS = "the provider does not send it when the resource is made"


class Form(NamedTuple):
    """A type of the provider: its attributes, those that hold JSON, those that always stand there, and what is amiss.

    `gaps` says of a field of the API why it is not, or not always, what the tree says.
    """

    attributes: tuple[str, ...]
    json: frozenset[str] = frozenset()
    always: Mapping[str, Any] = {}
    gaps: Mapping[str, str] = {}


_DESCRIBED = {"description": ""}
_FORMS: Mapping[Kind, Form] = {
    "policy": Form(
        ("name", "policy_content", "description", "enabled", "tags"),
        always={**_DESCRIBED, "enabled": True},
        gaps={"metadata": _NONE},
    ),
    "skill": Form(
        ("name", "type", "description", "icon", "enabled", "configuration"),
        frozenset({"configuration"}),
        {**_DESCRIBED, "enabled": True},
        {"icon": _MADE},
    ),
    "environment": Form(
        ("name", "display_name", "description", "tags", "settings", "execution_environment"),
        frozenset({"settings", "execution_environment"}),
        _DESCRIBED,
        {"tags": _MADE, "settings": _MADE, "execution_environment": f"{_MADE}; agents have all of it themselves"},
    ),
    "worker_queue": Form(
        ("name", "display_name", "description", "max_workers", "heartbeat_interval", "tags", "settings"),
        always=_DESCRIBED,
        gaps={"status": _STATUS},
    ),
    "team": Form(
        ("name", "description", "runtime", "configuration", "skill_ids", "execution_environment"),
        frozenset({"configuration", "execution_environment"}),
        {**_DESCRIBED, "runtime": "default"},
        {
            "configuration": _MADE,
            "skill_ids": _MADE,
            "execution_environment": _MADE,
            "skill_configurations": _NONE,
            "environment_ids": _NONE,
            "member_ids": "a team and its agents would name each other; agents name their team, which lists none",
            "agent_id": "a team and its agents would name each other",
            "status": _STATUS,
        },
    ),
    "agent": Form(
        (
            *("name", "description", "capabilities", "configuration", "model_id", "llm_config", "runtime", "team_id"),
            *("system_prompt", "skill_ids", "execution_environment"),
        ),
        frozenset({"configuration", "llm_config", "execution_environment"}),
        {**_DESCRIBED, "runtime": "default"},
        {
            "capabilities": _MADE,
            "configuration": _MADE,
            "llm_config": _MADE,
            "environment_ids": _NONE,
            "runner_name": _NONE,
            "skill_configurations": _NONE,
        },
    ),
    "project": Form(
        (
            *("name", "key", "description", "goals", "settings", "visibility", "restrict_to_environment"),
            *("policy_ids", "default_model"),
        ),
        frozenset({"settings"}),
        {**_DESCRIBED, "visibility": "private", "restrict_to_environment": False},
        {"settings": _MADE, "policy_ids": _MADE, "status": _STATUS},
    ),
    "job": Form(
        (
            *("name", "description", "enabled", "trigger_type", "cron_schedule", "cron_timezone", "planning_mode"),
            *("entity_type", "entity_id", "prompt_template", "system_prompt", "executor_type", "worker_queue_name"),
            *("environment_name", "config", "execution_env_vars", "execution_secrets", "execution_integrations"),
        ),
        frozenset({"config"}),
        {**_DESCRIBED, "enabled": True},
        {"mcp_servers": _NONE},
    ),
}
# What the provider calls otherwise than the API.
_RENAMED: Mapping[tuple[Kind, str], str] = {("agent", "skill_ids"): "skills"}
_JOB_SECTION = {
    "env_vars": "execution_env_vars",
    "secrets": "execution_secrets",
    "integration_ids": "execution_integrations",
}
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_HASH = 8


def terraform(resources: Sequence[Desired], source: str, diags: Diagnostics) -> dict[str, Any]:
    """The document; each kind of thing that the provider leaves out is reported once."""
    labels = _labels(resources)
    found: dict[str, dict[str, Any]] = {}
    gaps: dict[tuple[str, str], tuple[Desired, str, int]] = {}
    for one in resources:
        for what, why in _gaps(one):
            first, _, count = gaps.get((one.kind, what), (one, why, 0))
            gaps[one.kind, what] = first, why, count + 1
        if one.kind in _FORMS:
            found.setdefault(f"controlplane_{one.kind}", {})[labels[one.ref]] = _attributes(one, labels)
    diags.extend(_told(gaps))
    provider = {"source": source, "version": _VERSION}
    return {
        "terraform": {"required_version": ">= 1.0", "required_providers": {"controlplane": provider}},
        "provider": {"controlplane": {}},
        "resource": found,
    }


def _told(gaps: Mapping[tuple[str, str], tuple[Desired, str, int]]) -> Iterator[Diagnostic]:
    for (kind, what), (one, why, count) in gaps.items():
        others = f" and {count - 1} more" if count > 1 else ""
        message = f"{what} of {kind.replace('_', ' ')} '{one.name}'{others}: {why}"
        yield Diagnostic(one.origin, "ET852", message, "format 'kubiya' has it, for the control plane's own API")


def _attributes(one: Desired, labels: Mapping[Ref, str]) -> dict[str, Any]:
    form = _FORMS[one.kind]
    state = _fields(one)
    found = {**form.always, **{name: state[name] for name in form.attributes if state.get(name) is not None}}
    if one.kind in ("environment", "worker_queue"):
        found.setdefault("display_name", one.body["name"])
    if one.parent:
        found["environment_id"] = one.parent
    shown: dict[str, Any] = {}
    for name, value in found.items():
        known = _RENAMED.get((one.kind, name), name)
        shown[known] = (
            _escaped(compact(value)) if name in form.json else substituted(_literal(value), _reference(labels))
        )
    return shown


def _fields(one: Desired) -> dict[str, Any]:
    """The state as the provider has it: no circle, and the environment of a job flat."""
    state = one.state
    if one.kind == "team":
        configuration = {key: value for key, value in state["configuration"].items() if key != "member_ids"}
        if "reasoning" in configuration:
            reasoning = configuration["reasoning"]
            configuration["reasoning"] = {key: value for key, value in reasoning.items() if key != "agent_id"}
        state["configuration"] = configuration or None
    if one.kind == "job":
        section = state.get("execution_environment") or {}
        state |= {name: section[part] for part, name in _JOB_SECTION.items() if part in section}
    if one.kind == "worker_queue" and state.get("settings"):
        state["settings"] = {key: _text(value) for key, value in state["settings"].items() if _is_flat(value)}
    if one.kind == "agent" and state.get("capabilities"):
        state["capabilities"] = [value for value in state["capabilities"] if isinstance(value, str)]
    return state


def _gaps(one: Desired) -> Iterator[tuple[str, str]]:
    """What of a resource the provider leaves out, and why."""
    if one.kind not in _FORMS:
        yield "settings", "the provider has no such resource"
        return
    form, state = _FORMS[one.kind], one.state
    nested = {**(state.get("configuration") or {}), **(state.get("execution_environment") or {})}
    if one.kind == "team":
        nested |= nested.get("reasoning") or {}
    for name, why in form.gaps.items():
        inner = name in ("member_ids", "agent_id", "mcp_servers") and nested.get(name)
        if _fields(one).get(name) or (name not in form.attributes and state.get(name)) or inner:
            yield f"'{name}'", why
    if one.kind == "worker_queue" and not all(map(_is_flat, (state.get("settings") or {}).values())):
        yield "a nested part of 'settings'", "the provider takes texts only"
    if one.kind == "agent" and not all(isinstance(each, str) for each in state.get("capabilities") or ()):
        yield "a part of 'capabilities'", "the provider takes texts only"
    for relation in dict.fromkeys(link.relation for link in one.links):
        yield f"association with {relation}s", "the provider has no such resource"


def _is_flat(value: Any) -> bool:
    return not isinstance(value, dict | list)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)


def _reference(labels: Mapping[Ref, str]) -> Callable[[Ref], str]:
    return lambda ref: f"${{controlplane_{ref.kind}.{labels[ref]}.id}}"


def _literal(value: Any) -> Any:
    """Data in which Terraform expands nothing."""
    if isinstance(value, Ref):
        return value
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, Mapping):
        return {_literal(key): _literal(child) for key, child in value.items()}
    return [_literal(child) for child in value] if isinstance(value, list | tuple) else value


def _escaped(text: str) -> str:
    return text.replace("${", "$${").replace("%{", "%%{")


def _labels(resources: Iterable[Desired]) -> dict[Ref, str]:
    """A label for each resource, which stays the same whatever else there is."""
    found: dict[Ref, str] = {}
    for one in resources:
        label = _UNSAFE.sub("_", one.name.replace(".", "__"))
        if not label[:1].isalpha() or label.replace("__", ".") != one.name:
            # Other names might give the same label.
            label = f"_{label}-{hashlib.sha256(one.name.encode()).hexdigest()[:_HASH]}"
        found[one.ref] = label
    return found
