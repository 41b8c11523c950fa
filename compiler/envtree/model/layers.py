"""Layers, targets, and the stack of layers that is merged into a bundle."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from envtree.model.nodes import Document, MappingNode, ScalarNode
from envtree.model.path_policy import PolicyLookup
from envtree.model.secrets_file import SecretsFile
from envtree.model.span import Span

LayerKind = Literal[
    "organization",
    "mixin",
    "mixin-environment",
    "project",
    "environment",
    "project-environment",
    "team",
    "team-environment",
    "agent",
    "agent-environment",
]


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One source of values; `scope` is the path name of its entity, and fields that it does not set are None.

    The scope of a mix-in's overlay is `mixin@environment`.

    Layers compare by identity, so that stacks that begin with the same layers can share the merged prefix.
    """

    kind: LayerKind
    scope: str
    document: Document | None
    section: MappingNode | None
    model: ScalarNode | None
    secrets: SecretsFile | None

    @property
    def mixin(self) -> str:
        """The name of the mix-in that the layer is of, or an empty string."""
        return self.scope.partition("@")[0] if self.kind in ("mixin", "mixin-environment") else ""

    @property
    def path(self) -> str:
        """The file of the layer's plain values, or an empty string."""
        return self.document.path if self.document else ""


class Target(NamedTuple):
    """An agent in an environment, by path names; `team` is empty for an agent without a team."""

    project: str
    team: str
    agent: str
    environment: str

    @classmethod
    def parse(cls, id: str) -> "Target":
        """Parse the id of a target."""
        agent_path, _, environment = id.partition("@")
        project, *team, agent = agent_path.split("/")
        return cls(project, "".join(team), agent, environment)

    @property
    def id(self) -> str:
        """`project/team/agent@environment`, or `project/agent@environment`."""
        return f"{self.agent_path}@{self.environment}"

    @property
    def agent_path(self) -> str:
        """`project/team/agent`, or `project/agent`."""
        parts = (self.project, self.team, self.agent) if self.team else (self.project, self.agent)
        return "/".join(parts)


class RepeatedMixin(NamedTuple):
    """A mix-in that an entity uses and another one, below it, has brought already, so that it is not repeated.

    Each of its `layers` has those that it would be above if it were repeated; `first_use` is where the lower entity
    names it.
    """

    name: str
    layers: tuple[tuple[Layer, tuple[Layer, ...]], ...]
    first_use: Span


class Stack(NamedTuple):
    """The layers of one target, lowest first, and the policies by which they are merged."""

    target: Target
    layers: tuple[Layer, ...]
    policies: PolicyLookup
    repeated_mixins: tuple[RepeatedMixin, ...] = ()

    @property
    def agent_layer(self) -> Layer:
        """The layer of the agent's own file; every stack has one."""
        return next(layer for layer in reversed(self.layers) if layer.kind == "agent")
