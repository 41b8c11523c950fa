"""What organization.yaml declares once for everybody."""

import re
from collections.abc import Mapping as Map
from typing import Any

from envtree.diagnostics.codes import CODES
from envtree.diagnostics.suggest import did_you_mean
from envtree.frontend.link.control_plane import link_control_plane
from envtree.frontend.link.keywords import is_pattern
from envtree.frontend.link.output import link_output
from envtree.model.diagnostic import Diagnostic, Diagnostics, Severity
from envtree.model.fields import field, flag, mapping, scalar_fields, text, texts
from envtree.model.keypath import KeyPath, parse_path
from envtree.model.nodes import Document, Mapping, Scalar, Sequence
from envtree.model.resource import Resources
from envtree.model.secrets_file import SecretsPolicy
from envtree.model.source import Kind
from envtree.model.workspace import ByKey, Contract, Input, Organization

_CODE = re.compile("ET[0-9]{3}")
_SEVERITIES = frozenset(Severity)
_DEFAULT_KEY_TYPES = frozenset({"age", "pgp"})


def link_organization(resources: Resources, diags: Diagnostics) -> Organization:
    """The organization of a tree; discovery has made sure that there is one."""
    document = resources.document(Kind.ORGANIZATION, "")
    assert document is not None
    return Organization(
        document,
        scalar_fields(document),
        _list_policies(document, diags),
        contracts(document, diags),
        flag(field(document, "strict_variables")),
        _inputs(document),
        _severities(document, diags),
        secrets_policy(document),
        resources.secrets(Kind.ORGANIZATION, ""),
        link_output(document, diags),
        link_control_plane(document),
    )


def contracts(document: Document | None, diags: Diagnostics) -> dict[str, Contract]:
    """The variable contracts that a file declares; a pattern that RE2 cannot read is reported."""
    declared = mapping(field(document, "variables"))
    if document is None or declared is None:
        return {}
    found = {}
    for name, node in declared.entries.items():
        if isinstance(node, Mapping):
            _check_pattern(name, node, document, diags)
            found[name] = Contract(_rules(node), document.key_span(declared, name))
    return found


def _rules(node: Mapping) -> dict[str, Any]:
    """The declaration's data, but the allowed values as they are written: variables are compared as text."""
    allowed = node.entries.get("enum")
    if not isinstance(allowed, Sequence):
        return node.value
    return {**node.value, "enum": [item.text for item in allowed.items if isinstance(item, Scalar)]}


def _check_pattern(name: str, node: Mapping, document: Document, diags: Diagnostics) -> None:
    pattern = node.entries.get("pattern")
    if not isinstance(pattern, Scalar) or not isinstance(pattern.value, str):
        return
    if not is_pattern(pattern.value):
        message = f"the pattern of variable '{name}' is not a regular expression that RE2 reads"
        hint = "close what is open in it; look-around and back-references are not available"
        diags.add(Diagnostic(document.span(pattern), "ET215", message, hint, key=f"variables.{name}.pattern"))


def _list_policies(document: Document, diags: Diagnostics) -> dict[KeyPath, str | ByKey]:
    declared = mapping(field(document, "merge"))
    policies: dict[KeyPath, str | ByKey] = {}
    for path, node in (declared.entries if declared else {}).items():
        assert declared is not None
        policy: str | ByKey | None = text(node)
        if isinstance(node, Mapping):
            policy = ByKey(text(node.entries.get("by_key")) or "name")
        if policy is None:
            continue
        try:
            policies[parse_path(path)] = policy
        except ValueError as wrong:
            place = document.key_span(declared, path)
            diags.add(Diagnostic(place, "ET207", f"'{path}' is not a dotted path: {wrong}", key="merge"))
    return policies


def _inputs(document: Document) -> dict[str, Input]:
    declared = mapping(field(document, "inputs"))
    found = {}
    for name, node in (declared.entries if declared else {}).items():
        default = node.entries.get("default") if isinstance(node, Mapping) else None
        env = text(node.entries.get("env")) if isinstance(node, Mapping) else None
        value = default.text if isinstance(default, Scalar) and default.value is not None else None
        found[name] = Input(env or name, value, document.span(node))
    return found


def _severities(document: Document, diags: Diagnostics) -> Map[str, str]:
    declared = mapping(field(document, "lint"))
    found = {}
    for code, node in (declared.entries if declared else {}).items():
        assert declared is not None
        severity = text(node)
        if not _CODE.fullmatch(code) or severity not in _SEVERITIES:
            continue  # told by the schema
        if code in CODES and not CODES[code].fixed:
            found[code] = severity
            continue
        movable = [name for name, known in CODES.items() if not known.fixed]
        message, hint = f"there is no code '{code}'", did_you_mean(code, movable)
        if code in CODES:
            message, hint = f"the severity of '{code}' is fixed", "remove the line: what it finds would spoil a bundle"
        diags.add(Diagnostic(document.key_span(declared, code), "ET204", message, hint, key="lint"))
    return found


def secrets_policy(document: Document) -> SecretsPolicy:
    """What organization.yaml allows of secrets files."""
    key_types = field(document, "secrets", "key_types")
    return SecretsPolicy(
        frozenset(str(item.value) for item in texts(key_types)) if key_types else _DEFAULT_KEY_TYPES,
        tuple(str(item.value) for item in texts(field(document, "secrets", "endpoints"))),
        flag(field(document, "secrets", "require_scope")),
    )
