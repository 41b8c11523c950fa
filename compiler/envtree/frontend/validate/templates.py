"""`{{…}}` of the control plane: where it expands none, and forms that it does not know, which it leaves as they are."""

import re
from collections.abc import Iterator

from envtree.frontend.validate.execution_environment import to_bundle_path, walk
from envtree.frontend.validate.message_text import format_key
from envtree.model.diagnostic import Diagnostic
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, ScalarNode

_TEMPLATE = re.compile(r"(?<!\$)\{\{.*?\}\}")
_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_KNOWN_TEMPLATE = re.compile(
    rf"\{{\{{(?:{_NAME}|\.env\.{_NAME}|\.secret\.[A-Za-z0-9](?:[A-Za-z0-9_-]*[A-Za-z0-9])?|\.graph\.[A-Za-z0-9._-]+)\}}\}}"
)
_EXPANDED_KEYS = frozenset({"mcp_servers", "system_prompt", "description", "configuration", "instructions"})
_TEMPLATE_HINT = "the forms are {{name}}, {{.env.NAME}}, {{.secret.name}} and {{.graph.id}}, without blanks"


def may_contain_templates(text: bytes) -> bool:
    """Whether there are braces in the JSON of a file that begin no expression of ours."""
    return b"{{" in text.replace(b"${{", b"")


def check_templates(document: Document) -> Iterator[Diagnostic]:
    """Report templates that reach the agent as they are."""
    for path, node in walk(document.root):
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and "{{" in node.value:
            yield from _check_text(document, path, node, node.value)


def _check_text(document: Document, path: KeyPath, node: ScalarNode, text: str) -> Iterator[Diagnostic]:
    templates = _TEMPLATE.findall(text)
    key, told = format_path(to_bundle_path(path)), format_key(path)
    if templates and "env_vars" in path:
        message = f"{told} holds a template, and the control plane expands none in variables"
        hint = "write ${{ … }} to have envtree compute it"
        yield Diagnostic(document.span(node), "ET253", message, hint, key=key)
    elif _EXPANDED_KEYS.intersection(path) and any(not _KNOWN_TEMPLATE.fullmatch(one) for one in templates):
        message = f"{told} holds a template that the control plane does not know: it leaves the whole text as it is"
        yield Diagnostic(document.span(node), "ET253", message, _TEMPLATE_HINT, key=key)
