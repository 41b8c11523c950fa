"""The organization as typed, linked objects: every name in here points at something."""

from collections.abc import Mapping as Map
from typing import Any, NamedTuple

from envtree.model.control_plane_settings import ControlPlaneSettings
from envtree.model.formats import WHOLE_TREE_FORMATS
from envtree.model.keypath import KeyPath
from envtree.model.nodes import Document, MappingNode, ScalarNode
from envtree.model.output_settings import OutputSettings
from envtree.model.secrets_file import SecretsFile, SecretsPolicy
from envtree.model.sops_rule import SopsConfig
from envtree.model.span import Span

Fields = Map[str, Any]


class Contract(NamedTuple):
    """What a variable must be; `rules` is the declaration's plain data, `span` its place."""

    rules: Map[str, Any]
    span: Span


class Input(NamedTuple):
    """A declared read of the process environment; `default` is None without one."""

    env: str
    default: str | None
    span: Span


class Policy(NamedTuple):
    """A rule over resolved bundles: a JSON Schema, where it applies, and what to say.

    `span` is the place of the schema, `selector_span` that of the selectors, if any are written.
    """

    name: str
    schema: Map[str, Any] | bool
    selectors: tuple[str, ...]
    severity: str
    message: str
    span: Span
    selector_span: Span


class Overlay(NamedTuple):
    """What a project, team or agent adds in one environment."""

    document: Document | None
    section: MappingNode | None
    model: ScalarNode | None
    secrets: SecretsFile | None


class Environment(NamedTuple):
    """An environment; `order` names its ancestors and itself, lowest first."""

    name: str
    document: Document
    type: str
    abstract: bool
    lineage: tuple[str, ...]
    fields: Fields
    secrets: SecretsFile | None


class Agent(NamedTuple):
    """An agent; `targets` are the environments that it is compiled for."""

    name: str
    document: Document
    targets: tuple[str, ...]
    overlays: Map[str, Overlay]
    fields: Fields
    secrets: SecretsFile | None


class Team(NamedTuple):
    """A team and its agents; an empty name stands for the agents without a team."""

    name: str
    document: Document | None
    targets: tuple[str, ...]
    overlays: Map[str, Overlay]
    agents: tuple[Agent, ...]
    contracts: Map[str, Contract]
    fields: Fields | None
    secrets: SecretsFile | None


class Project(NamedTuple):
    """A project; `environments` holds all that it can see, its own included."""

    name: str
    document: Document | None
    environments: Map[str, Environment]
    targets: tuple[str, ...]
    overlays: Map[str, Overlay]
    teams: tuple[Team, ...]
    workflows: tuple[str, ...]
    contracts: Map[str, Contract]
    fields: Fields
    secrets: SecretsFile | None


class Organization(NamedTuple):
    """The root: what is declared once for everybody; `merge` maps a path pattern to its list policy."""

    document: Document
    fields: Fields
    list_policies: Map[KeyPath, "str | MergeByKey"]
    contracts: Map[str, Contract]
    strict: bool
    inputs: Map[str, Input]
    lint_severities: Map[str, str]
    secrets_policy: SecretsPolicy
    secrets: SecretsFile | None
    output: OutputSettings
    control_plane: ControlPlaneSettings

    @property
    def is_for_control_plane(self) -> bool:
        """Whether the tree describes what a control plane has: because it says so, or writes it by itself."""
        return self.control_plane.declared_at is not None or not WHOLE_TREE_FORMATS.isdisjoint(self.output.formats)


class MergeByKey(NamedTuple):
    """The list policy that merges elements with the same value of `key`."""

    key: str


class Workspace(NamedTuple):
    """Everything, linked; `others` maps a kind without bundles to its files by name, `rules` are those of sops.

    With some of the projects it `is_mentioning` what may be in others, and it is not `is_self_contained` if it would
    have to know what an agent of these says.
    """

    organization: Organization
    environments: Map[str, Environment]
    projects: tuple[Project, ...]
    policies: tuple[Policy, ...]
    other_documents: Map[str, Map[str, Document]]
    sops_configs: tuple[SopsConfig, ...]
    has_external_references: bool = False
    is_self_contained: bool = True
