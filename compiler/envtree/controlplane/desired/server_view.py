"""What the control plane makes of its resources when an agent or a team runs: its own rules, as they were observed.

It layers environments below the agent or the team, and nothing else: no project, no organization, and no team below
its agents. It removes nothing, takes one value per name of a secret, and goes on without what it cannot find.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired_resource import DesiredResource, ResourceRef

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_VARIABLE = re.compile(r"(?:\.env\.)?([A-Za-z_][A-Za-z0-9_]*)")
_SECRET = re.compile(r"\.secret\.([A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)")
# Where it expands its templates, beside MCP servers: never in variables.
TEMPLATED_FIELDS = ("system_prompt", "description", "configuration")

EnvironmentSection = Mapping[str, Any]


class ServerRuntime(NamedTuple):
    """What is outside of the resources: values of secrets by name, and variables of integrations by id.

    `key` is the caller's, whom a run gets it from; without one, the variables that only a run has are left out.
    """

    secrets: Mapping[str, str] = {}
    integration_variables: Mapping[str, Mapping[str, str]] = {}
    api_key: str = ""


class ServerView(NamedTuple):
    """What arrives: variables, MCP servers and texts; `missing` are the secrets that the vault does not have."""

    env_vars: dict[str, str]
    mcp_servers: dict[str, Any]
    texts: dict[str, Any]
    missing_secrets: tuple[str, ...]


def server_view(
    subject: DesiredResource, resources: Mapping[ResourceRef, DesiredResource], runtime: ServerRuntime
) -> ServerView:
    """An agent or a team as it runs, with the environments that it names, in the order in which it names them.

    The server itself promises no order, so an answer is only sure where environments do not disagree.
    """
    state = subject.state
    attached = [resources[ref] for ref in state.get("environment_ids") or () if isinstance(ref, ResourceRef)]
    merged = merge_sections(
        [one.state.get("execution_environment") or {} for one in attached], state.get("execution_environment")
    )
    variables = dict(merged["env_vars"])
    if runtime.api_key:
        variables["KUBIYA_API_KEY"] = runtime.api_key
    found = {name: runtime.secrets[name] for name in merged["secrets"] if name in runtime.secrets}
    variables |= found
    for id in merged["integration_ids"]:
        variables |= runtime.integration_variables.get(id, {})
    known = dict(variables)
    if runtime.api_key:
        variables["MEMORY_DATASET_NAME"] = attached[0].name if attached else "default"
    texts = {name: expand_templates(state[name], known, found) for name in TEMPLATED_FIELDS if name in state}
    missing = tuple(name for name in merged["secrets"] if name not in found)
    return ServerView(variables, expand_templates(merged["mcp_servers"], known, found), texts, missing)


def merge_sections(bases: Sequence[EnvironmentSection], own: EnvironmentSection | None) -> dict[str, Any]:
    """Sections over each other: maps by their keys, each value replaced as a whole, and lists as unions."""
    merged: dict[str, Any] = {"env_vars": {}, "mcp_servers": {}, "secrets": [], "integration_ids": []}
    for section in (*bases, own or {}):
        for name, into in merged.items():
            part = section.get(name)
            if isinstance(into, dict):
                into.update(part or {})
            else:
                into.extend(one for one in dict.fromkeys(part or ()) if one not in into)
    return merged


def expand_templates(value: Any, variables: Mapping[str, str], secrets: Mapping[str, str]) -> Any:
    """Data with its templates replaced; a text with one that is not known stays as it is, all of it."""
    if isinstance(value, str):
        found = {one: _lookup_template(one, variables, secrets) for one in _TEMPLATE.findall(value)}
        if None in found.values():
            return value
        return _TEMPLATE.sub(lambda one: found[one[1]] or "", value)
    if isinstance(value, Mapping):
        return {key: expand_templates(child, variables, secrets) for key, child in value.items()}
    return [expand_templates(child, variables, secrets) for child in value] if isinstance(value, list) else value


def _lookup_template(name: str, variables: Mapping[str, str], secrets: Mapping[str, str]) -> str | None:
    if variable := _VARIABLE.fullmatch(name):
        return variables.get(variable[1])
    secret = _SECRET.fullmatch(name)
    return secrets.get(secret[1]) if secret else None
