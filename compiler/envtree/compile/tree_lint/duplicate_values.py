"""What all agents of a team say alike, and their team could say once."""

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
    """What an agent says of itself."""

    document: Document
    section: MappingNode | None

    def scalar_at(self, path: KeyPath) -> ScalarNode | None:
        """The scalar at a path, if there is one."""
        return as_scalar(_node_at(self.section, path))


def check_duplicate_values(workspace: Workspace, diags: Diagnostics) -> None:
    """Report each value that every agent of a team sets, and that its team could set in their place."""
    for project in workspace.projects:
        for team in project.teams:
            if team.document and len(team.agents) > 1:
                _check_team(team, f"{project.name}/{team.name}", team.document, diags)


def _check_team(team: Team, path: str, document: Document, diags: Diagnostics) -> None:
    first, *others = [_AgentSection(agent.document, get_execution_environment(agent.document)) for agent in team.agents]
    alike = [
        (key, node, twins)
        for key, node in _scalars(first.section).items()
        if (twins := _duplicate_spans(key, node, others))
    ]
    for key, node, twins in alike:
        # What the team says in one environment stands over what it says in all.
        if not any(_has_scalar(overlay.section, key[:2]) for overlay in team.overlays.values()):
            message = f"all {len(team.agents)} agents of team '{path}' say the same of '{format_path(key)}'"
            hint = f"write it once in '{document.path}'"
            related = tuple(RelatedSpan(place, "and here") for place in twins[:_MAX_RELATED])
            diags.add(Diagnostic(first.document.span(node), "ET354", message, hint, related, format_path(key)))


def _duplicate_spans(key: KeyPath, node: ScalarNode, others: list[_AgentSection]) -> list[Span]:
    """Where all others say the same at a path; nothing if one does not."""
    found = []
    for one in others:
        other = one.scalar_at(key)
        if other is None or not _is_equal(node, other):
            return []
        found.append(one.document.span(other))
    return found


def _is_equal(left: ScalarNode, right: ScalarNode) -> bool:
    return type(left.value) is type(right.value) and left.text == right.text


def _has_scalar(section: MappingNode | None, path: KeyPath) -> bool:
    """Whether a section says something at a path, or below it."""
    node = _node_at(section, path)
    return node is not None and any(True for _ in _walk_scalars(node, path))


def _node_at(node: Node | None, path: KeyPath) -> Node | None:
    for key in path:
        node = node.entries.get(key) if isinstance(node, MappingNode) else None
    return node


def _scalars(section_node: MappingNode | None) -> dict[KeyPath, ScalarNode]:
    return dict(_walk_scalars(section_node, ())) if section_node else {}


def _walk_scalars(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, ScalarNode]]:
    """The scalars below maps; what a directive or a list says is left alone."""
    if isinstance(node, ScalarNode):
        yield path, node
    elif isinstance(node, MappingNode):
        for key, child in node.entries.items():
            if not key.startswith("$"):
                yield from _walk_scalars(child, (*path, key))
