"""Assemble the resolved values of one target into its bundle, independent of any output format."""

from typing import Any

from envtree.model.resolved import Bundle, InjectedSecret, Resolved
from envtree.model.workspace import Organization

_ENV_VARS = frozenset({"env_vars"})


def assemble(resolved: Resolved, organization: Organization) -> Bundle:
    """Return one bundle: its data is the content of `bundle.json` without the digest; hidden values stay hidden."""
    target = resolved.target
    model = resolved.merged.model
    sections = resolved.sections
    data: dict[str, Any] = {
        "id": target.id,
        "organization": organization.fields["name"],
        "project": target.project,
        "environment": target.environment,
        "team": target.team or None,
        "agent": target.agent,
        "model_id": model[0].value if model else None,
        "env_vars": resolved.env_vars,
        "config": sections.get("config", {}),
        "endpoints": sections.get("endpoints", {}),
        "feature_flags": sections.get("feature_flags", {}),
        "integration_ids": sections.get("integration_ids", []),
        "mcp_servers": sections.get("mcp_servers", {}),
        "working_dir": sections.get("working_dir"),
        "secrets": {name: _secret_entry(injection) for name, injection in resolved.injected.items()},
        "sensitive": list(resolved.sensitive),
    }
    hidden_keys = frozenset(name for name in sections if resolved.merged.sections[name].is_dynamic) | _ENV_VARS
    return Bundle(target, data, frozenset(resolved.sensitive), hidden_keys)


def _secret_entry(injection: InjectedSecret) -> dict[str, str]:
    return {"source": injection.source, "path": injection.path}
