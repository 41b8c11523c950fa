"""Environments, teams, agents and projects: what bundles are made for, with the environments that these have."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envtree.controlplane.desired.desired import Desired, Link, Ref
from envtree.controlplane.desired.lookup import Lookup, Site, picked, place_of, refuse
from envtree.controlplane.desired.sections import Flat, common
from envtree.model.diagnostic import Diagnostics
from envtree.model.entities import Roster
from envtree.model.fields import field
from envtree.model.layers import Target
from envtree.model.nodes import Document
from envtree.model.resolved import Bundle
from envtree.model.source import Kind
from envtree.model.span import whole_file
from envtree.model.workspace import Project

# The project that the control plane makes by itself, and puts every agent and team into.
DEFAULT_KEY = "DEFAULT"

_ENVIRONMENT = ("display_name", "description", "tags", "settings")
_TEAM = ("description", "runtime")
_AGENT = ("description", "system_prompt", "runtime", "llm_config", "capabilities", "configuration", "runner_name")
_PROJECT = ("description", "goals", "visibility", "default_model", "restrict_to_environment", "settings")

Flats = Mapping[Target, Flat]


def environments(look: Lookup, flats: Flats) -> Iterator[Desired]:
    """The environments, with what all who run there share."""
    projects = {project.name: project for project in look.workspace.projects}
    for site in look.sites:
        document, environment = site.environment.document, site.environment
        attached = [one.section for at, one in flats.items() if _is_at(at, site)]
        known = projects[site.project].environments if site.project else look.workspace.environments
        written = [known[name].document for name in environment.order]
        overlay = look.resources.document(Kind.OVERLAY, environment.name, site.project) if site.project else None
        data = document.root.value | (picked(overlay.root.value, ("description", "tags")) if overlay else {})
        section = common(written, attached)
        body = {"name": site.name, **picked(data, _ENVIRONMENT)}
        body |= {"execution_environment": section} if section else {}
        links = tuple(_associated(site, look))
        yield Desired("environment", site.name, whole_file(document.path), body, {}, links)


def _is_at(at: Target, site: Site) -> bool:
    return at.environment == site.environment.name and site.project in ("", at.project)


def _associated(site: Site, look: Lookup) -> Iterator[Link]:
    """Skills and policies of an environment; a policy that binds it itself says more."""
    data = site.environment.document.root.value
    for skill in look.all_named("skill", data.get("skill_ids")):
        yield Link("skill", skill)
    for policy in data.get("policy_ids") or ():
        if not look.binds(policy, site.environment.name):
            yield Link("policy", look.named("policy", policy))


def teams(look: Lookup, flats: Flats, diags: Diagnostics) -> Iterator[Desired]:
    """The teams, one for each environment; who belongs to them, and where they run, comes later."""
    roster = Roster(look.workspace)
    for at in (at for targets in look.teams.values() for at in targets):
        team = roster.of(at).team
        assert team
        assert team.document
        data, name = team.document.root.value, look.names.team(at)
        body = {"name": name, **picked(data, _TEAM), **look.configured(data)}
        body |= {"execution_environment": flats[at].section} if flats[at].section else {}
        late = {
            "configuration": _configuration(team.document, at, look, diags),
            "environment_ids": [Ref("environment", look.names.environment(at.project, at.environment))],
            **picked(data, ("status",)),
        }
        yield Desired("team", name, whole_file(team.document.path), body, late)


def _configuration(document: Document, at: Target, look: Lookup, diags: Diagnostics) -> dict[str, Any]:
    """How a team works together; of its members, those who run in this environment."""
    declared = document.root.value.get("configuration") or {}
    folder = f"{at.project}/{at.team}"
    own = look.members(at)
    named = [look.inside("agent", str(one), at.environment, folder) for one in declared.get("member_ids") or ()]
    members = list(dict.fromkeys([*own, *(one for one in named if one)]))
    found = {**declared, "member_ids": members}
    reasoner = (declared.get("reasoning") or {}).get("agent_id")
    if reasoner:
        agent = look.inside("agent", str(reasoner), at.environment, folder)
        if agent is None:
            message = f"agent '{reasoner}' does not run in '{at.environment}', where its team does"
            refuse(document, message, "name one that does", diags, "configuration", "reasoning", "agent_id")
        found["reasoning"] = {**declared["reasoning"], "agent_id": agent}
    return found


def agents(look: Lookup, bundles: Sequence[Bundle], flats: Flats, diags: Diagnostics) -> Iterator[Desired]:
    """The agents, one for each bundle."""
    roster = Roster(look.workspace)
    for one in bundles:
        at = one.target
        agent = roster.of(at).agent
        assert agent
        document, name = agent.document, look.names.agent(at)
        data = document.root.value
        if one.data["model_id"] is None:
            message = f"agent '{at.agent}' has no model, and the control plane takes none without"
            refuse(document, message, "set 'model_id', or 'default_model' of the project or the organization", diags)
        body = {"name": name, "model_id": one.data["model_id"], **picked(data, _AGENT)}
        body |= look.configured(data)
        body |= {"team_id": Ref("team", look.names.team(at._replace(agent="")))} if at.team else {}
        body["environment_ids"] = [Ref("environment", look.names.environment(at.project, at.environment))]
        body["execution_environment"] = flats[at].section
        yield Desired("agent", name, whole_file(document.path), body)


def projects(look: Lookup) -> Iterator[Desired]:
    """The projects that have a file, with their teams and agents: the implicit one is the control plane's own."""
    for project in look.workspace.projects:
        if project.document:
            yield _project(project, project.document, look)


def _project(project: Project, document: Document, look: Lookup) -> Desired:
    data, key = document.root.value, str(project.fields["key"])
    body = {"name": data.get("name") or project.name, "key": key, **picked(data, _PROJECT)}
    if "policy_ids" in data:
        body["policy_ids"] = look.all_named("policy", data["policy_ids"])
    links = [
        Link("agent" if at.agent else "team", look.ref(at))
        for at in (look.staff(project.name) if key != DEFAULT_KEY else ())
    ]
    place = place_of(document, "name") if field(document, "name") else place_of(document, "key")
    return Desired("project", key, place, body, picked(data, ("status",)), tuple(links))
