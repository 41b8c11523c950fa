"""Stack the layers of every target, lowest first: organization, project, environment, team, agent, with overlays."""

from collections.abc import Callable, Iterator, Mapping

from envtree.model.fields import as_scalar, get_execution_environment, get_field
from envtree.model.layers import Layer, LayerKind, Stack, Target
from envtree.model.nodes import Document
from envtree.model.secrets_file import SecretsFile
from envtree.model.workspace import Agent, Environment, Overlay, Project, Team, Workspace

Layers = tuple[Layer, ...]


def layer(workspace: Workspace, selects: Callable[[str], bool]) -> Iterator[Stack]:
    """Yield the stacks of the selected bundles, project by project.

    They are ordered so that neighbours share as many of their first layers as possible.
    """
    organization = workspace.organization
    root = _make_layer("organization", "", organization.document, organization.secrets, "default_model")
    environments = {name: _environment_layer(environment) for name, environment in workspace.environments.items()}
    for project in workspace.projects:
        yield from _project_stacks(project, root, environments, selects)


def team_stacks(workspace: Workspace) -> Iterator[Stack]:
    """Yield the stacks of the teams themselves, without layers of agents: the values of a team that runs as a whole."""
    organization = workspace.organization
    root = _make_layer("organization", "", organization.document, organization.secrets, "default_model")
    environments = {name: _environment_layer(environment) for name, environment in workspace.environments.items()}
    for project in workspace.projects:
        project_layer = _make_layer("project", project.name, project.document, project.secrets, "default_model")
        overlays = _overlay_layers("project-environment", project.overlays)
        visible = _visible_environment_layers(project, environments)
        teams = [
            (team, _team_layers(team), _overlay_layers("team-environment", team.overlays)) for team in project.teams
        ]
        for environment in project.targets:
            lineage = project.environments[environment].lineage
            shared = (root, project_layer, *(visible[name] for name in lineage), *_overlays_in_order(overlays, lineage))
            for team, layers, team_overlays in teams:
                if team.name and environment in team.targets:
                    target = Target(project.name, team.name, "", environment)
                    yield Stack(target, (*shared, *layers, *_overlays_in_order(team_overlays, lineage)))


def _project_stacks(
    project: Project, root: Layer, environments: Mapping[str, Layer], selects: Callable[[str], bool]
) -> Iterator[Stack]:
    project_layer = _make_layer("project", project.name, project.document, project.secrets, "default_model")
    overlays = _overlay_layers("project-environment", project.overlays)
    visible = _visible_environment_layers(project, environments)
    teams = [(team, _team_layers(team), _overlay_layers("team-environment", team.overlays)) for team in project.teams]
    agents = {
        (team.name, agent.name): (_agent_layer(agent), _overlay_layers("agent-environment", agent.overlays))
        for team in project.teams
        for agent in team.agents
    }
    for environment in project.targets:
        lineage = project.environments[environment].lineage
        shared = (root, project_layer, *(visible[name] for name in lineage), *_overlays_in_order(overlays, lineage))
        for team, team_layers, team_overlays in teams:
            if environment not in team.targets:
                continue
            team_base = (*shared, *team_layers, *_overlays_in_order(team_overlays, lineage))
            for agent in team.agents:
                target = Target(project.name, team.name, agent.name, environment)
                if environment in agent.targets and selects(target.id):
                    agent_layer, agent_overlays = agents[team.name, agent.name]
                    yield Stack(target, (*team_base, agent_layer, *_overlays_in_order(agent_overlays, lineage)))


def _make_layer(
    kind: LayerKind, scope: str, document: Document | None, secrets: SecretsFile | None, model: str = ""
) -> Layer:
    return Layer(
        kind,
        scope,
        document,
        get_execution_environment(document),
        as_scalar(get_field(document, model)) if model else None,
        secrets,
    )


def _visible_environment_layers(project: Project, shared: Mapping[str, Layer]) -> dict[str, Layer]:
    """Return the layers of all environments that a project can see; `shared` has those of the organization."""
    own = {name: _environment_layer(environment) for name, environment in project.environments.items()}
    return {**own, **shared}


def _environment_layer(environment: Environment) -> Layer:
    return _make_layer("environment", environment.name, environment.document, environment.secrets)


def _team_layers(team: Team) -> Layers:
    return (_make_layer("team", team.name, team.document, team.secrets),) if team.name else ()


def _agent_layer(agent: Agent) -> Layer:
    return _make_layer("agent", agent.name, agent.document, agent.secrets, "model_id")


def _overlay_layers(kind: LayerKind, overlays: Mapping[str, Overlay]) -> dict[str, Layer]:
    return {
        name: Layer(kind, name, overlay.document, overlay.section, overlay.model, overlay.secrets)
        for name, overlay in overlays.items()
    }


def _overlays_in_order(overlays: Mapping[str, Layer], lineage: tuple[str, ...]) -> Layers:
    return tuple(overlays[name] for name in lineage if name in overlays)


def workspace_targets(workspace: Workspace) -> Iterator[Target]:
    """Yield every target of the workspace, in the order of their stacks."""
    for project in workspace.projects:
        for environment in project.targets:
            for team in project.teams:
                for agent in team.agents:
                    if environment in team.targets and environment in agent.targets:
                        yield Target(project.name, team.name, agent.name, environment)
