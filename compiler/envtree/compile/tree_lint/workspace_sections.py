"""Iterate over the `execution_environment` sections of a workspace."""

from collections.abc import Iterable, Iterator

from envtree.model.fields import get_execution_environment
from envtree.model.nodes import Document, MappingNode
from envtree.model.workspace import Overlay, Project, Workspace


def shared_sections(workspace: Workspace) -> Iterator[MappingNode]:
    """Yield the sections of the organization and its environments."""
    documents: list[Document | None] = [workspace.organization.document]
    documents += [environment.document for environment in workspace.environments.values()]
    yield from _existing_sections(documents, ())


def project_sections(project: Project) -> Iterator[MappingNode]:
    """Yield the sections of a project, its environments, teams and agents, overlays included."""
    documents = [project.document, *(environment.document for environment in project.environments.values())]
    overlays = list(project.overlays.values())
    for team in project.teams:
        documents += [team.document, *(agent.document for agent in team.agents)]
        overlays += team.overlays.values()
        overlays += [overlay for agent in team.agents for overlay in agent.overlays.values()]
    yield from _existing_sections(documents, overlays)


def _existing_sections(documents: Iterable[Document | None], overlays: Iterable[Overlay]) -> Iterator[MappingNode]:
    for section in [*map(get_execution_environment, documents), *(overlay.section for overlay in overlays)]:
        if section:
            yield section
