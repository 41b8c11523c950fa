"""The `execution_environment` of agents, teams and environments: flat, all text, and secrets by their names."""

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from envtree.model.fields import as_mapping
from envtree.model.fields import get_execution_environment as section_of
from envtree.model.keypath import KeyPath
from envtree.model.nodes import Document, Node, ScalarNode
from envtree.model.nodes import SequenceNode as List
from envtree.model.output_settings import KubernetesSettings
from envtree.model.resolved import Bundle, HiddenValue, hidden_parts
from envtree.output.emit.bundle_variables import collect_variables, prepare_writer_input
from envtree.output.emit.comparison_key import comparison_key
from envtree.output.emit.reference import secret_reference

# The sections that the control plane has; it has no place for `config`, `endpoints` and `feature_flags`.
SECTION_PARTS = ("env_vars", "secrets", "integration_ids", "mcp_servers")

_SECRET_EXPRESSION = re.compile(r"\$\{\{ secrets\[(\"(?:[^\"\\]|\\.)*\")\] \}\}")
# What the control plane's own templates take as the name of a secret.
_SECRET_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")


class FlatEnvironment(NamedTuple):
    """The environment of one agent or team: `section` is what is sent, without its empty parts.

    `lost` are the places of secrets inside MCP servers that cannot be said there, `unknown` the variables whose value
    this run does not know.
    """

    section: dict[str, Any]
    unrepresentable_secrets: tuple[KeyPath, ...]
    unknown_variables: tuple[str, ...]


def flatten_environment(bundle: Bundle, patterns: Mapping[str, str]) -> FlatEnvironment:
    """What a bundle is at the control plane."""
    found = collect_variables(bundle, patterns)
    # Without a mode nothing secret is among the texts.
    given = prepare_writer_input(found, None, bundle.data, KubernetesSettings())
    holders = _secret_variables(found.values)
    servers, lost = _template_servers(bundle.data["mcp_servers"], holders)
    section = {
        "env_vars": given.texts,
        "secrets": sorted(given.references),
        "integration_ids": [one for one in bundle.data["integration_ids"] if isinstance(one, str)],
        "mcp_servers": servers,
        "working_dir": bundle.data["working_dir"],
    }
    shown = {name: part for name, part in section.items() if part and not isinstance(part, HiddenValue)}
    return FlatEnvironment(shown, tuple(lost), given.unknown_names)


def common_section(documents: Sequence[Document], sections: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What an environment has of its own files at the control plane: only what all who run in it have the same.

    The server merges it below agents and teams, and knows no deletion: anything else would come up where it must not.
    """
    written = _declared_section(documents)
    if not sections:
        written["env_vars"] = {name: text for name, text in written["env_vars"].items() if text is not None}
        return {name: part for name, part in written.items() if part and name != "mcp_servers"}
    first, *rest = sections
    found: dict[str, Any] = {}
    for name in SECTION_PARTS:
        kept = _shared_entries(first.get(name), written[name], [one.get(name) for one in rest])
        found |= {name: kept} if kept else {}
    return found


def _shared_entries(part: Any, allowed: Container[str], others: Iterable[Any]) -> Any:
    """Of one's map or list what is ours, and all others have too."""
    others = list(others)
    if isinstance(part, Mapping):
        return {
            key: value
            for key, value in part.items()
            if key in allowed and all(_has_entry(one, key, value) for one in others)
        }
    return [value for value in part or () if value in allowed and all(value in (one or ()) for one in others)]


def _has_entry(other: Any, key: str, value: Any) -> bool:
    return isinstance(other, Mapping) and key in other and other[key] == value


def _declared_section(documents: Iterable[Document]) -> dict[str, Any]:
    """What the files of an environment set, as far as it stands there as it is."""
    found: dict[str, Any] = {"env_vars": {}, "secrets": [], "integration_ids": [], "mcp_servers": {}}
    for document in documents:
        entries = node.entries if (node := section_of(document)) else {}
        found["env_vars"] |= {name: _literal_text(one) for name, one in _entries(entries.get("env_vars")).items()}
        found["mcp_servers"] |= {name: one.value for name, one in _entries(entries.get("mcp_servers")).items()}
        for part in ("secrets", "integration_ids"):
            found[part] += [name for name in _entry_names(entries.get(part)) if name not in found[part]]
    return found


def _entries(node: Node | None) -> dict[str, Node]:
    found = as_mapping(node)
    return {key: child for key, child in found.entries.items() if not key.startswith("$")} if found else {}


def _entry_names(node: Node | None) -> list[str]:
    if isinstance(node, List):
        return [str(item.value) for item in node.items if isinstance(item, ScalarNode)]
    return list(_entries(node))


def _literal_text(node: Node) -> str | None:
    return node.text if isinstance(node, ScalarNode) and "${{" not in node.text else None


def _secret_variables(values: Mapping[str, Any]) -> dict[bytes, str]:
    """The variables that hold a secret, by the mark of their value and by where it is kept."""
    found: dict[bytes, str] = {}
    for name, value in values.items():
        if isinstance(value, HiddenValue) and value.secret and _SECRET_NAME.fullmatch(name):
            found.setdefault(comparison_key(value), name)
            kept = secret_reference(value).get("$secret")
            if kept:
                found.setdefault(kept.encode(), name)
    return found


def _template_servers(servers: Any, holders: Mapping[bytes, str]) -> tuple[dict[str, Any], list[KeyPath]]:
    """MCP servers with the control plane's templates in the place of secrets; one that cannot be said is left out."""
    kept, lost = {}, []
    for name, server in servers.items() if isinstance(servers, dict) else ():
        wrong = [
            path
            for path, part in hidden_parts(server, ("mcp_servers", name))
            if _secret_template(part, holders) is None
        ]
        lost += wrong
        if not wrong:
            kept[name] = _fill_templates(server, holders)
    return kept, lost


def _fill_templates(value: Any, holders: Mapping[bytes, str]) -> Any:
    if isinstance(value, HiddenValue):
        return _secret_template(value, holders)
    if isinstance(value, dict):
        return {key: _fill_templates(child, holders) for key, child in value.items()}
    return [_fill_templates(child, holders) for child in value] if isinstance(value, list) else value


def _secret_template(value: HiddenValue, holders: Mapping[bytes, str]) -> str | None:
    """The control plane's template that gives a secret text, if one of its variables, or several, hold it."""
    if not value.secret:
        return None
    name = holders.get(comparison_key(value))
    reference = secret_reference(value)
    name = name or holders.get(reference.get("$secret", "").encode())
    if name:
        return f"{{{{.secret.{name}}}}}"
    text = _SECRET_EXPRESSION.sub(
        lambda found: _template_for_quoted_name(found[1], holders), reference.get("$template", "${{")
    )
    return None if "${{" in text else text


def _template_for_quoted_name(quoted: str, holders: Mapping[bytes, str]) -> str:
    name = holders.get(json.loads(quoted).encode())
    return f"{{{{.secret.{name}}}}}" if name else "${{"
