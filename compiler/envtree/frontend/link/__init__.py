"""Connect the files: every name points at something, every environment knows its order, every team its targets."""

from collections.abc import Iterable

from envtree.diagnostics.codes import CODES, is_unread
from envtree.diagnostics.deduplicate import distinct
from envtree.frontend.link.copies import copies, fingerprints
from envtree.frontend.link.creation_rules import read_rules
from envtree.frontend.link.entities import Entities
from envtree.frontend.link.environments import project_environments, root_environments
from envtree.frontend.link.members import check_members
from envtree.frontend.link.organization import link_organization
from envtree.frontend.link.people import check_people
from envtree.frontend.link.policies import link_policies
from envtree.frontend.link.projects import check_keys, link_project
from envtree.frontend.link.readers import everybody, readers_of
from envtree.frontend.link.references import check_references
from envtree.frontend.link.rule_checks import RuleChecks
from envtree.frontend.link.sealed import check_lengths, check_policy, check_readers, check_scope
from envtree.model.diagnostic import Diagnostics
from envtree.model.resource import Resource, Resources
from envtree.model.source import Kind
from envtree.model.tree_layout import ROOT_FILE
from envtree.model.workspace import Workspace

_OTHERS = (Kind.POLICY, Kind.SKILL, Kind.WORKER_QUEUE, Kind.JOB)


def link(resources: Resources, diags: Diagnostics) -> Workspace:
    """Resources to a workspace in which nothing dangles; what does is reported and left out."""
    unread = _unread(diags)
    workspace = _with_projects(_root(resources, unread, diags), resources, unread, diags)
    findings = Diagnostics()
    check_keys(workspace.projects, findings)
    _check_sealed(resources, workspace, unread, findings)
    diags.extend(distinct(findings, (resource.document for resource in resources)))
    return workspace


def link_root(resources: Resources, diags: Diagnostics) -> Workspace:
    """What stands outside of projects, without them."""
    unread = _unread(diags)
    workspace = _root(resources, unread, diags)
    _check_sealed(resources, workspace, unread, findings := Diagnostics())
    diags.extend(distinct(findings, (resource.document for resource in resources)))
    return workspace


def link_projects(root: Workspace, resources: Resources, diags: Diagnostics) -> Workspace:
    """The same with the projects that there are among the resources.

    What can only be told of several projects is left to whoever knows all of them.
    """
    unread, known = _unread(diags), {one.path for one in root.rules}
    rules = [read_rules(one, diags) for one in resources.rules if one.document.path not in known]
    workspace = _with_projects(root._replace(rules=(*root.rules, *rules)), resources, unread, diags)
    _check_sealed(resources, workspace, unread, findings := Diagnostics())
    diags.extend(distinct(findings, (resource.document for resource in resources)))
    return workspace


def _root(resources: Resources, unread: frozenset[str], diags: Diagnostics) -> Workspace:
    own = [one for one in resources if not one.location.project]
    # Nobody knows what a policy with an error in its file was to be.
    broken = frozenset(finding.span.path for finding in diags if CODES[finding.code].fixed)
    findings = Diagnostics()
    workspace = Workspace(
        link_organization(resources, findings),
        root_environments(resources, findings),
        (),
        tuple(policy for policy in link_policies(resources, findings) if policy.span.path not in broken),
        {kind: resources.documents(kind) for kind in _OTHERS},
        tuple(read_rules(one, findings) for one in resources.rules),
    )
    check_people(workspace.organization.document, findings)
    entities = Entities(workspace, resources.index)
    check_references(own, workspace, entities, findings, people_known=ROOT_FILE not in unread)
    diags.extend(distinct(findings, (resource.document for resource in own)))
    return workspace


def _with_projects(root: Workspace, resources: Resources, unread: frozenset[str], diags: Diagnostics) -> Workspace:
    own = [one for one in resources if one.location.project]
    findings = Diagnostics()
    projects = tuple(
        link_project(name, resources, project_environments(name, root.environments, resources, findings), findings)
        for name in resources.projects()
    )
    workspace = root._replace(projects=projects)
    entities = Entities(workspace, resources.index)
    check_references(own, workspace, entities, findings, people_known=ROOT_FILE not in unread)
    known = check_members(workspace, entities, unread, findings)
    diags.extend(distinct(findings, (resource.document for resource in own)))
    return workspace._replace(is_mentioning=entities.was_asked, is_self_contained=known)


def _unread(diags: Diagnostics) -> frozenset[str]:
    """The files that could not be read, and stand as empty ones: of their runtime nothing is known."""
    return frozenset(finding.span.path for finding in diags if is_unread(finding.code))


def _check_sealed(
    resources: Iterable[Resource], workspace: Workspace, unread: frozenset[str], diags: Diagnostics
) -> None:
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
        if ROOT_FILE not in unread:
            check_policy(sealed, policy, organization, diags)
            who = readers_of(workspace, resource.location.project)
            if who and who.sure:
                check_readers(sealed, policy, who, diags)
            diags.extend(rules.check(sealed, who))
    diags.extend(copies(sealed for _, sealed in sound))


__all__ = ["fingerprints", "link", "link_projects", "link_root"]
