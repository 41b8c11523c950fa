"""Find values that all agents of a team set alike, and that the team could set once."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, Diagnostics, RelatedSpan
from envtree.model.fields import as_scalar, get_execution_environment
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, MappingNode, Node, ScalarNode
from envtree.model.span import Span
from envtree.model.workspace import Team, Workspace

_MAX_RELATED = 3


class _AgentSection(NamedTuple):
    """The `execution_environment` of an agent's own file."""

    document: Document
    section: MappingNode | None

    def scalar_at(self, path: KeyPath) -> ScalarNode | None:
        """Return the scalar at a path, None if there is none."""
        return as_scalar(_node_at(self.section, path))


def check_duplicate_values(workspace: Workspace, diags: Diagnostics) -> None:
    """Report each value that every agent of a team sets alike, and that the team could set instead."""
    for project in workspace.projects:
        for team in project.teams:
            if team.document and len(team.agents) > 1:
                _check_team(team, f"{project.name}/{team.name}", team.document, diags)


def _check_team(team: Team, path: str, document: Document, diags: Diagnostics) -> None:
    first, *others = [_AgentSection(agent.document, get_execution_environment(agent.document)) for agent in team.agents]
    duplicates = [
        (key, node, spans)
        for key, node in _scalars(first.section).items()
        if (spans := _duplicate_spans(key, node, others))
    ]
    for key, node, spans in duplicates:
        # A value that the team sets in one environment would override the one that it sets in all.
        if not any(_has_scalar(overlay.section, key[:2]) for overlay in team.overlays.values()):
            message = f"all {len(team.agents)} agents of team '{path}' say the same of '{format_path(key)}'"
            hint = f"write it once in '{document.path}'"
            related = tuple(RelatedSpan(span, "and here") for span in spans[:_MAX_RELATED])
            diags.add(Diagnostic(first.document.span(node), "ET354", message, hint, related, format_path(key)))


def _duplicate_spans(key: KeyPath, node: ScalarNode, others: list[_AgentSection]) -> list[Span]:
    """Return the places where all other agents set an equal value; an empty list if one of them does not."""
    spans = []
    for agent in others:
        scalar = agent.scalar_at(key)
        if scalar is None or not _is_equal(node, scalar):
            return []
        spans.append(agent.document.span(scalar))
    return spans


def _is_equal(left: ScalarNode, right: ScalarNode) -> bool:
    return type(left.value) is type(right.value) and left.text == right.text


def _has_scalar(section: MappingNode | None, path: KeyPath) -> bool:
    """Report whether a section has a scalar at a path or below it."""
    node = _node_at(section, path)
    return node is not None and any(True for _ in _walk_scalars(node, path))


def _node_at(node: Node | None, path: KeyPath) -> Node | None:
    for key in path:
        node = node.entries.get(key) if isinstance(node, MappingNode) else None
    return node


def _scalars(section: MappingNode | None) -> dict[KeyPath, ScalarNode]:
    return dict(_walk_scalars(section, ())) if section else {}


def _walk_scalars(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, ScalarNode]]:
    """Yield the scalars inside maps with their paths; directives and lists are skipped."""
    if isinstance(node, ScalarNode):
        yield path, node
    elif isinstance(node, MappingNode):
        for key, child in node.entries.items():
            if not key.startswith("$"):
                yield from _walk_scalars(child, (*path, key))
