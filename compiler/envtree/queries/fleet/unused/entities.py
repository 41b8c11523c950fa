"""Files that reach no bundle: what runs nowhere, and what nobody names."""

from collections.abc import Iterator

from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostic
from envtree.model.fields import field, flag, text, texts
from envtree.model.nodes import Document
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.model.span import Span, whole_file
from envtree.model.workspace import Agent, Environment, Project, Team, Workspace
from envtree.queries.fleet.entities import bound, mentions


def idle_entities(run: Run) -> Iterator[Diagnostic]:
    """A finding for each file that decides about no bundle, and that nothing else makes use of."""
    workspace = run.workspace
    assert workspace
    for project in workspace.projects:
        yield from _project(project)
    files = list(run.files.values())
    yield from _environments(workspace, files)
    living = {id.partition("@")[2] for id in run.ids}
    for file in files:
        kind, name = file.location.kind, file.location.name
        if kind is Kind.SKILL and not _is_named(file, files):
            hint = "remove it, or name it in the 'skill_ids' of an agent, a team or an environment"
            yield Diagnostic(whole_file(file.document.path), "ET357", f"nothing uses the skill '{name}'", hint)
        elif kind is Kind.POLICY and _is_loose(file, files):
            hint = "remove it, or bind it with 'bindings', or with 'policy_ids' of an environment or a project"
            message = f"nothing binds the policy '{name}', so the control plane never asks it"
            yield Diagnostic(whole_file(file.document.path), "ET358", message, hint)
        elif kind is Kind.WORKER_QUEUE and _is_idle_queue(file, files, living, workspace):
            yield _queue(file)


# Projects, teams and agents.


def _project(project: Project) -> Iterator[Diagnostic]:
    """The outermost of what runs nowhere; workflows need no bundle."""
    if project.document and not _runs(project) and not project.workflows:
        agents = any(team.agents for team in project.teams)
        yield _idle(f"project '{project.name}'", project.document, agents=agents, targets=bool(project.targets))
        return
    for team in project.teams:
        yield from _team(team, project)


def _team(team: Team, project: Project) -> Iterator[Diagnostic]:
    if team.document and not any(agent.targets for agent in team.agents):
        # A team may be made of agents that belong elsewhere.
        if not texts(field(team.document, "configuration", "member_ids")):
            name = f"team '{project.name}/{team.name}'"
            yield _idle(name, team.document, agents=bool(team.agents), targets=bool(team.targets))
        return
    for agent in team.agents:
        if not agent.targets:
            yield _agent(agent)


def _runs(project: Project) -> bool:
    return any(agent.targets for team in project.teams for agent in team.agents)


def _agent(agent: Agent) -> Diagnostic:
    return _idle(f"agent '{agent.name}'", agent.document, agents=True, targets=False)


def _idle(name: str, document: Document, *, agents: bool, targets: bool) -> Diagnostic:
    declared = field(document, "targets")
    place = document.span(declared) if declared and agents and not targets else whole_file(document.path)
    why = "it has no agent" if not agents else "no agent in it has a target" if targets else "it has no target"
    hint = "remove it, or give it an agent" if not agents else "remove it, or name environments in 'targets'"
    return Diagnostic(place, "ET355", f"no bundle is made of {name}: {why}", hint)


# Environments.


def _environments(workspace: Workspace, files: list[Resource]) -> Iterator[Diagnostic]:
    every = dict.fromkeys(one.document.path for one in workspace.environments.values())
    known = {one.document.path: one for project in workspace.projects for one in project.environments.values()}
    used = {path for project in workspace.projects for path in _used(project)}
    for path in every | dict.fromkeys(known):
        environment = known.get(path) or next(e for e in workspace.environments.values() if e.document.path == path)
        if path not in used and not _is_wanted(environment, workspace, files):
            yield _environment(environment)


def _used(project: Project) -> Iterator[str]:
    """The files of the environments that bundles of a project are made for, and of those that they inherit."""
    names = {target for team in project.teams for agent in team.agents for target in agent.targets}
    for name in {one for target in names for one in project.environments[target].order}:
        yield project.environments[name].document.path


def _is_wanted(environment: Environment, workspace: Workspace, files: list[Resource]) -> bool:
    """Whether the control plane has a use for an environment without bundles."""
    named = mentions(Kind.ENVIRONMENT, environment.name, files)
    if any(one.document.location.kind is Kind.JOB for one in named):
        return True
    policies = (file.document for file in files if file.location.kind is Kind.POLICY)
    return any(("environment", environment.name) in bound(policy, workspace) for policy in policies)


def _environment(environment: Environment) -> Diagnostic:
    place, name = whole_file(environment.document.path), environment.name
    if environment.abstract:
        message = f"no environment that a bundle is made for inherits '{name}'"
        return Diagnostic(place, "ET356", message, "remove it, or inherit it")
    message = f"no bundle is made for environment '{name}', or for one that inherits it"
    return Diagnostic(place, "ET356", message, "remove it, or name it in 'targets'")


# What agents, teams and environments name.


def _is_named(file: Resource, files: list[Resource]) -> bool:
    return any(mentions(file.location.kind, file.location.name, files))


def _is_loose(file: Resource, files: list[Resource]) -> bool:
    """Whether a Rego policy that is switched on is bound to nothing."""
    document = file.document
    enabled = field(document, "enabled")
    off = enabled is not None and not flag(enabled)
    if off or field(document, "policy_content") is None or field(document, "bindings") is not None:
        return False
    return not _is_named(file, files)


def _is_idle_queue(file: Resource, files: list[Resource], living: set[str], workspace: Workspace) -> bool:
    """Whether no job names a queue, and no bundle is made for its environment."""
    environment = text(field(file.document, "environment"))
    known = {name for project in workspace.projects for name in project.environments} | {*workspace.environments}
    return environment in known - living and not _is_named(file, files)


def _queue(file: Resource) -> Diagnostic:
    node = field(file.document, "environment")
    place: Span = file.document.span(node) if node else whole_file(file.document.path)
    message = f"nothing runs in the worker queue '{file.location.name}': no bundle is made for '{text(node)}'"
    return Diagnostic(place, "ET359", message, "remove it, or name the environment in 'targets'")
