"""References by name: skills, policies, queues, people, members and entities that a file mentions."""

import re
from collections.abc import Iterable, Mapping

from envtree.diagnostic import Diagnostic, Diagnostics
from envtree.fields import field, mapping, texts
from envtree.nearest import did_you_mean
from envtree.node import Document, Scalar
from envtree.resource import Resources
from envtree.source import Kind
from envtree.workspace import Workspace

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")

# Where a kind mentions names, and what they are names of.
_MENTIONS: Mapping[Kind, tuple[tuple[tuple[str, ...], str], ...]] = {
    Kind.ORGANIZATION: ((("owners",), "person"), (("secret_readers",), "person")),
    Kind.ENVIRONMENT: ((("skill_ids",), "skill"), (("policy_ids",), "policy")),
    Kind.PROJECT: ((("policy_ids",), "policy"), (("owners",), "person"), (("secret_readers",), "person")),
    Kind.TEAM: ((("skill_ids",), "skill"), (("configuration", "member_ids"), "agent")),
    Kind.AGENT: ((("skill_ids",), "skill"),),
    Kind.WORKER_QUEUE: ((("environment",), "environment"),),
    Kind.JOB: (
        (("environment_name",), "environment"),
        (("worker_queue_name",), "worker queue"),
        (("entity_id",), "agent, team or workflow"),
    ),
}


def check_references(resources: Resources, workspace: Workspace, diags: Diagnostics) -> None:
    """Report every name that points at nothing, with the nearest one that does exist."""
    names = _names(resources, workspace)
    for resource in resources:
        document = resource.document
        for path, what in _MENTIONS.get(resource.location.kind, ()):
            known = _members(document, workspace) if what == "agent" else names[what]
            _check(document, path, what, known, diags)
        if resource.location.kind in (Kind.TEAM, Kind.AGENT):
            _check_skill_configurations(document, names["skill"], diags)


def _names(resources: Resources, workspace: Workspace) -> dict[str, frozenset[str]]:
    organization = workspace.organization.document
    rego = [name for name, document in resources.documents(Kind.POLICY).items() if field(document, "schema") is None]
    people = mapping(field(organization, "people"))
    every = {name for project in workspace.projects for name in project.environments}
    return {
        "environment": frozenset(workspace.environments) | every,
        "skill": frozenset(workspace.others[Kind.SKILL]),
        "policy": frozenset(rego),
        "worker queue": frozenset(workspace.others[Kind.WORKER_QUEUE]),
        "person": frozenset(people.entries if people else ()),
        "agent, team or workflow": frozenset(_entities(workspace)),
    }


def _entities(workspace: Workspace) -> Iterable[str]:
    for project in workspace.projects:
        yield from (f"{project.name}/{workflow}" for workflow in project.workflows)
        for team in project.teams:
            inside = f"{project.name}/{team.name}" if team.name else project.name
            yield inside
            yield from (f"{inside}/{agent.name}" for agent in team.agents)


def _members(document: Document, workspace: Workspace) -> frozenset[str]:
    _, project, team, _ = document.location[:4]
    teams = [t for p in workspace.projects if p.name == project for t in p.teams if t.name == team]
    return frozenset(agent.name for found in teams for agent in found.agents)


def _check(document: Document, path: tuple[str, ...], what: str, known: frozenset[str], diags: Diagnostics) -> None:
    for mention in texts(field(document, *path)):
        if mention.value not in known and not _UUID.fullmatch(str(mention.value)):
            _report(document, mention, ".".join(path), what, known, diags)


def _report(
    document: Document, mention: Scalar, key: str, what: str, known: frozenset[str], diags: Diagnostics
) -> None:
    message, hint = f"'{mention.value}' names no {what} of this tree", did_you_mean(str(mention.value), known)
    if what == "policy":
        message = f"'{mention.value}' names no policy with 'policy_content' of this tree"
        hint = hint or "one with a 'schema' says by its 'selector' where it applies"
    diags.add(Diagnostic(document.span(mention), "ET301", message, hint, key=key))


def _check_skill_configurations(document: Document, known: frozenset[str], diags: Diagnostics) -> None:
    declared = mapping(field(document, "skill_configurations"))
    for name in declared.entries if declared else ():
        if declared and name not in known and not _UUID.fullmatch(name):
            message = f"'{name}' names no skill of this tree"
            place = document.key_span(declared, name)
            diags.add(Diagnostic(place, "ET301", message, did_you_mean(name, known), key="skill_configurations"))
