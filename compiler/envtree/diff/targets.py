"""Which lines made a bundle appear or vanish."""

from collections.abc import Iterator
from typing import NamedTuple

from envtree.diff.causes import Side
from envtree.diff.edits import in_documents
from envtree.diff.model import Cause
from envtree.node import Document
from envtree.workspace import Workspace

# A bundle is a target of all of these, where they say anything of it.
_FIELDS = ("targets", "abstract")


class _Files(NamedTuple):
    """The files that decide whether there is a bundle, the most telling first."""

    agent: Document | None
    environment: Document | None
    team: Document | None
    project: Document | None


def target_causes(id: str, base: Side | None, head: Side) -> tuple[Cause, ...]:
    """Why only one of the trees has a bundle: a new or removed file, or the line that chooses environments."""
    before = _files(base.workspace, id) if base else _Files(None, None, None, None)
    after = _files(head.workspace, id)
    whole = [cause for one, other in zip(before, after, strict=True) for cause in _whole(one, other)]
    return tuple(dict.fromkeys(whole[:1] or _lines(before, after)))


def _whole(base: Document | None, head: Document | None) -> Iterator[Cause]:
    if base is None and head:
        yield Cause(head.path, 1, "added")
    elif head is None and base:
        yield Cause(base.path, 1, "removed")


def _lines(base: _Files, head: _Files) -> Iterator[Cause]:
    for one, other in zip(base, head, strict=True):
        for name in _FIELDS:
            if one and other:
                yield from in_documents(one, other, other.path, name)


def _files(workspace: Workspace, id: str) -> _Files:
    place, _, environment = id.partition("@")
    name, *teams, agent = place.split("/")
    project = next((one for one in workspace.projects if one.name == name), None)
    if project is None:
        return _Files(None, _document(workspace.environments.get(environment)), None, None)
    team = next((one for one in project.teams if one.name == "".join(teams)), None)
    found = next((one for one in team.agents if one.name == agent), None) if team else None
    return _Files(
        _document(found), _document(project.environments.get(environment)), _document(team), _document(project)
    )


def _document(entity: object) -> Document | None:
    found = getattr(entity, "document", None)
    return found if isinstance(found, Document) else None
