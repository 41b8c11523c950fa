"""The `control_plane` section of organization.yaml."""

from typing import Literal, NamedTuple

from envtree.model.span import Span

WorkflowMode = Literal["skill", "none"]


class NamePatterns(NamedTuple):
    """The patterns of resource names, by kind."""

    environment: str = "{environment}"
    team: str = "{project}.{team}.{environment}"
    agent: str = "{project}.{team}.{agent}.{environment}"
    workflow: str = "{project}.{workflow}"


class ControlPlaneSettings(NamedTuple):
    """The settings of the section; `provider_source` is the source address of the Terraform provider.

    `declared_at` is the span of the section, None if the organization has none and the defaults apply.
    """

    name_patterns: NamePatterns = NamePatterns()
    workflows: WorkflowMode = "skill"
    provider_source: str = "kubiya/control-plane"
    declared_at: Span | None = None
