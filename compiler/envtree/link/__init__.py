"""Connect the files: every name points at something, every environment knows its order, every team its targets."""

from envtree.diagnostic import Diagnostics
from envtree.link.environments import project_environments, root_environments
from envtree.link.organization import link_organization, readers
from envtree.link.policies import link_policies
from envtree.link.projects import check_keys, link_project
from envtree.link.references import check_references
from envtree.link.sealed import check_policy, check_scope
from envtree.resource import Resources
from envtree.source import Kind
from envtree.workspace import Organization, Workspace

_OTHERS = (Kind.POLICY, Kind.SKILL, Kind.WORKER_QUEUE, Kind.JOB)


def link(resources: Resources, diags: Diagnostics) -> Workspace:
    """Resources to a workspace in which nothing dangles; what does is reported and left out."""
    organization = link_organization(resources, diags)
    environments = root_environments(resources, diags)
    projects = tuple(
        link_project(name, resources, project_environments(name, environments, resources, diags), organization, diags)
        for name in resources.projects()
    )
    workspace = Workspace(
        organization,
        environments,
        projects,
        link_policies(resources, diags),
        {kind: tuple(resources.documents(kind)) for kind in _OTHERS},
    )
    check_references(resources, workspace, diags)
    check_keys(projects, diags)
    _check_sealed(resources, organization, diags)
    return workspace


def _check_sealed(resources: Resources, organization: Organization, diags: Diagnostics) -> None:
    """Check every secrets file against what the organization allows, before anything may decrypt it."""
    for resource in resources:
        if resource.sealed and resource.sealed.readable:
            project = resources.document(Kind.PROJECT, "", resource.location.project)
            who = readers(project, organization.document)
            check_policy(resource.sealed, organization.secrets_policy, who, diags)
            check_scope(resource.sealed, organization.secrets_policy, diags)


__all__ = ["link"]
