"""Connect the files: every name points at something, every environment knows its order, every team its targets."""

from envtree.codes import CODES, is_unread
from envtree.diagnostic import Diagnostics
from envtree.layout import ROOT_FILE
from envtree.link.copies import copies
from envtree.link.creation_rules import read_rules
from envtree.link.entities import Entities
from envtree.link.environments import project_environments, root_environments
from envtree.link.members import check_members
from envtree.link.organization import link_organization
from envtree.link.policies import link_policies
from envtree.link.projects import check_keys, link_project
from envtree.link.readers import everybody, readers_of
from envtree.link.references import check_references
from envtree.link.rule_checks import RuleChecks
from envtree.link.sealed import check_lengths, check_policy, check_readers, check_scope
from envtree.mistake import distinct
from envtree.resource import Resources
from envtree.source import Kind
from envtree.workspace import Workspace

_OTHERS = (Kind.POLICY, Kind.SKILL, Kind.WORKER_QUEUE, Kind.JOB)


def link(resources: Resources, diags: Diagnostics) -> Workspace:
    """Resources to a workspace in which nothing dangles; what does is reported and left out."""
    # A file that could not be read stands as an empty one: of its runtime nothing is known.
    unread = frozenset(finding.span.path for finding in diags if is_unread(finding.code))
    # Nobody knows what a policy with an error in its file was to be.
    broken = frozenset(finding.span.path for finding in diags if CODES[finding.code].fixed)
    findings = Diagnostics()
    workspace = _link(resources, unread, broken, findings)
    diags.extend(distinct(findings, (resource.document for resource in resources)))
    return workspace


def _link(resources: Resources, unread: frozenset[str], broken: frozenset[str], diags: Diagnostics) -> Workspace:
    organization = link_organization(resources, diags)
    environments = root_environments(resources, diags)
    projects = tuple(
        link_project(name, resources, project_environments(name, environments, resources, diags), diags)
        for name in resources.projects()
    )
    workspace = Workspace(
        organization,
        environments,
        projects,
        tuple(policy for policy in link_policies(resources, diags) if policy.span.path not in broken),
        {kind: tuple(resources.documents(kind)) for kind in _OTHERS},
        tuple(read_rules(one, diags) for one in resources.rules),
    )
    entities = Entities(workspace, resources.elsewhere)
    is_known = ROOT_FILE not in unread
    check_references(resources, workspace, entities, diags, people_known=is_known)
    check_members(workspace, entities, unread, diags)
    check_keys(projects, diags)
    _check_sealed(resources, workspace, diags, is_known=is_known)
    return workspace


def _check_sealed(resources: Resources, workspace: Workspace, diags: Diagnostics, *, is_known: bool) -> None:
    """Check every secrets file against what the organization allows, before anything may decrypt it.

    If that is not known, because its file cannot be read, nothing will.
    """
    organization = workspace.organization.document
    policy, people = workspace.organization.secrets_policy, everybody(organization)
    rules = RuleChecks(workspace.rules, policy, people)
    sound = [(one, one.sealed) for one in resources if one.sealed and one.sealed.readable]
    for resource, sealed in sound:
        check_scope(sealed, policy, diags)
        check_lengths(sealed, diags)
        if is_known:
            check_policy(sealed, policy, organization, diags)
            who = readers_of(workspace, resource.location.project)
            if who:
                check_readers(sealed, policy, who, diags)
            diags.extend(rules.check(sealed, who))
    diags.extend(copies(sealed for _, sealed in sound))


__all__ = ["link"]
