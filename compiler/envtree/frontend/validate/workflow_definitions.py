"""Check workflows that are written as text, which the control plane parses as JSON."""

from collections.abc import Iterator

import orjson

from envtree.frontend.validate.message_text import format_key
from envtree.model.diagnostic import Diagnostic
from envtree.model.fields import as_mapping
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, MappingNode, ScalarNode
from envtree.model.source import Kind

_DEFINITION_KEY = "workflow_definition"


def check_workflow_definitions(document: Document) -> Iterator[Diagnostic]:
    """Report each `workflow_definition` that is a text but not one JSON object."""
    for path, parent in _definition_parents(document):
        node = parent.entries.get(_DEFINITION_KEY)
        key_path = (*path, _DEFINITION_KEY)
        # An empty text is reported by the schema check.
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value and not _is_object(node.value):
            hint = "write the workflow as a map" if document.location.kind is Kind.WORKFLOW else "write '{…}' in quotes"
            message = f"{format_key(key_path)} is text that is not a JSON object"
            yield Diagnostic(document.span(node), "ET205", message, hint, key=format_path(key_path))


def _definition_parents(document: Document) -> Iterator[tuple[KeyPath, MappingNode]]:
    """Yield the maps of a file that may contain a definition."""
    entries = document.root.entries
    if document.location.kind is Kind.WORKFLOW:
        yield (), document.root
    if document.location.kind is Kind.SKILL and (configuration := as_mapping(entries.get("configuration"))):
        yield ("configuration",), configuration
    if document.location.kind in (Kind.AGENT, Kind.TEAM) and (
        configurations := as_mapping(entries.get("skill_configurations"))
    ):
        for skill, node in configurations.entries.items():
            if isinstance(node, MappingNode):
                yield ("skill_configurations", skill), node


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
