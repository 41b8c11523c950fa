"""The stage `link`: validated resources go in, a `Workspace` comes out.

Names are resolved, environments get their order of inheritance, and teams and agents their targets.
"""

from collections.abc import Iterable

from envtree.diagnostics.codes import CODES, is_read_failure
from envtree.diagnostics.deduplicate import deduplicate_findings
from envtree.frontend.link.copied_ciphertext import ciphertext_digests, find_copied_ciphertext
from envtree.frontend.link.creation_rules import read_creation_rules
from envtree.frontend.link.declared_readers import check_people_keys, index_public_keys, project_readers
from envtree.frontend.link.entity_lookup import EntityLookup, check_team_runtimes
from envtree.frontend.link.environments import project_environments, root_environments
from envtree.frontend.link.mixins import MixinUses, check_mixin_readers, link_mixins
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
    """Link resources to a workspace without dangling references, which are reported and left out."""
    unreadable = _unreadable_paths(diags)
    workspace = _add_projects(_link_root(resources, unreadable, diags), resources, unreadable, diags)
    findings = Diagnostics()
    check_project_keys(workspace.projects, findings)
    _check_secrets_files(resources, workspace, unreadable, findings)
    diags.extend(deduplicate_findings(findings, (resource.document for resource in resources)))
    return workspace


def link_root(resources: Resources, diags: Diagnostics) -> Workspace:
    """Link the resources outside of projects."""
    unreadable = _unreadable_paths(diags)
    workspace = _link_root(resources, unreadable, diags)
    _check_secrets_files(resources, workspace, unreadable, findings := Diagnostics())
    diags.extend(deduplicate_findings(findings, (resource.document for resource in resources)))
    return workspace


def link_projects(root: Workspace, resources: Resources, diags: Diagnostics) -> Workspace:
    """Add the projects among the resources to a linked root.

    Checks across projects, such as that of duplicate keys, are left to the caller.
    """
    unreadable = _unreadable_paths(diags)
    root_paths = {config.path for config in root.sops_configs}
    configs = [
        read_creation_rules(config, diags)
        for config in resources.sops_configs
        if config.document.path not in root_paths
    ]
    workspace = _add_projects(root._replace(sops_configs=(*root.sops_configs, *configs)), resources, unreadable, diags)
    _check_secrets_files(resources, workspace, unreadable, findings := Diagnostics())
    diags.extend(deduplicate_findings(findings, (resource.document for resource in resources)))
    return workspace


def _link_root(resources: Resources, unreadable: frozenset[str], diags: Diagnostics) -> Workspace:
    root_resources = [resource for resource in resources if not resource.location.project]
    # The intent of a policy with an error in its file is unknown, so the policy is left out.
    broken = frozenset(finding.span.path for finding in diags if CODES[finding.code].is_fixed)
    findings = Diagnostics()
    workspace = Workspace(
        organization=link_organization(resources, findings),
        environments=root_environments(resources, findings),
        mixins=link_mixins(resources, findings),
        projects=(),
        policies=tuple(policy for policy in link_policies(resources, findings) if policy.span.path not in broken),
        other_documents={kind: resources.documents(kind) for kind in _KINDS_WITHOUT_BUNDLES},
        sops_configs=tuple(read_creation_rules(config, findings) for config in resources.sops_configs),
    )
    check_people_keys(workspace.organization.document, findings)
    entities = EntityLookup(workspace, resources.name_index)
    check_references(root_resources, workspace, entities, findings, people_known=ROOT_FILE not in unreadable)
    diags.extend(deduplicate_findings(findings, (resource.document for resource in root_resources)))
    return workspace


def _add_projects(root: Workspace, resources: Resources, unreadable: frozenset[str], diags: Diagnostics) -> Workspace:
    project_resources = [resource for resource in resources if resource.location.project]
    findings = Diagnostics()
    environments = {
        name: project_environments(name, root.environments, resources, unreadable, findings)
        for name in resources.projects()
    }
    uses = MixinUses(root.mixins)
    projects = tuple(link_project(name, resources, visible, uses, findings) for name, visible in environments.items())
    workspace = root._replace(projects=projects)
    entities = EntityLookup(workspace, resources.name_index)
    check_references(project_resources, workspace, entities, findings, people_known=ROOT_FILE not in unreadable)
    check_mixin_readers(workspace, findings)
    is_self_contained = check_team_runtimes(workspace, entities, unreadable, findings)
    diags.extend(deduplicate_findings(findings, (resource.document for resource in project_resources)))
    return workspace._replace(has_external_references=entities.was_queried, is_self_contained=is_self_contained)


def _unreadable_paths(diags: Diagnostics) -> frozenset[str]:
    """Return the paths of the files that could not be read. Their documents are empty, so their content is unknown."""
    return frozenset(finding.span.path for finding in diags if is_read_failure(finding.code))


def _check_secrets_files(
    resources: Iterable[Resource], workspace: Workspace, unreadable: frozenset[str], diags: Diagnostics
) -> None:
    """Check every secrets file against the policy of the organization, before anything may decrypt it.

    If organization.yaml cannot be read, the policy is unknown, and nothing will be decrypted.
    """
    organization = workspace.organization.document
    policy, people = workspace.organization.secrets_policy, index_public_keys(organization)
    rule_checker = SopsRuleChecker(workspace.sops_configs, policy, people)
    readable = [
        (resource, resource.secrets_file)
        for resource in resources
        if resource.secrets_file and resource.secrets_file.is_readable
    ]
    for resource, secrets_file in readable:
        check_scope(secrets_file, policy, diags)
        check_value_lengths(secrets_file, diags)
        if ROOT_FILE not in unreadable:
            check_secrets_policy(secrets_file, policy, organization, diags)
            readers = project_readers(workspace, resource.location.project)
            if readers and readers.is_reliable:
                check_readers(secrets_file, policy, readers, diags)
            diags.extend(rule_checker.check(secrets_file, readers))
    diags.extend(find_copied_ciphertext(secrets_file for _, secrets_file in readable))


__all__ = ["ciphertext_digests", "link", "link_projects", "link_root"]
