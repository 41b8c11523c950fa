"""The organization as typed, linked objects: every name refers to an object that exists."""

from collections.abc import Iterator
from collections.abc import Mapping as Map
from typing import Any, NamedTuple

from envtree.model.control_plane_settings import ControlPlaneSettings
from envtree.model.formats import WHOLE_TREE_FORMATS
from envtree.model.nodes import Document, MappingNode, ScalarNode
from envtree.model.output_settings import OutputSettings
from envtree.model.path_policy import PathPolicies
from envtree.model.secrets_file import SecretsFile, SecretsPolicy
from envtree.model.sops_rule import SopsConfig
from envtree.model.span import Span

Fields = Map[str, Any]


class Contract(NamedTuple):
    """The contract of a variable; `rules` is the plain data of the declaration, `span` its position."""

    rules: Map[str, Any]
    span: Span


class Input(NamedTuple):
    """A declared input, read from the process environment; `default` is None without one."""

    env: str
    default: str | None
    span: Span


class Policy(NamedTuple):
    """A rule for resolved bundles: a JSON Schema, selectors of bundles, and the severity and message of its findings.

    `span` is the position of the schema, `selector_span` that of the selectors, if there are any.
    """

    name: str
    schema: Map[str, Any] | bool
    selectors: tuple[str, ...]
    severity: str
    message: str
    span: Span
    selector_span: Span


class Overlay(NamedTuple):
    """The values that a project, team or agent sets in one environment."""

    document: Document | None
    section: MappingNode | None
    model: ScalarNode | None
    secrets: SecretsFile | None


class Environment(NamedTuple):
    """An environment; `lineage` are the names of its ancestors and its own, lowest first."""

    name: str
    document: Document
    type: str
    abstract: bool
    lineage: tuple[str, ...]
    fields: Fields
    secrets: SecretsFile | None


class Mixin(NamedTuple):
    """A part of a configuration for entities to use; `lineage` has the names that it uses and its own, lowest first."""

    name: str
    document: Document
    overlays: Map[str, Overlay]
    lineage: tuple[str, ...]
    secrets: SecretsFile | None


class Agent(NamedTuple):
    """An agent; `targets` are the environments for which it is compiled, `mixins` those it uses, lowest first."""

    name: str
    document: Document
    targets: tuple[str, ...]
    overlays: Map[str, Overlay]
    fields: Fields
    secrets: SecretsFile | None
    mixins: tuple[Mixin, ...]


class Team(NamedTuple):
    """A team and its agents; the team with an empty name has the agents without a team."""

    name: str
    document: Document | None
    targets: tuple[str, ...]
    overlays: Map[str, Overlay]
    agents: tuple[Agent, ...]
    contracts: Map[str, Contract]
    fields: Fields | None
    secrets: SecretsFile | None
    mixins: tuple[Mixin, ...]


class Project(NamedTuple):
    """A project; `environments` are those of the root and its own."""

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
    mixins: tuple[Mixin, ...]

    def mixin_uses(self) -> Iterator[tuple[Document, Mixin]]:
        """Yield each mix-in that the project, its teams and its agents use, with the file of the entity."""
        users: list[Project | Team | Agent] = [self]
        for team in self.teams:
            users += [team, *team.agents]
        for user in users:
            yield from ((user.document, mixin) for mixin in user.mixins if user.document)


class Organization(NamedTuple):
    """The declarations of organization.yaml; `policies_by_path` are those of `merge`, by pattern."""

    document: Document
    fields: Fields
    policies_by_path: PathPolicies
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
        """Whether the tree describes resources of a control plane: it has the section, or one of its formats."""
        return self.control_plane.declared_at is not None or not WHOLE_TREE_FORMATS.isdisjoint(self.output.formats)


class Workspace(NamedTuple):
    """The linked organization; `other_documents` maps a kind without bundles to its files by name.

    In a workspace with some of the projects, `has_external_references` means that names were looked up that may be in
    other projects; it is not `is_self_contained` if linking needs the content of an agent in another project.
    """

    organization: Organization
    environments: Map[str, Environment]
    mixins: Map[str, Mixin]
    projects: tuple[Project, ...]
    policies: tuple[Policy, ...]
    other_documents: Map[str, Map[str, Document]]
    sops_configs: tuple[SopsConfig, ...]
    has_external_references: bool = False
    is_self_contained: bool = True
