"""What organization.yaml says about the control plane."""

from typing import Literal, NamedTuple

from envtree.model.span import Span

Workflows = Literal["skill", "none"]


class Patterns(NamedTuple):
    """How resources are called, by their kind in the tree."""

    environment: str = "{environment}"
    team: str = "{project}.{team}.{environment}"
    agent: str = "{project}.{team}.{agent}.{environment}"
    workflow: str = "{project}.{workflow}"


class ControlPlane(NamedTuple):
    """The section; `source` is where Terraform finds the provider.

    `declared` is its place, None where the organization has none and defaults are what counts.
    """

    patterns: Patterns = Patterns()
    workflows: Workflows = "skill"
    source: str = "kubiya/control-plane"
    declared: Span | None = None
