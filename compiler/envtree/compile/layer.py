"""Stack the layers of every target, lowest first: organization, project, environment, team, agent, with overlays."""

from collections.abc import Callable, Iterator, Mapping

from envtree.model.fields import as_scalar, get_execution_environment, get_field
from envtree.model.layers import Layer, LayerKind, Stack, Target
from envtree.model.nodes import Document
from envtree.model.secrets_file import SecretsFile
from envtree.model.workspace import Agent, Environment, Overlay, Project, Team, Workspace

Layers = tuple[Layer, ...]


def layer(workspace: Workspace, selects: Callable[[str], bool]) -> Iterator[Stack]:
    """The stacks of the selected bundles, project by project; neighbours share as many first layers as can be."""
    organization = workspace.organization
    root = _make_layer("organization", "", organization.document, organization.secrets, "default_model")
    environments = {name: _environment_layer(one) for name, one in workspace.environments.items()}
    for project in workspace.projects:
        yield from _project_stacks(project, root, environments, selects)


def team_stacks(workspace: Workspace) -> Iterator[Stack]:
    """The stacks of teams themselves, up to their own layers: what a team has that runs as one, and not its agents."""
    organization = workspace.organization
    root = _make_layer("organization", "", organization.document, organization.secrets, "default_model")
    environments = {name: _environment_layer(one) for name, one in workspace.environments.items()}
    for project in workspace.projects:
        own = _make_layer("project", project.name, project.document, project.secrets, "default_model")
        overlays = _overlay_layers("project-environment", project.overlays)
        known = {**{name: _environment_layer(one) for name, one in project.environments.items()}, **environments}
        teams = [
            (each, _team_layers(each), _overlay_layers("team-environment", each.overlays)) for each in project.teams
        ]
        for environment in project.targets:
            order = project.environments[environment].lineage
            shared = (root, own, *(known[name] for name in order), *_overlays_in_order(overlays, order))
            for team, layers, team_overlays in teams:
                if team.name and environment in team.targets:
                    target = Target(project.name, team.name, "", environment)
                    yield Stack(target, (*shared, *layers, *_overlays_in_order(team_overlays, order)))


def _project_stacks(
    project: Project, root: Layer, environments: Mapping[str, Layer], selects: Callable[[str], bool]
) -> Iterator[Stack]:
    own = _make_layer("project", project.name, project.document, project.secrets, "default_model")
    overlays = _overlay_layers("project-environment", project.overlays)
    known = {**{name: _environment_layer(one) for name, one in project.environments.items()}, **environments}
    teams = [(team, _team_layers(team), _overlay_layers("team-environment", team.overlays)) for team in project.teams]
    agents = {
        (team.name, agent.name): (_agent_layer(agent), _overlay_layers("agent-environment", agent.overlays))
        for team in project.teams
        for agent in team.agents
    }
    for environment in project.targets:
        order = project.environments[environment].lineage
        shared = (root, own, *(known[name] for name in order), *_overlays_in_order(overlays, order))
        for team, team_layers, team_overlays in teams:
            if environment not in team.targets:
                continue
            inside = (*shared, *team_layers, *_overlays_in_order(team_overlays, order))
            for agent in team.agents:
                target = Target(project.name, team.name, agent.name, environment)
                if environment in agent.targets and selects(target.id):
                    base, agent_overlays = agents[team.name, agent.name]
                    yield Stack(target, (*inside, base, *_overlays_in_order(agent_overlays, order)))


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


def _overlays_in_order(overlays: Mapping[str, Layer], order: tuple[str, ...]) -> Layers:
    return tuple(overlays[name] for name in order if name in overlays)


def workspace_targets(workspace: Workspace) -> Iterator[Target]:
    """Every target of the workspace, in the order of their stacks."""
    for project in workspace.projects:
        for environment in project.targets:
            for team in project.teams:
                for agent in team.agents:
                    if environment in team.targets and environment in agent.targets:
                        yield Target(project.name, team.name, agent.name, environment)
