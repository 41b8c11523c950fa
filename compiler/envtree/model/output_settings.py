"""What organization.yaml says about the output."""

from collections.abc import Mapping
from typing import NamedTuple

from envtree.model.artifact import SecretsMode
from envtree.model.secret_entries import SEALED_SECRETS_FILE
from envtree.model.span import Span

# What lies beside a bundle whatever the formats are.
FORMAT_INDEPENDENT_FILES = ("provenance.json", SEALED_SECRETS_FILE)


class SecretStore(NamedTuple):
    """Where the External Secrets Operator finds secrets."""

    name: str
    kind: str


class KubernetesSettings(NamedTuple):
    """How objects for Kubernetes are named, and where the secrets in them come from when they are only referred to.

    `name` is a pattern; with `hash_suffix` names change with what is in the objects.
    """

    name_pattern: str = "{project}.{team}.{agent}.{environment}"
    namespace: str = ""
    hash_suffix: bool = False
    secret_store: SecretStore | None = None
    refresh_interval: str = "1h"


class TemplateFile(NamedTuple):
    """A template of the organization: the file that it makes, its own path in the tree, and where it is named."""

    name: str
    path: str
    span: Span


class OutputSettings(NamedTuple):
    """What organization.yaml says about the output; `env` maps a section to the pattern of its variables' names."""

    secrets_mode: SecretsMode = "plain"
    formats: tuple[str, ...] = ()
    env_patterns: Mapping[str, str] = {}
    kubernetes: KubernetesSettings = KubernetesSettings()
    templates: tuple[TemplateFile, ...] = ()
