"""What organization.yaml says about the control plane."""

from typing import Literal, NamedTuple

from envtree.model.span import Span

WorkflowMode = Literal["skill", "none"]


class NamePatterns(NamedTuple):
    """How resources are called, by their kind in the tree."""

    environment: str = "{environment}"
    team: str = "{project}.{team}.{environment}"
    agent: str = "{project}.{team}.{agent}.{environment}"
    workflow: str = "{project}.{workflow}"


class ControlPlaneSettings(NamedTuple):
    """The section; `source` is where Terraform finds the provider.

    `declared` is its place, None where the organization has none and defaults are what counts.
    """

    name_patterns: NamePatterns = NamePatterns()
    workflows: WorkflowMode = "skill"
    provider_source: str = "kubiya/control-plane"
    declared_at: Span | None = None
