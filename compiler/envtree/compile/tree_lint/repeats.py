"""What all agents of a team say alike, and their team could say once."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.model.diagnostic import Diagnostic, Diagnostics, Related
from envtree.model.fields import scalar, section
from envtree.model.keypath import KeyPath, format_path
from envtree.model.nodes import Document, Node, Scalar
from envtree.model.nodes import Mapping as MappingNode
from envtree.model.span import Span
from envtree.model.workspace import Team, Workspace

_SHOWN = 3


class _Said(NamedTuple):
    """What an agent says of itself."""

    document: Document
    section: MappingNode | None

    def at(self, path: KeyPath) -> Scalar | None:
        """The scalar at a path, if there is one."""
        return scalar(_at(self.section, path))


def check_repeats(workspace: Workspace, diags: Diagnostics) -> None:
    """Report each value that every agent of a team sets, and that its team could set in their place."""
    for project in workspace.projects:
        for team in project.teams:
            if team.document and len(team.agents) > 1:
                _check(team, f"{project.name}/{team.name}", team.document, diags)


def _check(team: Team, path: str, document: Document, diags: Diagnostics) -> None:
    first, *others = [_Said(agent.document, section(agent.document)) for agent in team.agents]
    alike = [(key, node, twins) for key, node in _leaves(first.section).items() if (twins := _twins(key, node, others))]
    for key, node, twins in alike:
        # What the team says in one environment stands over what it says in all.
        if not any(_says(overlay.section, key[:2]) for overlay in team.overlays.values()):
            message = f"all {len(team.agents)} agents of team '{path}' say the same of '{format_path(key)}'"
            hint = f"write it once in '{document.path}'"
            related = tuple(Related(place, "and here") for place in twins[:_SHOWN])
            diags.add(Diagnostic(first.document.span(node), "ET354", message, hint, related, format_path(key)))


def _twins(key: KeyPath, node: Scalar, others: list[_Said]) -> list[Span]:
    """Where all others say the same at a path; nothing if one does not."""
    found = []
    for one in others:
        other = one.at(key)
        if other is None or not _same(node, other):
            return []
        found.append(one.document.span(other))
    return found


def _same(one: Scalar, other: Scalar) -> bool:
    return type(one.value) is type(other.value) and one.text == other.text


def _says(section: MappingNode | None, path: KeyPath) -> bool:
    """Whether a section says something at a path, or below it."""
    node = _at(section, path)
    return node is not None and any(True for _ in _walk(node, path))


def _at(node: Node | None, path: KeyPath) -> Node | None:
    for key in path:
        node = node.entries.get(key) if isinstance(node, MappingNode) else None
    return node


def _leaves(found: MappingNode | None) -> dict[KeyPath, Scalar]:
    return dict(_walk(found, ())) if found else {}


def _walk(node: Node, path: KeyPath) -> Iterator[tuple[KeyPath, Scalar]]:
    """The scalars below maps; what a directive or a list says is left alone."""
    if isinstance(node, Scalar):
        yield path, node
    elif isinstance(node, MappingNode):
        for key, child in node.entries.items():
            if not key.startswith("$"):
                yield from _walk(child, (*path, key))
