"""Connect the files: every name points at something, every environment knows its order, every team its targets."""

from collections.abc import Iterable

from envtree.diagnostics.codes import CODES, is_read_failure
from envtree.diagnostics.deduplicate import deduplicate_findings
from envtree.frontend.link.copied_ciphertext import ciphertext_digests, find_copied_ciphertext
from envtree.frontend.link.creation_rules import read_creation_rules
from envtree.frontend.link.declared_readers import check_people_keys, index_public_keys, project_readers
from envtree.frontend.link.entity_lookup import EntityLookup, check_team_runtimes
from envtree.frontend.link.environments import project_environments, root_environments
from envtree.frontend.link.organization import link_organization
from envtree.frontend.link.policies import link_policies
from envtree.frontend.link.projects import check_project_keys, link_project
from envtree.frontend.link.references import check_references
from envtree.frontend.link.secrets_file_checks import (
    check_readers,
    check_scope,
    check_secrets_policy,
    check_value_lengths,
)
from envtree.frontend.link.sops_rule_checks import SopsRuleChecker
from envtree.model.diagnostic import Diagnostics
from envtree.model.resource import Resource, Resources
from envtree.model.source import Kind
from envtree.model.tree_layout import ROOT_FILE
from envtree.model.workspace import Workspace

_KINDS_WITHOUT_BUNDLES = (Kind.POLICY, Kind.SKILL, Kind.WORKER_QUEUE, Kind.JOB)


def link(resources: Resources, diags: Diagnostics) -> Workspace:
    """Resources to a workspace in which nothing dangles; what does is reported and left out."""
    unread = _unreadable_paths(diags)
    workspace = _add_projects(_link_root(resources, unread, diags), resources, unread, diags)
    findings = Diagnostics()
    check_project_keys(workspace.projects, findings)
    _check_secrets_files(resources, workspace, unread, findings)
    diags.extend(deduplicate_findings(findings, (resource.document for resource in resources)))
    return workspace


def link_root(resources: Resources, diags: Diagnostics) -> Workspace:
    """What stands outside of projects, without them."""
    unread = _unreadable_paths(diags)
    workspace = _link_root(resources, unread, diags)
    _check_secrets_files(resources, workspace, unread, findings := Diagnostics())
    diags.extend(deduplicate_findings(findings, (resource.document for resource in resources)))
    return workspace


def link_projects(root: Workspace, resources: Resources, diags: Diagnostics) -> Workspace:
    """The same with the projects that there are among the resources.

    What can only be told of several projects is left to whoever knows all of them.
    """
    unread, known = _unreadable_paths(diags), {one.path for one in root.sops_configs}
    rules = [read_creation_rules(one, diags) for one in resources.sops_configs if one.document.path not in known]
    workspace = _add_projects(root._replace(sops_configs=(*root.sops_configs, *rules)), resources, unread, diags)
    _check_secrets_files(resources, workspace, unread, findings := Diagnostics())
    diags.extend(deduplicate_findings(findings, (resource.document for resource in resources)))
    return workspace


def _link_root(resources: Resources, unread: frozenset[str], diags: Diagnostics) -> Workspace:
    own = [one for one in resources if not one.location.project]
    # Nobody knows what a policy with an error in its file was to be.
    broken = frozenset(finding.span.path for finding in diags if CODES[finding.code].is_fixed)
    findings = Diagnostics()
    workspace = Workspace(
        link_organization(resources, findings),
        root_environments(resources, findings),
        (),
        tuple(policy for policy in link_policies(resources, findings) if policy.span.path not in broken),
        {kind: resources.documents(kind) for kind in _KINDS_WITHOUT_BUNDLES},
        tuple(read_creation_rules(one, findings) for one in resources.sops_configs),
    )
    check_people_keys(workspace.organization.document, findings)
    entities = EntityLookup(workspace, resources.name_index)
    check_references(own, workspace, entities, findings, people_known=ROOT_FILE not in unread)
    diags.extend(deduplicate_findings(findings, (resource.document for resource in own)))
    return workspace


def _add_projects(root: Workspace, resources: Resources, unread: frozenset[str], diags: Diagnostics) -> Workspace:
    own = [one for one in resources if one.location.project]
    findings = Diagnostics()
    projects = tuple(
        link_project(name, resources, project_environments(name, root.environments, resources, findings), findings)
        for name in resources.projects()
    )
    workspace = root._replace(projects=projects)
    entities = EntityLookup(workspace, resources.name_index)
    check_references(own, workspace, entities, findings, people_known=ROOT_FILE not in unread)
    known = check_team_runtimes(workspace, entities, unread, findings)
    diags.extend(deduplicate_findings(findings, (resource.document for resource in own)))
    return workspace._replace(has_external_references=entities.was_queried, is_self_contained=known)


def _unreadable_paths(diags: Diagnostics) -> frozenset[str]:
    """The files that could not be read, and stand as empty ones: of their runtime nothing is known."""
    return frozenset(finding.span.path for finding in diags if is_read_failure(finding.code))


def _check_secrets_files(
    resources: Iterable[Resource], workspace: Workspace, unread: frozenset[str], diags: Diagnostics
) -> None:
    """Check every secrets file against what the organization allows, before anything may decrypt it.

    If that is not known, because its file cannot be read, nothing will.
    """
    organization = workspace.organization.document
    policy, people = workspace.organization.secrets_policy, index_public_keys(organization)
    rules = SopsRuleChecker(workspace.sops_configs, policy, people)
    sound = [(one, one.secrets_file) for one in resources if one.secrets_file and one.secrets_file.is_readable]
    for resource, sealed in sound:
        check_scope(sealed, policy, diags)
        check_value_lengths(sealed, diags)
        if ROOT_FILE not in unread:
            check_secrets_policy(sealed, policy, organization, diags)
            who = project_readers(workspace, resource.location.project)
            if who and who.is_reliable:
                check_readers(sealed, policy, who, diags)
            diags.extend(rules.check(sealed, who))
    diags.extend(find_copied_ciphertext(sealed for _, sealed in sound))


__all__ = ["ciphertext_digests", "link", "link_projects", "link_root"]
