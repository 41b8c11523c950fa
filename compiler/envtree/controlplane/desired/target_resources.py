"""Environments, teams, agents and projects: what bundles are made for, with the environments that these have."""

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

# The project that the control plane makes by itself, and puts every agent and team into.
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
    """The environments, with what all who run there share."""
    projects = {project.name: project for project in lookup.workspace.projects}
    for site in lookup.environment_instances:
        document, environment = site.environment.document, site.environment
        attached = [one.section for at, one in flat_environments.items() if _runs_in(at, site)]
        known = projects[site.project].environments if site.project else lookup.workspace.environments
        written = [known[name].document for name in environment.lineage]
        overlay = lookup.resources.document(Kind.OVERLAY, environment.name, site.project) if site.project else None
        data = document.root.value | (pick_fields(overlay.root.value, ("description", "tags")) if overlay else {})
        section = common_section(written, attached)
        body = {"name": site.name, **pick_fields(data, _ENVIRONMENT_FIELDS)}
        body |= {"execution_environment": section} if section else {}
        links = tuple(_environment_links(site, lookup))
        yield DesiredResource("environment", site.name, file_span(document.path), body, {}, links)


def _runs_in(target: Target, site: EnvironmentInstance) -> bool:
    return target.environment == site.environment.name and site.project in ("", target.project)


def _environment_links(site: EnvironmentInstance, lookup: ResourceLookup) -> Iterator[DesiredLink]:
    """Skills and policies of an environment; a policy that binds it itself says more."""
    data = site.environment.document.root.value
    for skill in lookup.resolve_mentions("skill", data.get("skill_ids")):
        yield DesiredLink("skill", skill)
    for policy in data.get("policy_ids") or ():
        if not lookup.is_bound(policy, site.environment.name):
            yield DesiredLink("policy", lookup.resolve_mention("policy", policy))


def team_resources(
    lookup: ResourceLookup, flat_environments: FlatEnvironments, diags: Diagnostics
) -> Iterator[DesiredResource]:
    """The teams, one for each environment; who belongs to them, and where they run, comes later."""
    roster = EntityIndex(lookup.workspace)
    for at in (at for targets in lookup.teams.values() for at in targets):
        team = roster.entities_of(at).team
        assert team
        assert team.document
        data, name = team.document.root.value, lookup.names.team(at)
        body = {"name": name, **pick_fields(data, _TEAM_FIELDS), **lookup.skill_fields(data)}
        body |= {"execution_environment": flat_environments[at].section} if flat_environments[at].section else {}
        late = {
            "configuration": _team_configuration(team.document, at, lookup, diags),
            "environment_ids": [ResourceRef("environment", lookup.names.environment(at.project, at.environment))],
            **pick_fields(data, ("status",)),
        }
        yield DesiredResource("team", name, file_span(team.document.path), body, late)


def _team_configuration(
    document: Document, target: Target, lookup: ResourceLookup, diags: Diagnostics
) -> dict[str, Any]:
    """How a team works together; of its members, those who run in this environment."""
    declared = document.root.value.get("configuration") or {}
    folder = f"{target.project}/{target.team}"
    own = lookup.team_members(target)
    named = [
        lookup.ref_in_environment("agent", str(one), target.environment, folder)
        for one in declared.get("member_ids") or ()
    ]
    members = list(dict.fromkeys([*own, *(one for one in named if one)]))
    found = {**declared, "member_ids": members}
    reasoner = (declared.get("reasoning") or {}).get("agent_id")
    if reasoner:
        agent = lookup.ref_in_environment("agent", str(reasoner), target.environment, folder)
        if agent is None:
            message = f"agent '{reasoner}' does not run in '{target.environment}', where its team does"
            report_unsupported(document, message, "name one that does", diags, "configuration", "reasoning", "agent_id")
        found["reasoning"] = {**declared["reasoning"], "agent_id": agent}
    return found


def agent_resources(
    lookup: ResourceLookup, bundles: Sequence[Bundle], flat_environments: FlatEnvironments, diags: Diagnostics
) -> Iterator[DesiredResource]:
    """The agents, one for each bundle."""
    roster = EntityIndex(lookup.workspace)
    for one in bundles:
        at = one.target
        agent = roster.entities_of(at).agent
        assert agent
        document, name = agent.document, lookup.names.agent(at)
        data = document.root.value
        if one.data["model_id"] is None:
            message = f"agent '{at.agent}' has no model, and the control plane takes none without"
            report_unsupported(
                document, message, "set 'model_id', or 'default_model' of the project or the organization", diags
            )
        body = {"name": name, "model_id": one.data["model_id"], **pick_fields(data, _AGENT_FIELDS)}
        body |= lookup.skill_fields(data)
        body |= {"team_id": ResourceRef("team", lookup.names.team(at._replace(agent="")))} if at.team else {}
        body["environment_ids"] = [ResourceRef("environment", lookup.names.environment(at.project, at.environment))]
        body["execution_environment"] = flat_environments[at].section
        yield DesiredResource("agent", name, file_span(document.path), body)


def project_resources(lookup: ResourceLookup) -> Iterator[DesiredResource]:
    """The projects that have a file, with their teams and agents: the implicit one is the control plane's own."""
    for project in lookup.workspace.projects:
        if project.document:
            yield _project_resource(project, project.document, lookup)


def _project_resource(project: Project, document: Document, lookup: ResourceLookup) -> DesiredResource:
    data, key = document.root.value, str(project.fields["key"])
    body = {"name": data.get("name") or project.name, "key": key, **pick_fields(data, _PROJECT_FIELDS)}
    if "policy_ids" in data:
        body["policy_ids"] = lookup.resolve_mentions("policy", data["policy_ids"])
    links = [
        DesiredLink("agent" if at.agent else "team", lookup.target_ref(at))
        for at in (lookup.project_targets(project.name) if key != DEFAULT_PROJECT_KEY else ())
    ]
    place = field_span(document, "name") if get_field(document, "name") else field_span(document, "key")
    return DesiredResource("project", key, place, body, pick_fields(data, ("status",)), tuple(links))
