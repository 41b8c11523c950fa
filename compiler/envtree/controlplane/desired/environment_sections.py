"""The flat `execution_environment` of agents, teams and environments: texts only, secrets by name."""

import json
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from envtree.model.fields import as_mapping, get_execution_environment
from envtree.model.keypath import KeyPath
from envtree.model.nodes import Document, Node, ScalarNode, SequenceNode
from envtree.model.output_settings import KubernetesSettings
from envtree.model.resolved import Bundle, HiddenValue, hidden_parts
from envtree.output.emit.bundle_variables import collect_variables, prepare_writer_input
from envtree.output.emit.comparison_key import comparison_key
from envtree.output.emit.reference import secret_reference

# The parts that the control plane supports; it has none for `config`, `endpoints` and `feature_flags`.
SECTION_PARTS = ("env_vars", "secrets", "integration_ids", "mcp_servers")

_SECRET_EXPRESSION = re.compile(r"\$\{\{ secrets\[(\"(?:[^\"\\]|\\.)*\")\] \}\}")
# The names of secrets that the control plane's own templates accept.
_SECRET_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?")


class FlatEnvironment(NamedTuple):
    """The environment of one agent or team: `section` is sent, without its empty parts.

    `unrepresentable_secrets` are the paths of secrets inside MCP servers that the control plane's templates cannot
    express, `unknown_variables` the variables whose values this run does not know.
    """

    section: dict[str, Any]
    unrepresentable_secrets: tuple[KeyPath, ...]
    unknown_variables: tuple[str, ...]


def flatten_environment(bundle: Bundle, patterns: Mapping[str, str]) -> FlatEnvironment:
    """Return the environment of a bundle as the control plane gets it."""
    variables = collect_variables(bundle, patterns)
    # Without a mode the texts contain no secrets.
    writer_input = prepare_writer_input(variables, None, bundle.data, KubernetesSettings())
    names_by_key = _secret_variables(variables.values)
    servers, unrepresentable = _template_servers(bundle.data["mcp_servers"], names_by_key)
    section = {
        "env_vars": writer_input.texts,
        "secrets": sorted(writer_input.references),
        "integration_ids": [id for id in bundle.data["integration_ids"] if isinstance(id, str)],
        "mcp_servers": servers,
        "working_dir": bundle.data["working_dir"],
    }
    present = {name: part for name, part in section.items() if part and not isinstance(part, HiddenValue)}
    return FlatEnvironment(present, tuple(unrepresentable), writer_input.unknown_names)


def common_section(documents: Sequence[Document], sections: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return an environment's own section: the entries of its files that all its agents and teams have.

    The server merges it below agents and teams and cannot delete an entry, so any other entry would reach agents that
    must not have it.
    """
    declared = _declared_section(documents)
    if not sections:
        declared["env_vars"] = {name: text for name, text in declared["env_vars"].items() if text is not None}
        return {name: part for name, part in declared.items() if part and name != "mcp_servers"}
    first, *rest = sections
    common: dict[str, Any] = {}
    for name in SECTION_PARTS:
        shared = _shared_entries(first.get(name), declared[name], [section.get(name) for section in rest])
        common |= {name: shared} if shared else {}
    return common


def _shared_entries(part: Any, allowed: Container[str], other_parts: Iterable[Any]) -> Any:
    """Return the entries of a map or list that are allowed and that all others have too."""
    other_parts = list(other_parts)
    if isinstance(part, Mapping):
        return {
            key: value
            for key, value in part.items()
            if key in allowed and all(_has_entry(other_part, key, value) for other_part in other_parts)
        }
    return [
        value
        for value in part or ()
        if value in allowed and all(value in (other_part or ()) for other_part in other_parts)
    ]


def _has_entry(part: Any, key: str, value: Any) -> bool:
    return isinstance(part, Mapping) and key in part and part[key] == value


def _declared_section(documents: Iterable[Document]) -> dict[str, Any]:
    """Return the entries that the files of an environment set; None for a text with an expression."""
    section: dict[str, Any] = {"env_vars": {}, "secrets": [], "integration_ids": [], "mcp_servers": {}}
    for document in documents:
        entries = node.entries if (node := get_execution_environment(document)) else {}
        section["env_vars"] |= {name: _literal_text(child) for name, child in _entries(entries.get("env_vars")).items()}
        section["mcp_servers"] |= {name: child.value for name, child in _entries(entries.get("mcp_servers")).items()}
        for part in ("secrets", "integration_ids"):
            section[part] += [name for name in _entry_names(entries.get(part)) if name not in section[part]]
    return section


def _entries(node: Node | None) -> dict[str, Node]:
    mapping = as_mapping(node)
    return {key: child for key, child in mapping.entries.items() if not key.startswith("$")} if mapping else {}


def _entry_names(node: Node | None) -> list[str]:
    if isinstance(node, SequenceNode):
        return [str(item.value) for item in node.items if isinstance(item, ScalarNode)]
    return list(_entries(node))


def _literal_text(node: Node) -> str | None:
    return node.text if isinstance(node, ScalarNode) and "${{" not in node.text else None


def _secret_variables(values: Mapping[str, Any]) -> dict[bytes, str]:
    """Return the names of secret variables by comparison key, and by reference to the secrets file."""
    names_by_key: dict[bytes, str] = {}
    for name, value in values.items():
        if isinstance(value, HiddenValue) and value.secret and _SECRET_NAME.fullmatch(name):
            names_by_key.setdefault(comparison_key(value), name)
            reference = secret_reference(value).get("$secret")
            if reference:
                names_by_key.setdefault(reference.encode(), name)
    return names_by_key


def _template_servers(servers: Any, names_by_key: Mapping[bytes, str]) -> tuple[dict[str, Any], list[KeyPath]]:
    """Return MCP servers with secrets as the control plane's templates; omit one that cannot be expressed.

    The second result are the paths of the secrets that are no variable.
    """
    templated, unrepresentable = {}, []
    for name, server in servers.items() if isinstance(servers, dict) else ():
        missing = [
            path
            for path, part in hidden_parts(server, ("mcp_servers", name))
            if _secret_template(part, names_by_key) is None
        ]
        unrepresentable += missing
        if not missing:
            templated[name] = _fill_templates(server, names_by_key)
    return templated, unrepresentable


def _fill_templates(value: Any, names_by_key: Mapping[bytes, str]) -> Any:
    if isinstance(value, HiddenValue):
        return _secret_template(value, names_by_key)
    if isinstance(value, dict):
        return {key: _fill_templates(child, names_by_key) for key, child in value.items()}
    return [_fill_templates(child, names_by_key) for child in value] if isinstance(value, list) else value


def _secret_template(value: HiddenValue, names_by_key: Mapping[bytes, str]) -> str | None:
    """Return the template that gives a secret text; None unless its secrets are all variables."""
    if not value.secret:
        return None
    name = names_by_key.get(comparison_key(value))
    reference = secret_reference(value)
    name = name or names_by_key.get(reference.get("$secret", "").encode())
    if name:
        return f"{{{{.secret.{name}}}}}"
    text = _SECRET_EXPRESSION.sub(
        lambda match: _template_for_quoted_name(match[1], names_by_key), reference.get("$template", "${{")
    )
    return None if "${{" in text else text


def _template_for_quoted_name(quoted: str, names_by_key: Mapping[bytes, str]) -> str:
    name = names_by_key.get(json.loads(quoted).encode())
    return f"{{{{.secret.{name}}}}}" if name else "${{"
