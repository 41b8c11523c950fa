"""Environments, teams, agents and projects as resources, with their execution environments."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envtree.controlplane.desired.desired_resource import DesiredLink, DesiredResource, ResourceRef
from envtree.controlplane.desired.environment_sections import FlatEnvironment, common_section
from envtree.controlplane.desired.resource_lookup import (
    EnvironmentInstance,
    ResourceLookup,
    field_span,
    pick_fields,
    report_unsupported,
)
from envtree.model.bundle_entities import EntityIndex
from envtree.model.diagnostic import Diagnostics
from envtree.model.fields import get_field
from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.model.resolved import Bundle
from envtree.model.source import Kind
from envtree.model.span import file_span
from envtree.model.workspace import Project

# The project that the control plane creates itself and puts every agent and team into.
DEFAULT_PROJECT_KEY = "DEFAULT"

_ENVIRONMENT_FIELDS = ("display_name", "description", "tags", "settings")
_TEAM_FIELDS = ("description", "runtime")
_AGENT_FIELDS = (
    "description",
    "system_prompt",
    "runtime",
    "llm_config",
    "capabilities",
    "configuration",
    "runner_name",
)
_PROJECT_FIELDS = ("description", "goals", "visibility", "default_model", "restrict_to_environment", "settings")

FlatEnvironments = Mapping[Target, FlatEnvironment]


def environment_resources(lookup: ResourceLookup, flat_environments: FlatEnvironments) -> Iterator[DesiredResource]:
    """Yield the environments, each with the section that all its agents and teams share."""
    projects = {project.name: project for project in lookup.workspace.projects}
    for instance in lookup.environment_instances:
        document, environment = instance.environment.document, instance.environment
        sections = [flat.section for target, flat in flat_environments.items() if _runs_in(target, instance)]
        environments = projects[instance.project].environments if instance.project else lookup.workspace.environments
        documents = [environments[name].document for name in environment.lineage]
        overlay = (
            lookup.resources.document(Kind.OVERLAY, environment.name, instance.project) if instance.project else None
        )
        data = document.root.value | (pick_fields(overlay.root.value, ("description", "tags")) if overlay else {})
        section = common_section(documents, sections)
        body = {"name": instance.name, **pick_fields(data, _ENVIRONMENT_FIELDS)}
        body |= {"execution_environment": section} if section else {}
        links = tuple(_environment_links(instance, lookup))
        yield DesiredResource("environment", instance.name, file_span(document.path), body, {}, links)


def _runs_in(target: Target, instance: EnvironmentInstance) -> bool:
    return target.environment == instance.environment.name and instance.project in ("", target.project)


def _environment_links(instance: EnvironmentInstance, lookup: ResourceLookup) -> Iterator[DesiredLink]:
    """Yield the skills and policies of an environment, except policies that bind themselves in more detail."""
    data = instance.environment.document.root.value
    for skill in lookup.resolve_mentions("skill", data.get("skill_ids")):
        yield DesiredLink("skill", skill)
    for policy in data.get("policy_ids") or ():
        if not lookup.is_bound(policy, instance.environment.name):
            yield DesiredLink("policy", lookup.resolve_mention("policy", policy))


def team_resources(
    lookup: ResourceLookup, flat_environments: FlatEnvironments, diags: Diagnostics
) -> Iterator[DesiredResource]:
    """Yield the teams, one for each of their environments; members and environments are sent later (`late`)."""
    entities = EntityIndex(lookup.workspace)
    for target in (target for targets in lookup.teams.values() for target in targets):
        team = entities.entities_of(target).team
        assert team
        assert team.document
        data, name = team.document.root.value, lookup.names.team(target)
        body = {"name": name, **pick_fields(data, _TEAM_FIELDS), **lookup.skill_fields(data)}
        body |= (
            {"execution_environment": flat_environments[target].section} if flat_environments[target].section else {}
        )
        late = {
            "configuration": _team_configuration(team.document, target, lookup, diags),
            "environment_ids": [
                ResourceRef("environment", lookup.names.environment(target.project, target.environment))
            ],
            **pick_fields(data, ("status",)),
        }
        yield DesiredResource("team", name, file_span(team.document.path), body, late)


def _team_configuration(
    document: Document, target: Target, lookup: ResourceLookup, diags: Diagnostics
) -> dict[str, Any]:
    """Return a team's configuration, with the members that run in its environment."""
    declared = document.root.value.get("configuration") or {}
    folder = f"{target.project}/{target.team}"
    listed = [
        lookup.ref_in_environment("agent", str(mention), target.environment, folder)
        for mention in declared.get("member_ids") or ()
    ]
    members = list(dict.fromkeys([*lookup.team_members(target), *(ref for ref in listed if ref)]))
    configuration = {**declared, "member_ids": members}
    reasoner = (declared.get("reasoning") or {}).get("agent_id")
    if reasoner:
        agent = lookup.ref_in_environment("agent", str(reasoner), target.environment, folder)
        if agent is None:
            message = f"agent '{reasoner}' does not run in '{target.environment}', where its team does"
            report_unsupported(document, message, "name one that does", diags, "configuration", "reasoning", "agent_id")
        configuration["reasoning"] = {**declared["reasoning"], "agent_id": agent}
    return configuration


def agent_resources(
    lookup: ResourceLookup, bundles: Sequence[Bundle], flat_environments: FlatEnvironments, diags: Diagnostics
) -> Iterator[DesiredResource]:
    """Yield the agents, one for each bundle."""
    entities = EntityIndex(lookup.workspace)
    for bundle in bundles:
        target = bundle.target
        agent = entities.entities_of(target).agent
        assert agent
        document, name = agent.document, lookup.names.agent(target)
        data = document.root.value
        if bundle.data["model_id"] is None:
            message = f"agent '{target.agent}' has no model, and the control plane takes none without"
            report_unsupported(
                document, message, "set 'model_id', or 'default_model' of the project or the organization", diags
            )
        body = {"name": name, "model_id": bundle.data["model_id"], **pick_fields(data, _AGENT_FIELDS)}
        body |= lookup.skill_fields(data)
        body |= {"team_id": ResourceRef("team", lookup.names.team(target._replace(agent="")))} if target.team else {}
        body["environment_ids"] = [
            ResourceRef("environment", lookup.names.environment(target.project, target.environment))
        ]
        body["execution_environment"] = flat_environments[target].section
        yield DesiredResource("agent", name, file_span(document.path), body)


def project_resources(lookup: ResourceLookup) -> Iterator[DesiredResource]:
    """Yield the projects with a file, with their teams and agents; the control plane owns the implicit one."""
    for project in lookup.workspace.projects:
        if project.document:
            yield _project_resource(project, project.document, lookup)


def _project_resource(project: Project, document: Document, lookup: ResourceLookup) -> DesiredResource:
    data, key = document.root.value, str(project.fields["key"])
    body = {"name": data.get("name") or project.name, "key": key, **pick_fields(data, _PROJECT_FIELDS)}
    if "policy_ids" in data:
        body["policy_ids"] = lookup.resolve_mentions("policy", data["policy_ids"])
    links = [
        DesiredLink("agent" if target.agent else "team", lookup.target_ref(target))
        for target in (lookup.project_targets(project.name) if key != DEFAULT_PROJECT_KEY else ())
    ]
    span = field_span(document, "name") if get_field(document, "name") else field_span(document, "key")
    return DesiredResource("project", key, span, body, pick_fields(data, ("status",)), tuple(links))
