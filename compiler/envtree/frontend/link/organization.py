"""Link organization.yaml: contracts, merge policies, inputs, severities, secrets policy, output and control plane."""

import re
from collections.abc import Mapping as Map
from typing import Any

from envtree.diagnostics.codes import CODES
from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.link.output import link_output
from envtree.frontend.link.path_policies import link_path_policies
from envtree.frontend.link.schema_keywords import is_re2_pattern
from envtree.model.control_plane_settings import ControlPlaneSettings, NamePatterns
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity
from envtree.model.fields import as_mapping, get_field, get_text, get_text_scalars, is_true, scalar_fields
from envtree.model.nodes import Document, MappingNode, ScalarNode, SequenceNode
from envtree.model.resource import Resources
from envtree.model.secrets_file import SecretsPolicy
from envtree.model.source import Kind
from envtree.model.workspace import Contract, Input, Organization


def link_control_plane(document: Document) -> ControlPlaneSettings:
    """Return the settings of the control plane; the section, even empty, declares that the tree describes one."""
    section = as_mapping(get_field(document, "control_plane"))
    if section is None:
        return ControlPlaneSettings()
    names = {name: get_text(get_field(document, "control_plane", "names", name)) for name in NamePatterns._fields}
    return ControlPlaneSettings(
        name_patterns=NamePatterns()._replace(**{name: pattern for name, pattern in names.items() if pattern}),
        workflows="none" if get_text(section.entries.get("workflows")) == "none" else "skill",
        provider_source=get_text(get_field(document, "control_plane", "terraform", "source"))
        or ControlPlaneSettings().provider_source,
        declared_at=document.key_span(document.root, "control_plane"),
    )


_CODE = re.compile("ET[0-9]{3}")
_SEVERITIES = frozenset(Severity)
_DEFAULT_KEY_TYPES = frozenset({"age", "pgp"})


def link_organization(resources: Resources, diags: Diagnostics) -> Organization:
    """Return the organization of a tree, which must have an organization.yaml."""
    document = resources.document(Kind.ORGANIZATION, "")
    assert document is not None
    return Organization(
        document=document,
        fields=scalar_fields(document),
        policies_by_path=link_path_policies(document, diags),
        contracts=read_contracts(document, diags),
        strict=is_true(get_field(document, "strict_variables")),
        inputs=_read_inputs(document),
        lint_severities=_read_severities(document, diags),
        secrets_policy=read_secrets_policy(document),
        secrets=resources.secrets_file(Kind.ORGANIZATION, ""),
        output=link_output(document, diags),
        control_plane=link_control_plane(document),
    )


def read_contracts(document: Document | None, diags: Diagnostics) -> dict[str, Contract]:
    """Return the variable contracts that a file declares; report patterns that RE2 cannot read."""
    declared = as_mapping(get_field(document, "variables"))
    if document is None or declared is None:
        return {}
    contracts = {}
    for name, node in declared.entries.items():
        if isinstance(node, MappingNode):
            _check_pattern(name, node, document, diags)
            contracts[name] = Contract(_contract_rules(node), document.key_span(declared, name))
    return contracts


def _contract_rules(node: MappingNode) -> dict[str, Any]:
    """Return the rules of a contract, with `enum` values as written, because variables are compared as text."""
    allowed = node.entries.get("enum")
    if not isinstance(allowed, SequenceNode):
        return node.value
    return {**node.value, "enum": [item.text for item in allowed.items if isinstance(item, ScalarNode)]}


def _check_pattern(name: str, node: MappingNode, document: Document, diags: Diagnostics) -> None:
    pattern = node.entries.get("pattern")
    if not isinstance(pattern, ScalarNode) or not isinstance(pattern.value, str):
        return
    if not is_re2_pattern(pattern.value):
        message = f"the pattern of variable '{name}' is not a regular expression that RE2 reads"
        hint = "close what is open in it; look-around and back-references are not available"
        diags.add(Diagnostic(document.span(pattern), "ET215", message, hint, key=f"variables.{name}.pattern"))


def _read_inputs(document: Document) -> dict[str, Input]:
    declared = as_mapping(get_field(document, "inputs"))
    inputs = {}
    for name, node in (declared.entries if declared else {}).items():
        default = node.entries.get("default") if isinstance(node, MappingNode) else None
        env = get_text(node.entries.get("env")) if isinstance(node, MappingNode) else None
        value = default.text if isinstance(default, ScalarNode) and default.value is not None else None
        inputs[name] = Input(env or name, value, document.span(node))
    return inputs


def _read_severities(document: Document, diags: Diagnostics) -> Map[str, str]:
    declared = as_mapping(get_field(document, "lint"))
    severities = {}
    for code, node in (declared.entries if declared else {}).items():
        assert declared is not None
        severity = get_text(node)
        if not _CODE.fullmatch(code) or severity not in _SEVERITIES:
            continue  # reported by the schema check
        if code in CODES and not CODES[code].is_fixed:
            severities[code] = severity
            continue
        candidates = [name for name, info in CODES.items() if not info.is_fixed]
        message, hint = f"there is no code '{code}'", did_you_mean(code, candidates)
        if code in CODES:
            message, hint = f"the severity of '{code}' is fixed", "remove the line: what it finds would spoil a bundle"
        diags.add(Diagnostic(document.key_span(declared, code), "ET204", message, hint, key="lint"))
    return severities


def read_secrets_policy(document: Document) -> SecretsPolicy:
    """Return the restrictions that organization.yaml puts on secrets files."""
    key_types = get_field(document, "secrets", "key_types")
    return SecretsPolicy(
        key_types=frozenset(str(item.value) for item in get_text_scalars(key_types))
        if key_types
        else _DEFAULT_KEY_TYPES,
        endpoints=tuple(str(item.value) for item in get_text_scalars(get_field(document, "secrets", "endpoints"))),
        require_scope=is_true(get_field(document, "secrets", "require_scope")),
    )
