"""Find files that reach no bundle: entities without targets, and entities that nothing names."""

from collections.abc import Iterator

from envtree.engine.run import Run
from envtree.model.diagnostic import Diagnostic
from envtree.model.fields import get_field, get_text, get_text_scalars, is_true
from envtree.model.nodes import Document
from envtree.model.resource import Resource
from envtree.model.source import Kind
from envtree.model.span import Span, file_span
from envtree.model.workspace import Agent, Environment, Project, Team, Workspace
from envtree.queries.fleet.mentions import find_mentions, resolve_bindings


def find_unused_entities(run: Run) -> Iterator[Diagnostic]:
    """Yield a finding for each file that affects no bundle, and that nothing else uses."""
    workspace = run.workspace
    assert workspace
    for project in workspace.projects:
        yield from _project_findings(project)
    files = list(run.files.values())
    yield from _environment_findings(workspace, files)
    yield from _mixin_findings(workspace)
    used_environments = {id.partition("@")[2] for id in run.ids}
    for file in files:
        kind, name = file.location.kind, file.location.name
        if kind is Kind.SKILL and not _is_mentioned(file, files):
            hint = "remove it, or name it in the 'skill_ids' of an agent, a team or an environment"
            yield Diagnostic(file_span(file.document.path), "ET357", f"nothing uses the skill '{name}'", hint)
        elif kind is Kind.POLICY and _is_unbound_policy(file, files):
            hint = "remove it, or bind it with 'bindings', or with 'policy_ids' of an environment or a project"
            message = f"nothing binds the policy '{name}', so the control plane never asks it"
            yield Diagnostic(file_span(file.document.path), "ET358", message, hint)
        elif kind is Kind.WORKER_QUEUE and _is_unused_queue(file, files, used_environments, workspace):
            yield _queue_finding(file)


# Projects, teams and agents.


def _project_findings(project: Project) -> Iterator[Diagnostic]:
    """Yield findings for the outermost entities without a bundle; a project with workflows needs none."""
    if project.document and not _has_targets(project) and not project.workflows:
        agents = any(team.agents for team in project.teams)
        yield _no_bundle_finding(
            f"project '{project.name}'", project.document, agents=agents, targets=bool(project.targets)
        )
        return
    for team in project.teams:
        yield from _team_findings(team, project)


def _team_findings(team: Team, project: Project) -> Iterator[Diagnostic]:
    if team.document and not any(agent.targets for agent in team.agents):
        # A team may consist of agents of other teams.
        if not get_text_scalars(get_field(team.document, "configuration", "member_ids")):
            name = f"team '{project.name}/{team.name}'"
            yield _no_bundle_finding(name, team.document, agents=bool(team.agents), targets=bool(team.targets))
        return
    for agent in team.agents:
        if not agent.targets:
            yield _agent_finding(agent)


def _has_targets(project: Project) -> bool:
    return any(agent.targets for team in project.teams for agent in team.agents)


def _agent_finding(agent: Agent) -> Diagnostic:
    return _no_bundle_finding(f"agent '{agent.name}'", agent.document, agents=True, targets=False)


def _no_bundle_finding(name: str, document: Document, *, agents: bool, targets: bool) -> Diagnostic:
    targets_node = get_field(document, "targets")
    span = document.span(targets_node) if targets_node and agents and not targets else file_span(document.path)
    reason = "it has no agent" if not agents else "no agent in it has a target" if targets else "it has no target"
    hint = "remove it, or give it an agent" if not agents else "remove it, or name environments in 'targets'"
    return Diagnostic(span, "ET355", f"no bundle is made of {name}: {reason}", hint)


# Environments.


def _environment_findings(workspace: Workspace, files: list[Resource]) -> Iterator[Diagnostic]:
    root_paths = dict.fromkeys(environment.document.path for environment in workspace.environments.values())
    by_path = {
        environment.document.path: environment
        for project in workspace.projects
        for environment in project.environments.values()
    }
    used = {path for project in workspace.projects for path in _used_environment_files(project)}
    for path in root_paths | dict.fromkeys(by_path):
        environment = by_path.get(path) or next(e for e in workspace.environments.values() if e.document.path == path)
        if path not in used and not _is_used_by_control_plane(environment, workspace, files):
            yield _environment_finding(environment)


def _used_environment_files(project: Project) -> Iterator[str]:
    """Yield the files of the environments that a project's bundles are made for, and of those that they inherit."""
    names = {target for team in project.teams for agent in team.agents for target in agent.targets}
    for name in {ancestor for target in names for ancestor in project.environments[target].lineage}:
        yield project.environments[name].document.path


def _is_used_by_control_plane(environment: Environment, workspace: Workspace, files: list[Resource]) -> bool:
    """Report whether the control plane uses an environment without bundles."""
    mentions = find_mentions(Kind.ENVIRONMENT, environment.name, files)
    if any(mention.document.location.kind is Kind.JOB for mention in mentions):
        return True
    policies = (file.document for file in files if file.location.kind is Kind.POLICY)
    return any(("environment", environment.name) in resolve_bindings(policy, workspace) for policy in policies)


def _environment_finding(environment: Environment) -> Diagnostic:
    span, name = file_span(environment.document.path), environment.name
    if environment.abstract:
        message = f"no environment that a bundle is made for inherits '{name}'"
        return Diagnostic(span, "ET356", message, "remove it, or inherit it")
    message = f"no bundle is made for environment '{name}', or for one that inherits it"
    return Diagnostic(span, "ET356", message, "remove it, or name it in 'targets'")


def _mixin_findings(workspace: Workspace) -> Iterator[Diagnostic]:
    used = {mixin.name for project in workspace.projects for _, mixin in project.mixin_uses()}
    for name, mixin in workspace.mixins.items():
        if name not in used:
            hint = "remove it, or name it in the 'uses' of a project, a team or an agent"
            yield Diagnostic(file_span(mixin.document.path), "ET360", f"nothing uses the mix-in '{name}'", hint)


# Entities that agents, teams and environments name.


def _is_mentioned(file: Resource, files: list[Resource]) -> bool:
    return any(find_mentions(file.location.kind, file.location.name, files))


def _is_unbound_policy(file: Resource, files: list[Resource]) -> bool:
    """Report whether a Rego policy is enabled and bound to nothing."""
    document = file.document
    enabled = get_field(document, "enabled")
    is_disabled = enabled is not None and not is_true(enabled)
    if is_disabled or get_field(document, "policy_content") is None or get_field(document, "bindings") is not None:
        return False
    return not _is_mentioned(file, files)


def _is_unused_queue(file: Resource, files: list[Resource], used_environments: set[str], workspace: Workspace) -> bool:
    """Report whether no job names a queue, and no bundle is made for its environment."""
    environment = get_text(get_field(file.document, "environment"))
    environments = {name for project in workspace.projects for name in project.environments} | {*workspace.environments}
    return environment in environments - used_environments and not _is_mentioned(file, files)


def _queue_finding(file: Resource) -> Diagnostic:
    node = get_field(file.document, "environment")
    span: Span = file.document.span(node) if node else file_span(file.document.path)
    message = f"nothing runs in the worker queue '{file.location.name}': no bundle is made for '{get_text(node)}'"
    return Diagnostic(span, "ET359", message, "remove it, or name the environment in 'targets'")
