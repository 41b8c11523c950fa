"""Compute the environment that the control plane gives to an agent or a team, by its observed rules.

It layers environments below the agent or the team and nothing else: no project, no organization, and no team below its
agents. It deletes nothing, takes one value per secret name, and skips a secret that it cannot find.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from envtree.controlplane.desired.desired_resource import DesiredResource, ResourceRef

_TEMPLATE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_VARIABLE = re.compile(r"(?:\.env\.)?([A-Za-z_][A-Za-z0-9_]*)")
_SECRET = re.compile(r"\.secret\.([A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?)")
# The fields, besides MCP servers, in which the server expands its templates; it never does in variables.
TEMPLATED_FIELDS = ("system_prompt", "description", "configuration")

EnvironmentSection = Mapping[str, Any]


class ServerRuntime(NamedTuple):
    """Inputs besides the resources: values of secrets by name, and variables of integrations by id.

    `api_key` is the key of the caller of a run; without one, the variables that only exist in a run are omitted.
    """

    secrets: Mapping[str, str] = {}
    integration_variables: Mapping[str, Mapping[str, str]] = {}
    api_key: str = ""


class ServerView(NamedTuple):
    """The variables, MCP servers and texts that a run gets; `missing_secrets` are those not in the vault."""

    env_vars: dict[str, str]
    mcp_servers: dict[str, Any]
    texts: dict[str, Any]
    missing_secrets: tuple[str, ...]


def server_view(
    subject: DesiredResource, resources: Mapping[ResourceRef, DesiredResource], runtime: ServerRuntime
) -> ServerView:
    """Return an agent or a team as it runs, with its environments in the order in which it names them.

    The server guarantees no order, so the result is only certain where the environments do not disagree.
    """
    state = subject.state
    environments = [resources[ref] for ref in state.get("environment_ids") or () if isinstance(ref, ResourceRef)]
    merged = merge_sections(
        [environment.state.get("execution_environment") or {} for environment in environments],
        state.get("execution_environment"),
    )
    variables = dict(merged["env_vars"])
    if runtime.api_key:
        variables["KUBIYA_API_KEY"] = runtime.api_key
    secrets = {name: runtime.secrets[name] for name in merged["secrets"] if name in runtime.secrets}
    variables |= secrets
    for id in merged["integration_ids"]:
        variables |= runtime.integration_variables.get(id, {})
    template_variables = dict(variables)
    if runtime.api_key:
        variables["MEMORY_DATASET_NAME"] = environments[0].name if environments else "default"
    texts = {
        name: expand_templates(state[name], template_variables, secrets) for name in TEMPLATED_FIELDS if name in state
    }
    missing = tuple(name for name in merged["secrets"] if name not in secrets)
    return ServerView(variables, expand_templates(merged["mcp_servers"], template_variables, secrets), texts, missing)


def merge_sections(bases: Sequence[EnvironmentSection], own: EnvironmentSection | None) -> dict[str, Any]:
    """Merge sections in order: maps by key, each value replaced as a whole, and lists as unions."""
    merged: dict[str, Any] = {"env_vars": {}, "mcp_servers": {}, "secrets": [], "integration_ids": []}
    for section in (*bases, own or {}):
        for name, result in merged.items():
            part = section.get(name)
            if isinstance(result, dict):
                result.update(part or {})
            else:
                result.extend(item for item in dict.fromkeys(part or ()) if item not in result)
    return merged


def expand_templates(value: Any, variables: Mapping[str, str], secrets: Mapping[str, str]) -> Any:
    """Expand the templates in a value; a text with an unknown one stays unchanged as a whole."""
    if isinstance(value, str):
        expansions = {name: _lookup_template(name, variables, secrets) for name in _TEMPLATE.findall(value)}
        if None in expansions.values():
            return value
        return _TEMPLATE.sub(lambda match: expansions[match[1]] or "", value)
    if isinstance(value, Mapping):
        return {key: expand_templates(child, variables, secrets) for key, child in value.items()}
    return [expand_templates(child, variables, secrets) for child in value] if isinstance(value, list) else value


def _lookup_template(name: str, variables: Mapping[str, str], secrets: Mapping[str, str]) -> str | None:
    if variable := _VARIABLE.fullmatch(name):
        return variables.get(variable[1])
    secret = _SECRET.fullmatch(name)
    return secrets.get(secret[1]) if secret else None
