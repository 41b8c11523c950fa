"""Layers, targets, and the stack of layers that is merged into a bundle."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from envtree.model.nodes import Document, MappingNode, ScalarNode
from envtree.model.secrets_file import SecretsFile

LayerKind = Literal[
    "organization",
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

    Layers compare by identity, so that stacks that begin with the same layers can share the merged prefix.
    """

    kind: LayerKind
    scope: str
    document: Document | None
    section: MappingNode | None
    model: ScalarNode | None
    secrets: SecretsFile | None

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


class Stack(NamedTuple):
    """The layers of one target, lowest first."""

    target: Target
    layers: tuple[Layer, ...]

    @property
    def agent_layer(self) -> Layer:
        """The layer of the agent's own file; every stack has one."""
        return next(layer for layer in reversed(self.layers) if layer.kind == "agent")
