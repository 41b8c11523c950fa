"""The sections of a workspace, wherever they stand."""

from collections.abc import Iterable, Iterator

from envtree.model.fields import section
from envtree.model.nodes import Document, Mapping
from envtree.model.workspace import Overlay, Project, Workspace


def shared_sections(workspace: Workspace) -> Iterator[Mapping]:
    """Those of the organization and its environments."""
    documents: list[Document | None] = [workspace.organization.document]
    documents += [one.document for one in workspace.environments.values()]
    yield from _sections(documents, ())


def project_sections(project: Project) -> Iterator[Mapping]:
    """Those of a project, its environments, teams and agents."""
    documents = [project.document, *(one.document for one in project.environments.values())]
    overlays = list(project.overlays.values())
    for team in project.teams:
        documents += [team.document, *(agent.document for agent in team.agents)]
        overlays += team.overlays.values()
        overlays += [overlay for agent in team.agents for overlay in agent.overlays.values()]
    yield from _sections(documents, overlays)


def _sections(documents: Iterable[Document | None], overlays: Iterable[Overlay]) -> Iterator[Mapping]:
    for found in [*map(section, documents), *(overlay.section for overlay in overlays)]:
        if found:
            yield found
