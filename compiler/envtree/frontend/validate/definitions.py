"""Workflows as text: the control plane reads them as JSON, so they must be JSON."""

from collections.abc import Iterator

import orjson

from envtree.frontend.validate.wording import name
from envtree.model.diagnostic import Diagnostic
from envtree.model.fields import mapping
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, Mapping, Scalar
from envtree.model.source import Kind

_KEY = "workflow_definition"


def check_definitions(document: Document) -> Iterator[Diagnostic]:
    """A `workflow_definition` that is text holds one JSON object."""
    for path, holder in _holders(document):
        node = holder.entries.get(_KEY)
        where = (*path, _KEY)
        # An empty text is too short already.
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value and not _is_object(node.value):
            hint = "write the workflow as a map" if document.location.kind is Kind.WORKFLOW else "write '{…}' in quotes"
            message = f"{name(where)} is text that is not a JSON object"
            yield Diagnostic(document.span(node), "ET205", message, hint, key=format_path(where))


def _holders(document: Document) -> Iterator[tuple[KeyPath, Mapping]]:
    """The maps of a file that may hold a definition."""
    entries = document.root.entries
    if document.location.kind is Kind.WORKFLOW:
        yield (), document.root
    if document.location.kind is Kind.SKILL and (own := mapping(entries.get("configuration"))):
        yield ("configuration",), own
    if document.location.kind in (Kind.AGENT, Kind.TEAM) and (all_ := mapping(entries.get("skill_configurations"))):
        for skill, node in all_.entries.items():
            if isinstance(node, Mapping):
                yield ("skill_configurations", skill), node


def _is_object(text: str) -> bool:
    try:
        return isinstance(orjson.loads(text), dict)
    except orjson.JSONDecodeError:
        return False
