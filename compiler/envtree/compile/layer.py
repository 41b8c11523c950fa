"""Stack the layers of every target, lowest first: organization, project, environment, team, agent, with overlays.

The mix-ins of an entity come directly below it, and their overlays directly below its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from envtree.model.fields import as_scalar, get_execution_environment, get_field, use_span
from envtree.model.layers import Layer, LayerKind, RepeatedMixin, Stack, Target
from envtree.model.nodes import Document
from envtree.model.path_policy import PolicyLookup
from envtree.model.secrets_file import SecretsFile
from envtree.model.workspace import Agent, Environment, Mixin, Overlay, Project, Team, Workspace

Layers = tuple[Layer, ...]


class _Level(NamedTuple):
    """An entity of a bundle: its mix-ins, lowest first, its own layer, if it has one, and its overlays."""

    document: Document | None
    mixins: tuple[Mixin, ...]
    layers: Layers
    overlays: Mapping[str, Layer]


class _TeamBase(NamedTuple):
    """The layers of a team in one environment, which its agents share; `lineage` is that of the environment."""

    team: Team
    environment: str
    lineage: tuple[str, ...]
    stack: "_StackBuilder"


def layer(workspace: Workspace, selects: Callable[[str], bool]) -> Iterator[Stack]:
    """Yield the stacks of the selected bundles, project by project.

    They are ordered so that neighbours share as many of their first layers as possible.
    """
    policies = PolicyLookup(workspace.organization.policies_by_path)
    for project, bases in _bases_by_project(workspace):
        agents = {(team.name, agent.name): _agent_level(agent) for team in project.teams for agent in team.agents}
        for team, environment, lineage, base in bases:
            for agent in team.agents:
                target = Target(project.name, team.name, agent.name, environment)
                if environment in agent.targets and selects(target.id):
                    yield base.add(agents[team.name, agent.name], lineage).build(target, policies)


def team_stacks(workspace: Workspace) -> Iterator[Stack]:
    """Yield the stacks of the teams themselves, without layers of agents: the values of a team that runs as a whole."""
    policies = PolicyLookup(workspace.organization.policies_by_path)
    for project, bases in _bases_by_project(workspace):
        for team, environment, _, base in bases:
            if team.name:
                yield base.build(Target(project.name, team.name, "", environment), policies)


def _bases_by_project(workspace: Workspace) -> Iterator[tuple[Project, Iterator[_TeamBase]]]:
    organization = workspace.organization
    root = _make_layer("organization", "", organization.document, organization.secrets, "default_model")
    environments = {name: _environment_layer(environment) for name, environment in workspace.environments.items()}
    mixins = _MixinLayers(workspace.mixins)
    for project in workspace.projects:
        yield project, _team_bases(project, _StackBuilder(mixins, (root,)), environments)


def _team_bases(project: Project, root: "_StackBuilder", environments: Mapping[str, Layer]) -> Iterator[_TeamBase]:
    """Yield the teams of a project in each of their targets, environment by environment."""
    project_layer = _make_layer("project", project.name, project.document, project.secrets, "default_model")
    overlays = _overlay_layers("project-environment", project.overlays)
    project_level = _Level(project.document, project.mixins, (project_layer,), overlays)
    visible = _visible_environment_layers(project, environments)
    teams = [
        (team, _Level(team.document, team.mixins, _team_layers(team), _team_overlays(team))) for team in project.teams
    ]
    for environment in project.targets:
        lineage = project.environments[environment].lineage
        shared = root.add(project_level, lineage, between=tuple(visible[name] for name in lineage))
        for team, level in teams:
            if environment in team.targets:
                yield _TeamBase(team, environment, lineage, shared.add(level, lineage))


class _MixinLayers:
    """The layers of mix-ins and of their overlays, each made once."""

    def __init__(self, mixins: Mapping[str, Mixin]) -> None:
        self._layers = {
            name: _make_layer("mixin", name, mixin.document, mixin.secrets) for name, mixin in mixins.items()
        }
        self._overlays = {name: _mixin_overlays(mixin) for name, mixin in mixins.items()}

    def layers(self, mixins: Iterable[Mixin]) -> Layers:
        """Return the layers of some mix-ins."""
        return tuple(self._layers[mixin.name] for mixin in mixins)

    def overlays(self, mixins: Iterable[Mixin], lineage: tuple[str, ...]) -> Layers:
        """Return the overlays of some mix-ins, by mix-in and then in the order of the environments."""
        return tuple(layer for mixin in mixins for layer in _overlays_in_order(self._overlays[mixin.name], lineage))


def _mixin_overlays(mixin: Mixin) -> dict[str, Layer]:
    overlays = _overlay_layers("mixin-environment", mixin.overlays)
    return {name: replace(overlay, scope=f"{mixin.name}@{name}") for name, overlay in overlays.items()}


class _StackBuilder(NamedTuple):
    """The layers so far, the entity that brought each mix-in, and the mix-ins that were not repeated."""

    mixins: _MixinLayers
    layers: Layers
    users: Mapping[str, Document] = MappingProxyType({})
    repeated: tuple[RepeatedMixin, ...] = ()

    def add(self, level: _Level, lineage: tuple[str, ...], between: Layers = ()) -> "_StackBuilder":
        """Add an entity above the others; `between` are the layers between its own and its overlays."""
        own, overlays = (*level.layers, *between), _overlays_in_order(level.overlays, lineage)
        if not level.mixins:
            return self._replace(layers=(*self.layers, *own, *overlays))
        new = [mixin for mixin in level.mixins if mixin.name not in self.users]
        return self._replace(
            layers=(
                *self.layers,
                *self.mixins.layers(new),
                *own,
                *self.mixins.overlays(new, lineage),
                *overlays,
            ),
            users={**self.users, **{mixin.name: level.document for mixin in new if level.document}},
            repeated=(*self.repeated, *self._repeated(level, own)),
        )

    def _repeated(self, level: _Level, own: Layers) -> Iterator[RepeatedMixin]:
        """Yield the mix-ins of an entity that a lower one has brought; `own` are the layers below its overlays."""
        for mixin in level.mixins:
            if mixin.name in self.users:
                first_use = use_span(self.users[mixin.name], mixin.name)
                yield RepeatedMixin(mixin.name, tuple(self._layers_passed(mixin.name, own)), first_use)

    def _layers_passed(self, mixin: str, own: Layers) -> Iterator[tuple[Layer, Layers]]:
        """Yield the layers of a mix-in, each with those that it would be above, were it directly below `own`."""
        for index, layer in enumerate(self.layers):
            if layer.mixin == mixin:
                above = (*self.layers[index + 1 :], *(own if layer.kind == "mixin-environment" else ()))
                yield layer, tuple(other for other in above if other.mixin != mixin)

    def build(self, target: Target, policies: PolicyLookup) -> Stack:
        """Return the stack of a target."""
        return Stack(target, self.layers, policies, self.repeated)


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


def _team_overlays(team: Team) -> dict[str, Layer]:
    return _overlay_layers("team-environment", team.overlays)


def _agent_level(agent: Agent) -> _Level:
    own = _make_layer("agent", agent.name, agent.document, agent.secrets, "model_id")
    return _Level(agent.document, agent.mixins, (own,), _overlay_layers("agent-environment", agent.overlays))


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
