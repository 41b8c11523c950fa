"""What organization.yaml says about the output."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.model.artifact import Mode
from envtree.model.secret_placeholders import SEALED_FILE
from envtree.model.span import Span

# What lies beside a bundle whatever the formats are.
OTHERS = ("provenance.json", SEALED_FILE)


class Store(NamedTuple):
    """Where the External Secrets Operator finds secrets."""

    name: str
    kind: str


class Kubernetes(NamedTuple):
    """How objects for Kubernetes are named, and where the secrets in them come from when they are only referred to.

    `name` is a pattern; with `hash_suffix` names change with what is in the objects.
    """

    name: str = "{project}.{team}.{agent}.{environment}"
    namespace: str = ""
    hash_suffix: bool = False
    store: Store | None = None
    refresh_interval: str = "1h"


class TemplateFile(NamedTuple):
    """A template of the organization: the file that it makes, its own path in the tree, and where it is named."""

    name: str
    path: str
    span: Span


class OutputSettings(NamedTuple):
    """What organization.yaml says about the output; `env` maps a section to the pattern of its variables' names."""

    secrets: Mode = "plain"
    formats: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    kubernetes: Kubernetes = Kubernetes()
    templates: tuple[TemplateFile, ...] = ()
