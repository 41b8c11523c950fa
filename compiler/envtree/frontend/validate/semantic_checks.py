"""Check rules beyond the schema: names, expressions, templates, paths of secrets, numbers and reserved names."""

import re
from collections.abc import Iterator
from typing import Any

from envtree import EDITION
from envtree.frontend.validate.execution_environment import (
    EXECUTION_ENVIRONMENT,
    directive_operand,
    execution_environments,
    is_directive,
    is_directive_key,
    to_bundle_path,
    unwrap_directive,
    walk,
    walk_outside_layers,
)
from envtree.frontend.validate.message_text import format_key, quote_value, truncate
from envtree.frontend.validate.reserved_names import reserved_reason
from envtree.model.diagnostic import Diagnostic
from envtree.model.expression import has_expression
from envtree.model.fields import is_true
from envtree.model.keypath import KeyPath, format_path, parse_path
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode, SequenceNode
from envtree.model.source import Kind
from envtree.model.span import Mark, Span

_TEMPLATE = re.compile(r"(?<!\$)\{\{.*?\}\}")
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_KNOWN_TEMPLATE = re.compile(
    rf"\{{\{{(?:{_NAME}|\.env\.{_NAME}|\.secret\.[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?|\.graph\.[A-Za-z0-9._-]+)\}}\}}"
)
_EXPANDED_KEYS = frozenset({"mcp_servers", "system_prompt", "description", "configuration", "instructions"})
_TEMPLATE_HINT = "the forms are {{name}}, {{.env.NAME}}, {{.secret.name}} and {{.graph.id}}, without blanks"


def may_contain_templates(text: bytes) -> bool:
    """Report whether the JSON of a file has `{{` that does not begin an expression of envtree."""
    return b"{{" in text.replace(b"${{", b"")


def check_templates(document: Document) -> Iterator[Diagnostic]:
    """Report templates that the control plane does not expand, so that the agent gets them as written."""
    for path, node in walk(document.root):
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and "{{" in node.value:
            yield from _check_text(document, path, node, node.value)


def _check_text(document: Document, path: KeyPath, node: ScalarNode, text: str) -> Iterator[Diagnostic]:
    templates = _TEMPLATE.findall(text)
    key, quoted_key = format_path(to_bundle_path(path)), format_key(path)
    if templates and "env_vars" in path:
        message = f"{quoted_key} holds a template, and the control plane expands none in variables"
        hint = "write ${{ … }} to have envtree compute it"
        yield Diagnostic(document.span(node), "ET253", message, hint, key=key)
    elif _EXPANDED_KEYS.intersection(path) and any(not _KNOWN_TEMPLATE.fullmatch(template) for template in templates):
        message = (
            f"{quoted_key} holds a template that the control plane does not know: it leaves the whole text as it is"
        )
        yield Diagnostic(document.span(node), "ET253", message, _TEMPLATE_HINT, key=key)


_NAMED_BY_PATH = frozenset({Kind.ENVIRONMENT, Kind.POLICY, Kind.SKILL, Kind.WORKER_QUEUE, Kind.JOB})
_EXPRESSION_HINT = f"write the value itself: expressions work in values inside '{EXECUTION_ENVIRONMENT}' of a layer"


def check_name(document: Document) -> Iterator[Diagnostic]:
    """Report a `name` other than the one in the path, which others refer to."""
    node = document.root.entries.get("name")
    path_name = document.location.name
    if document.location.kind not in _NAMED_BY_PATH or not isinstance(node, ScalarNode):
        return
    if isinstance(node.value, str) and node.value != path_name:
        message = f"'name' is {quote_value(node.value)}, expected '{path_name}', the name in the path"
        hint = "remove the line, for the path gives the name, or move the file"
        yield Diagnostic(document.span(node), "ET208", message, hint, key="name")


def with_name(document: Document, data: dict[str, Any]) -> dict[str, Any]:
    """Return the data of a file with the name in the path if `name` is missing, so that the schema checks that name."""
    if document.location.kind not in _NAMED_BY_PATH or "name" in data:
        return data
    return {**data, "name": document.location.name}


def check_own(document: Document) -> Iterator[Diagnostic]:
    """Report `own: true` in a file that is not an environment of one project."""
    kind, project, team, name = document.location[:4]
    node = document.root.entries.get("own")
    if not is_true(node) or kind not in (Kind.ENVIRONMENT, Kind.OVERLAY) or (kind is Kind.ENVIRONMENT and project):
        return
    if team:
        message, hint = f"'own' is true, but team '{team}' has no environments of its own", "remove 'own'"
    elif project:
        message = f"'own' is true, but the organization declares environment '{name}'"
        hint = f"remove 'own' if this is an overlay of environments/{name}.yaml, or else rename this file"
    else:
        message, hint = f"'own' is true, but environment '{name}' is one of the organization", "remove 'own'"
    yield Diagnostic(document.span(node or document.root), "ET331", message, hint, key="own")


def check_edition(document: Document) -> Iterator[Diagnostic]:
    """Report an edition with a fraction: to JSON Schema, `2026.0` is an integer, too."""
    node = document.root.entries.get("edition")
    if document.location.kind is Kind.ORGANIZATION and isinstance(node, ScalarNode) and isinstance(node.value, float):
        message = f"'edition' is {truncate(node.text)}, expected {EDITION}"
        yield Diagnostic(document.span(node), "ET204", message, "write it without a fraction", key="edition")


def check_expressions(document: Document) -> Iterator[Diagnostic]:
    """Report `${{` outside the values of an `execution_environment`."""
    for path, node in walk_outside_layers(document):
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and has_expression(node.value):
            message = f"{format_key(path)} holds an expression where none is evaluated"
            yield _finding(document.span(node), "ET210", path, message, _EXPRESSION_HINT)


def check_expression_keys(document: Document) -> Iterator[Diagnostic]:
    """Report `${{` in keys."""
    maps = ((path, node) for path, node in walk(document.root) if isinstance(node, MappingNode))
    for path, node in maps:
        for key in node.entries:
            if has_expression(key):
                message = f"the key {quote_value(key)} holds an expression, but none is evaluated in a key"
                yield _finding(document.key_span(node, key), "ET210", (*path, key), message, "write the key itself")


def check_secret_paths(document: Document) -> Iterator[Diagnostic]:
    """Report values of `secrets` that are not dotted paths."""
    for path, section in execution_environments(document):
        node = unwrap_directive(section.entries["secrets"]) if "secrets" in section.entries else None
        for key, child in node.entries.items() if isinstance(node, MappingNode) else ():
            value = unwrap_directive(child)
            if (
                isinstance(value, ScalarNode)
                and isinstance(value.value, str)
                and value.value
                and not _is_key_path(value.value)
            ):
                key_path = (*path, "secrets", key)
                # The value is not quoted, because it may be the secret itself.
                message = f"{format_key(key_path)} is not the path of a secret, expected segments with '.' between them"
                yield _finding(
                    document.span(value), "ET205", key_path, message, "double-quote a segment that has a dot in it"
                )


def check_rounded_numbers(document: Document) -> Iterator[Diagnostic]:
    """Report numbers that lose their last zeros, except in variables, which are text as written."""
    for path, node in walk(document.root) if document.rounded_marks else ():
        if isinstance(node, ScalarNode) and node.mark in document.rounded_marks and not _is_text_path(path):
            message = f"{format_key(path)} is the number {node.value}: its last zeros are gone"
            hint = f'write "{node.text}" if it is text, such as a version, or {node.value} if it is not'
            yield _finding(document.span(node), "ET153", path, message, hint)


def _is_text_path(path: KeyPath) -> bool:
    """Report whether values at a path are text as written: variables, and the contracts of variables."""
    return "env_vars" in path or path[:1] == ("variables",)


def check_reserved_names(document: Document) -> Iterator[Diagnostic]:
    """Report variables with reserved names."""
    for path, section in execution_environments(document):
        for field in ("env_vars", "secrets"):
            node = section.entries.get(field)
            for variable, mark in _iter_variable_names(unwrap_directive(node)) if node is not None else ():
                reason = reserved_reason(variable)
                if reason:
                    message = f"{quote_value(variable)} is a reserved name: {reason}"
                    yield _finding(
                        Span(document.path, *mark), "ET751", (*path, field, variable), message, "use another name"
                    )


def _iter_variable_names(node: Node) -> Iterator[tuple[str, Mark]]:
    """Yield the names of variables that a section sets, with their marks."""
    if isinstance(node, SequenceNode):
        yield from ((str(item.value), item.mark) for item in node.items if isinstance(item, ScalarNode))
    elif isinstance(node, MappingNode):
        for key, child in node.entries.items():
            if not is_directive_key(key) and (type(child) is ScalarNode or not _is_deletion(child)):
                yield key, node.key_marks[key]


def _is_deletion(node: Node) -> bool:
    return is_directive(node) and directive_operand(node) is None


def _is_key_path(text: str) -> bool:
    try:
        parse_path(text)
    except ValueError:
        return False
    return True


def _finding(span: Span, code: str, path: KeyPath, message: str, hint: str) -> Diagnostic:
    return Diagnostic(span, code, message, hint, key=format_path(path))
