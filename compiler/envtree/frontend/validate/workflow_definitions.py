"""Workflows as text: the control plane reads them as JSON, so they must be JSON."""

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
    """A `workflow_definition` that is text holds one JSON object."""
    for path, holder in _definition_holders(document):
        node = holder.entries.get(_DEFINITION_KEY)
        where = (*path, _DEFINITION_KEY)
        # An empty text is too short already.
        if isinstance(node, ScalarNode) and isinstance(node.value, str) and node.value and not _is_object(node.value):
            hint = "write the workflow as a map" if document.location.kind is Kind.WORKFLOW else "write '{…}' in quotes"
            message = f"{format_key(where)} is text that is not a JSON object"
            yield Diagnostic(document.span(node), "ET205", message, hint, key=format_path(where))


def _definition_holders(document: Document) -> Iterator[tuple[KeyPath, MappingNode]]:
    """The maps of a file that may hold a definition."""
    entries = document.root.entries
    if document.location.kind is Kind.WORKFLOW:
        yield (), document.root
    if document.location.kind is Kind.SKILL and (own := as_mapping(entries.get("configuration"))):
        yield ("configuration",), own
    if document.location.kind in (Kind.AGENT, Kind.TEAM) and (all_ := as_mapping(entries.get("skill_configurations"))):
        for skill, node in all_.entries.items():
            if isinstance(node, MappingNode):
                yield ("skill_configurations", skill), node


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
